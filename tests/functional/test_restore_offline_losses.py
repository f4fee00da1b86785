"""Restoring from the folders alone where a cache, an array or a manifest is lost: what comes, and what is named."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from daemon.storage.manifest import NAME as MANIFEST
from daemon.storage.paths import OWN_FOLDER
from tests.support import leftbehind, placement
from tests.support.command_line import config_file, ondeckd
from tests.support.leftbehind import FILES, NAMES, PLACEMENTS, REMEDY, SYMLINK_BACKUP, SYMLINK_REMOVE, Home, back
from tests.support.needs import needs_root

executor = placement.executor
home = leftbehind.home


@pytest.mark.parametrize("lost", ["links", "backups"])
async def test_a_lost_manifest_is_no_matter_where_links_or_backups_say_enough(
    tmp_path: Path, executor: ThreadPoolExecutor, lost: str
) -> None:
    chosen = {"links": SYMLINK_REMOVE, "backups": PLACEMENTS[1]}[lost]
    home = Home(tmp_path, executor, **chosen)
    await home.fill()
    home.lose_manifest()

    said = await home.restore()

    assert said.code == 0, said
    back(home)


async def test_without_a_manifest_a_copy_that_nothing_speaks_of_stays_and_is_named(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    home = Home(tmp_path, executor, serve="union", original="remove")
    await home.fill({"Film.mkv": b"film", "Other/o.mkv": b"other"})
    home.tiers.film("Other/o.mkv", b"other")
    home.lose_manifest()

    said = json.loads((await home.restore("--json")).out)

    assert [row["path"] for row in said["left"]] == [str(home.cache / "Film.mkv")]
    assert said["notes"][0].startswith("1 file on ")
    assert home.tiers.cached() == {"Film.mkv": b"film", "Other/o.mkv": b"other"}


@pytest.mark.parametrize("how", ["empty", "missing"])
async def test_backups_come_back_without_the_cache(tmp_path: Path, executor: ThreadPoolExecutor, how: str) -> None:
    home = Home(tmp_path, executor, **SYMLINK_BACKUP)
    await home.fill()
    other = home.array / "Show/Season 1/e1.mkv"
    home.lose_cache()
    if how == "missing":
        home.cache.rmdir()

    said = await home.restore()

    assert said.code == 0, said
    assert other.read_bytes() == b"one"
    assert home.tiers.on_array() == FILES
    assert "is empty or cannot be read" in said.out
    assert not home.cache.exists() or not list(home.cache.iterdir())


async def test_what_had_no_backup_is_named_when_the_cache_is_gone(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    home = Home(tmp_path, executor, **SYMLINK_REMOVE)
    await home.fill({"a.mkv": b"a", "b.mkv": b"b"})
    (home.array / "kept.mkv").write_bytes(b"kept")
    home.lose_cache()

    said = await home.restore("--json")

    assert said.code == 1
    assert json.loads(said.out)["left"] == [
        {"path": str(home.array / name), "why": f"its copy is gone, and there is no {name}.plexcached; {REMEDY}"}
        for name in ("a.mkv", "b.mkv")
    ]
    assert (home.array / "a.mkv").is_symlink()


@needs_root
async def test_a_cache_that_has_become_read_only_still_gives_everything_back(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    from tests.support.bad_input import memory_disk, remount  # noqa: PLC0415 - only root has disks to mount

    (tmp_path / "cache").mkdir()
    with memory_disk(tmp_path / "cache", "4m"):
        home = Home(tmp_path, executor, **SYMLINK_BACKUP)
        await home.fill({"a.mkv": b"a"})
        gone = Home(tmp_path, executor, **SYMLINK_REMOVE)
        await gone.fill({"b.mkv": b"b"})
        remount(home.cache, "ro")

        said = await home.restore("--json")

        assert said.code == 1
        left = json.loads(said.out)["left"]
        assert [row["why"].partition(":")[0] for row in left] == ["the original is there, but its copy stays"] * 2
        assert home.tiers.on_array() == {"a.mkv": b"a", "b.mkv": b"b"}
        assert not (home.array / "a.mkv").is_symlink()
        assert not (home.array / "b.mkv").is_symlink()
        remount(home.cache, "rw")
        assert (await home.restore()).code == 0
        back(home, {"a.mkv": b"a", "b.mkv": b"b"})


async def test_an_array_that_is_not_mounted_is_left_alone(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    home = Home(tmp_path, executor, serve="union", original="keep")
    await home.fill({"a.mkv": b"a"})
    home.array.rename(tmp_path / "unmounted")
    home.array.mkdir()

    said = await home.restore()

    assert said.code == 1
    assert f"LEFT: {home.array}: its anchor is missing, or it is empty; is the array mounted?" in said.out
    assert home.tiers.cached() == {"a.mkv": b"a"}


@pytest.mark.parametrize("settings", PLACEMENTS, ids=NAMES)
async def test_a_mapping_that_was_renamed_gets_back_what_the_manifest_names_by_its_former_name(
    tmp_path: Path, executor: ThreadPoolExecutor, settings: dict[str, Any]
) -> None:
    home = Home(tmp_path, executor, **settings)
    await home.fill()
    renamed = {**home.tiers.mapping.model_dump(), "name": "z"}
    config_file(tmp_path / "etc", {"mapping": [renamed], "state": {"directory": str(tmp_path / "state")}})

    said = await home.restore()

    assert said.code == 0, said
    back(home)


@pytest.mark.parametrize("lost", ["lines", "manifest", "folder"])
async def test_the_only_copies_are_named_whatever_has_become_of_the_manifest(
    tmp_path: Path, executor: ThreadPoolExecutor, lost: str
) -> None:
    home = Home(tmp_path, executor, serve="union", original="remove")
    (home.array / "kept.mkv").write_bytes(b"kept")
    await home.fill({"a.mkv": b"a", "b.mkv": b"b"})
    (home.array / "b.mkv").symlink_to("../there/b.mkv")
    (tmp_path / "there").symlink_to(home.cache)
    if lost == "lines":
        (home.cache / OWN_FOLDER / MANIFEST).write_bytes(b"")
    else:
        home.lose_manifest()
    if lost == "folder":
        shutil.rmtree(home.cache / OWN_FOLDER)

    said = await home.restore("--json")

    assert said.code == 1
    named = {row["path"] for row in json.loads(said.out)["left"]}
    assert named == {str(home.cache / "a.mkv"), str(home.cache / "b.mkv")}
    assert home.tiers.cached() == {"a.mkv": b"a", "b.mkv": b"b"}


@pytest.mark.parametrize("words", [(), ("--offline",)])
async def test_without_a_mapping_it_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    config = config_file(tmp_path, {"state": {"directory": str(tmp_path / "state")}, "web": {"listen": "127.0.0.1:1"}})

    said = await ondeckd(config, "restore", *words)

    assert (said.code, said.out) == (78, "")
    assert "no [[mapping]] is configured" in said.err


async def test_nothing_is_claimed_of_a_cache_that_cannot_be_read(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    home = Home(tmp_path, executor, **SYMLINK_BACKUP)
    await home.fill({"a.mkv": b"a"})
    home.lose_cache()

    first, second = await home.restore(), await home.restore()

    assert first.out.splitlines()[0] == "1 file came back to the array."
    assert second.out.splitlines()[0] == "Nothing was found to bring back."
