"""``ondeckd restore --offline``: everything back on the array, by what the folders say alone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from daemon.lock import single_instance
from tests.support import leftbehind, placement
from tests.support.command_line import config_file
from tests.support.leftbehind import FILES, NAMES, NOTHING, PLACEMENTS, SYMLINK_BACKUP, SYMLINK_REMOVE, Home, back
from tests.support.process import python
from tests.support.restorer import KILLED

executor = placement.executor
home = leftbehind.home


async def test_everything_comes_back_and_the_second_run_has_nothing_to_do(home: Home) -> None:
    await home.fill()
    assert len(home.tiers.cached()) == 4

    first = await home.restore()
    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines()[0] == "4 files came back to the array. Nothing of ondeckd's is left on the cache."
    back(home)
    after = {name: home.stat(name) for name in FILES}

    second = await home.restore("--yes")
    assert (second.code, second.out.splitlines()[0]) == (0, NOTHING)
    back(home)
    assert {name: home.stat(name) for name in FILES} == after


async def test_names_of_odd_bytes_come_back(home: Home) -> None:
    odd = {os.fsdecode(b"Sh\xffow/\xe9pisode\n1.mkv"): b"odd", "Show \U0001f600/" + "x" * 230 + ".mkv": b"long"}
    await home.fill(odd)

    said = await home.restore("--json")

    assert said.code == 0, said
    assert json.loads(said.out) == {"restored": 2, "left": [], "kept": [], "notes": [], "paused": False}
    back(home, odd)


async def test_a_mapping_inside_of_another_looks_after_its_own(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    home = Home(tmp_path, executor, **SYMLINK_BACKUP)
    await home.fill({"a.mkv": b"a", "Kids/k.mkv": b"k"})
    home.lose_manifest()
    inner = {"name": "Kids", "plex": "/data/kids", "array": f"{home.array}/Kids", "cache": f"{home.cache}/Kids"}
    mappings = [home.tiers.mapping.model_dump(), {**inner, **SYMLINK_BACKUP}]
    config_file(tmp_path / "etc", {"mapping": mappings, "state": {"directory": str(tmp_path / "state")}})

    said = await home.restore("--json")

    assert json.loads(said.out)["restored"] == 2
    assert home.tiers.on_array() == {"a.mkv": b"a", "Kids/k.mkv": b"k"}
    assert home.tiers.cached() == {}


async def test_what_is_no_backup_or_link_of_ours_is_not_touched(home: Home) -> None:
    await home.fill()
    target = home.array / "Film.mkv"
    strange = {"elsewhere.mkv": "/somewhere/else.mkv", "beside.mkv": "Film.mkv", "folder": "Show"}
    for name, text in strange.items():
        (home.array / name).symlink_to(text)
    (home.array / "dir.plexcached").mkdir()
    (home.array / ".plexcached").write_bytes(b"no name before it")
    (home.cache / "mine.mkv").write_bytes(b"mine")

    said = json.loads((await home.restore("--json")).out)

    why = "nothing says who put it there, and the array has no such file"
    assert said["left"] == [{"path": str(home.cache / "mine.mkv"), "why": why}]
    assert said["restored"] == 4
    assert {name: str((home.array / name).readlink()) for name in strange} == strange
    assert (home.array / "dir.plexcached").is_dir()
    assert (home.array / ".plexcached").read_bytes() == b"no name before it"
    assert home.tiers.cached() == {"mine.mkv": b"mine"}
    assert target.read_bytes() == b"film"


async def test_it_refuses_beside_a_daemon(home: Home) -> None:
    await home.fill()
    with single_instance(home.root / "state"):
        said = await home.restore()

    assert said.code == 1
    assert f"another ondeckd (process {os.getpid()}) uses the state folder" in said.err
    assert said.err.endswith("; stop it first\n")
    assert len(home.tiers.cached()) == 4


@pytest.fixture
def many(tmp_path: Path, executor: ThreadPoolExecutor) -> Home:
    return Home(tmp_path, executor, rate_limit="10MB", **SYMLINK_REMOVE)


async def test_killed_at_any_point_it_is_finished_by_the_next_run(many: Home) -> None:
    files = {f"Show/e{number}.mkv": bytes([number]) * 1_000_000 for number in range(5)}
    await many.fill(files)
    kills = 0
    while True:
        async with python(["-m", "daemon", "--config", str(many.config), "restore", "--offline"]) as process:
            before = len(many.tiers.cached())
            finished = asyncio.ensure_future(process.wait())
            # Killed once another file has left the cache, in the middle of one that is still on its way.
            while not finished.done() and len(many.tiers.cached()) == before:
                await asyncio.wait({finished}, timeout=0.005)
            if finished.done():
                break
            process.kill()
            await finished
            kills += 1
        for name, content in files.items():
            assert (many.array / name).read_bytes() == content
    assert process.returncode == 0
    assert kills > 1
    assert not any(path.name.startswith(".ondeckd-") for path in many.array.rglob("*"))
    back(many, files)


async def test_a_link_that_was_renamed_leads_to_its_file_all_the_same(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    home = Home(tmp_path, executor, **SYMLINK_REMOVE)
    await home.fill({"Show/a.mkv": b"a", "Show/b.mkv": b"b"})
    home.lose_manifest()
    (home.array / "Show/a.mkv").rename(home.array / "Show/a - Title.mkv")
    (home.array / "mine.mkv").symlink_to(home.cache / "Show/b.mkv")

    said = await home.restore("--json")

    assert said.code == 0, said
    assert [row["path"] for row in json.loads(said.out)["kept"]] == [str(home.array / "mine.mkv")]
    assert sorted(path.read_bytes() for path in (home.array / "Show").iterdir()) == [b"a", b"b"]
    assert not any(path.is_symlink() for path in (home.array / "Show").iterdir())
    assert home.tiers.cached() == {}


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("settings", PLACEMENTS, ids=NAMES)
async def test_killed_before_each_change_of_the_disks_nothing_is_lost_and_the_next_run_ends_it(
    tmp_path: Path, executor: ThreadPoolExecutor, settings: dict[str, Any]
) -> None:
    files = {"Show/e1.mkv": b"one", "Show/e1.en.srt": b"words"}
    code: int | None = KILLED
    nth = 0
    while code == KILLED:
        nth += 1
        root = tmp_path / str(nth)
        root.mkdir()
        home = Home(root, executor, **settings)
        await home.fill(files)
        async with python(["-m", "tests.support.restorer", str(home.config), str(nth)]) as process:
            await process.communicate()
            code = process.returncode
        for name, content in files.items():
            served = [path for path in (home.cache / name, home.array / name) if path.exists()]
            assert {path.read_bytes() for path in served} == {content}, (nth, name)
            assert settings["serve"] == "union" or (home.array / name).exists(), (nth, name)
        assert (await home.restore()).code == 0, nth
        back(home, files)
        assert not any(path.name.startswith(".ondeckd-") for path in home.array.rglob("*")), nth
        shutil.rmtree(root)
    assert code == 0
    assert nth > 10


@pytest.mark.parametrize("more", [{"link": "relative"}, {"link_target": "/plex/cache"}], ids=["relative", "target"])
async def test_links_are_known_however_they_are_written(
    tmp_path: Path, executor: ThreadPoolExecutor, more: dict[str, str]
) -> None:
    home = Home(tmp_path, executor, **SYMLINK_REMOVE, **more)
    await home.fill()
    home.lose_manifest()

    assert (await home.restore()).code == 0
    back(home)
