"""A configuration that changes under the running daemon: a bad one is refused whole, a good one takes effect."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from daemon.clock import Clock
from daemon.model import TaskState
from tests.support.bad_input import logged, problem
from tests.support.command_line import config_file
from tests.support.daemon import merged
from tests.support.reloads import change, from_file

ANN = "Ann"


@pytest.mark.parametrize("how", ["by saving the file", "by SIGHUP"])
async def test_a_bad_configuration_is_refused_whole_and_a_good_one_clears_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    async with from_file(tmp_path) as house:
        path = house.folder / "etc" / "config.toml"
        bad = "[playback]\nnext_episodes = -1\nnext_episode = 7\n[log]\nlevel = 'shout'\n"
        if how == "by saving the file":
            path.write_text(bad)
        else:
            before = path.stat()
            path.write_text(bad.ljust(before.st_size))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            os.kill(os.getpid(), signal.SIGHUP)
        await house.until(lambda: problem(house, "config") != "")
        faults = logged(capsys, "config_rejected")
        assert len(faults) == 3
        for line, key in zip(faults, ("next_episodes", "next_episode", "log.level"), strict=True):
            assert key in line["why"]
            assert str(path) in line["why"]
        assert problem(house, "config") == "; ".join(line["why"] for line in faults)
        assert (await house.get("/api/v1/status"))["ready"] is False
        assert house.app.core.live.settings.playback.next_episodes == 5

        await change(house, playback={"next_episodes": 2})
        assert problem(house, "config") == ""
        assert house.app.core.live.settings.playback.next_episodes == 2


async def test_a_log_file_that_cannot_be_written_is_a_fault_of_the_reload_not_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with from_file(tmp_path) as house:
        house.settings = merged(house.settings, {"log": {"file": str(tmp_path / "nowhere" / "x.log")}})
        config_file(house.folder / "etc", house.settings)
        await house.until(lambda: problem(house, "config") != "")
        (line,) = logged(capsys, "config_rejected")
        assert "log.file" in line["why"]
        assert house.app.core.live.settings.log.file == ""


async def test_more_or_fewer_next_episodes_count_from_the_next_play_on(tmp_path: Path) -> None:
    async with from_file(tmp_path) as house:
        first, second = (house.library.episodes(show) for show in house.library.shows)
        await change(house, playback={"next_episodes": 1})
        await house.plex.engine.play(ANN, first[0])
        await house.until(lambda: house.is_cached(*first[:2]))
        await house.quiet()
        assert not house.is_cached(first[2])
        await change(house, playback={"next_episodes": 3})
        await house.plex.engine.play(ANN, second[0], client="phone")
        await house.until(lambda: house.is_cached(*second[:4]))


async def test_a_shorter_min_stay_lets_go_at_once(tmp_path: Path) -> None:
    async with from_file(tmp_path, clock=Clock(600.0), retention={"after_stopped": "1m"}) as house:
        movie = house.library.movies[0]
        session = await house.plex.engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))
        await house.clock.sleep(60)
        await house.plex.engine.stop(session)
        await house.clock.sleep(600)
        assert house.is_cached(movie)
        await change(house, retention={"min_stay": "0"})
        await house.until(lambda: not house.is_cached(movie))


async def test_workers_are_added_and_taken_away(tmp_path: Path) -> None:
    slow = {"rate_limit": "40KB", "to_cache": 1}
    async with from_file(tmp_path, transfer=slow, state={"shutdown_grace": "0"}) as house:
        episodes = house.library.episodes(house.library.shows[0])
        await house.plex.engine.play(ANN, episodes[0])

        async def running() -> int:
            return len(await house.tasks(TaskState.RUNNING))

        async def one() -> bool:
            return await running() == 1

        async def three() -> bool:
            return await running() == 3

        await house.until(one)
        await change(house, transfer={"to_cache": 3})
        await house.until(three)
        await change(house, transfer={"to_cache": 1, "rate_limit": "0"})
        await house.until(lambda: house.is_cached(*episodes[:6]))
        await house.quiet()
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert sum(name.startswith("cache_in-") for name in names) == 1


async def test_the_log_level_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with from_file(tmp_path) as house:
        await change(house, log={"level": "info"})
        await house.plex.engine.play(ANN, house.library.movies[0])
        await house.until(lambda: house.is_cached(house.library.movies[0]))
        await house.quiet()
        assert len(logged(capsys, "config_reloaded", "cache_in_finished")) == 2
        await change(house, log={"level": "warning"})
        assert logged(capsys, "config_reloaded") == []


async def test_what_needs_a_restart_is_named_and_the_old_value_stays_in_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with from_file(tmp_path, log={"level": "info"}) as house:
        await change(house, web={"listen": "127.0.0.1:1"}, playback={"next_episodes": 1})
        (line,) = logged(capsys, "config_reloaded")
        assert line["needs_restart"] == ["web.listen"]
        (check,) = [check for check in await house.get("/readyz") if check["name"] == "config"]
        assert (check["ok"], check["text"]) == (True, "needs a restart: web.listen")
        assert house.app.core.live.settings.playback.next_episodes == 1

        await change(house, web={"listen": "127.0.0.1:0"})
        (check,) = [check for check in await house.get("/readyz") if check["name"] == "config"]
        assert check["text"] == "in force"


async def test_a_mapping_that_is_taken_out_is_left_alone_from_then_on(tmp_path: Path) -> None:
    async with from_file(tmp_path) as house:
        movie = house.library.movies[0]
        await house.plex.engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()
        house.settings["mapping"] = [one for one in house.settings["mapping"] if one["name"] != "Movies"]
        await change(house)
        assert house.is_cached(movie)
        status, answer = await house.post("/api/v1/evict", {"target": str(house.cache(movie)[0])})
        assert (status, answer["error"]["message"]) == (422, f"no mapping covers '{house.cache(movie)[0]}'")
