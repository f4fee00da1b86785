"""Starts that cannot or can hardly succeed, as real processes: one clear line each, and the right exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from daemon.clock import Clock
from daemon.core import Core
from daemon.state.store import NAME
from tests.support.bad_input import fill, memory_disk, problem, remount, until_bad
from tests.support.command_line import config_file, free_port, ondeckd
from tests.support.daemon import at_home
from tests.support.daemon_process import daemon_process, write_config
from tests.support.needs import needs_root
from tests.support.plex import small_library

ANN = "Ann"


async def test_a_damaged_database_is_kept_aside_and_the_daemon_works(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library, start=False) as house:
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / NAME).write_bytes(b"this is no database" * 1000)
        async with daemon_process(write_config(house.settings, tmp_path)) as daemon:
            (line,) = [line for line in daemon.lines if line["event"] == "database_replaced"]
            assert "kept as ondeckd.db.corrupt" in line["why"]
            (check,) = [check for check in await daemon.get("/readyz") if check["name"] == "store"]
            assert check["ok"]
            assert check["text"] == line["why"]
            assert (tmp_path / "state" / "ondeckd.db.corrupt").read_bytes().startswith(b"this is no database")

            await house.plex.frames.wait_for_listeners()
            await house.plex.engine.play(ANN, library.movies[0])
            await daemon.until("/api/v1/status", cached_files=1)
    assert house.is_cached(library.movies[0])


@needs_root
async def test_a_state_disk_that_fills_up_ends_the_daemon_with_one_line(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library, start=False) as house:
        with memory_disk(tmp_path / "state", "1m"):
            async with daemon_process(write_config(house.settings, tmp_path)) as daemon:
                await house.plex.frames.wait_for_listeners()
                fill(tmp_path / "state" / "filler")
                for movie in library.movies:
                    await house.plex.engine.play(ANN, movie)
                assert await daemon.process.wait() == 1
                await daemon.silent.wait()
                (line,) = [line for line in daemon.lines if line["event"] == "daemon_failed"]
                assert line["level"] == "error"
                assert line["why"] == f"{tmp_path / 'state' / NAME}: database or disk is full"
                assert not [line for line in daemon.lines if "Traceback" in str(line)]


async def test_a_database_removed_under_the_running_daemon_is_told(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), clock=Clock(60.0)) as house:
        assert problem(house, "store") == ""
        (tmp_path / "state" / NAME).unlink()
        await until_bad(house, "store", "was removed while ondeckd runs")


async def test_signals_during_the_recovery_end_it_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def recover(_core: Core) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    monkeypatch.setattr(Core, "recover", recover)
    async with at_home(tmp_path, small_library(), start=False) as house:
        await house.app.run()
        assert not house.app.ready.is_set()
        assert house.app.core.reloading.wanted.is_set()


@needs_root
async def test_a_state_folder_that_cannot_be_written_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False) as house:
        with memory_disk(tmp_path / "state", "1m"):
            remount(tmp_path / "state", "ro")
            said = await ondeckd(write_config(house.settings, tmp_path), "run")
    assert said.code == 1
    assert said.lines == [f"ondeckd: cannot use the state folder {tmp_path / 'state'}: Read-only file system"]


async def test_a_second_instance_is_one_line_and_the_first_goes_on(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False) as house:
        config = write_config(house.settings, tmp_path)
        async with daemon_process(config) as first:
            said = await ondeckd(config, "run")
            assert said.code == 1
            (line,) = said.lines
            assert line == (
                f"ondeckd: another ondeckd (process {first.process.pid}) uses the state folder {tmp_path / 'state'}"
            )
            assert (await first.get("/api/v1/status"))["state"] == "running"
            first.signal(signal.SIGTERM)
            assert await first.process.wait() == 0


async def test_an_address_that_somebody_else_listens_on_is_one_line(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False) as house:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            said = await ondeckd(write_config({**house.settings, "web": {"listen": listen}}, tmp_path), "run")
    assert said.code == 1
    errors = [line for line in said.lines if not line.startswith("{")]
    assert errors == [f"ondeckd: web.listen: cannot listen on {listen}: Address already in use"]


async def test_a_bad_configuration_lists_all_its_faults_and_ends_with_78(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[plex]\nurl = "plex.lan"\n'
        '[[mapping]]\nname = "TV"\nplex = "tv"\narray = "/mnt/user0/tv"\ncache = "/mnt/cache/tv"\n'
        '[retention]\nafter_watched = "12 hours"\n[transfer]\nto_cache = 0\nto_cashe = 1\n'
    )
    for command in ("run", "check"):
        said = await ondeckd(config, command)
        assert said.code == 78
        assert said.out == ""
        faults = [f"{config}:{number}: {key}" for number, key in ((2, "plex.url"), (5, "mapping.0.plex"))]
        for expected in (*faults, "retention.after_watched", "transfer.to_cache", "transfer.to_cashe"):
            assert any(expected in line for line in said.lines), (expected, said.err)
        assert len(said.lines) == 5
    assert "did you mean" in said.err or "to_cache" in said.err


async def test_what_the_daemon_cannot_do_without_is_named(tmp_path: Path) -> None:
    said = await ondeckd(config_file(tmp_path, {"state": {"directory": str(tmp_path / "state")}}), "run")
    assert said.code == 78
    assert [line.split(":")[0] for line in said.lines] == ["plex.token", "mapping"]
    assert not (tmp_path / "state").exists()


async def test_commands_say_that_no_daemon_runs(tmp_path: Path) -> None:
    port = free_port()
    config = config_file(tmp_path, {"web": {"listen": f"127.0.0.1:{port}"}})
    for words in (["status"], ["cache", "1", "--wait"], ["stop"]):
        said = await ondeckd(config, *words)
        assert said.code == 69
        assert said.lines == [
            f"ondeckd: no daemon answers at http://127.0.0.1:{port} (web.listen); is ondeckd running?"
        ]
