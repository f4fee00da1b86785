"""Restoring from the folders alone where there are several versions: the newest wins, and nothing unproven replaces."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.storage.paths import OWN_FOLDER
from tests.support import leftbehind, placement
from tests.support.files import LONG_AGO
from tests.support.leftbehind import NAMES, PLACEMENTS, SYMLINK_BACKUP, Home, back

executor = placement.executor
home = leftbehind.home


@pytest.mark.parametrize("manifest", ["kept", "lost"])
async def test_newer_content_on_the_cache_wins_and_the_old_backup_is_kept(
    tmp_path: Path, executor: ThreadPoolExecutor, manifest: str
) -> None:
    home = Home(tmp_path, executor, **SYMLINK_BACKUP)
    await home.fill({"a.mkv": b"old"})
    (home.cache / "a.mkv").write_bytes(b"newer content")
    if manifest == "lost":
        home.lose_manifest()

    for restored in (1, 0):
        said = json.loads((await home.restore("--json")).out)
        assert (said["restored"], said["left"]) == (restored, [])
        assert [row["path"] for row in said["kept"]] == [str(home.array / "a.mkv")]
        assert home.tiers.on_array() == {"a.mkv": b"newer content", "a.mkv.plexcached": b"old"}
        assert home.tiers.cached() == {}


async def test_an_older_copy_never_takes_the_place_of_a_newer_backup(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    home = Home(tmp_path, executor, **SYMLINK_BACKUP)
    await home.fill({"a.mkv": b"content", "b.mkv": b"b"})
    home.lose_manifest()
    (home.cache / "a.mkv").write_bytes(b"something shorter")
    os.utime(home.cache / "a.mkv", ns=(LONG_AGO - 10, LONG_AGO - 10))

    said = await home.restore("--json")

    assert said.code == 1
    why = "its copy and its backup differ, and the copy is not the newer one"
    assert json.loads(said.out)["left"] == [{"path": str(home.array / "a.mkv"), "why": why}]
    assert (home.array / "a.mkv.plexcached").read_bytes() == b"content"
    assert (home.cache / "a.mkv").read_bytes() == b"something shorter"
    assert not (home.array / "b.mkv").is_symlink()


async def test_original_and_copy_both_changed_stay_and_are_named(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    home = Home(tmp_path, executor, serve="union", original="keep")
    await home.fill({"a.mkv": b"old"})
    (home.cache / "a.mkv").write_bytes(b"changed here")
    (home.array / "a.mkv").write_bytes(b"and there, too")

    said = await home.restore("--json")

    assert said.code == 1
    assert "nobody can tell which is newer" in json.loads(said.out)["left"][0]["why"]
    assert home.tiers.on_array() == {"a.mkv": b"and there, too"}
    assert home.tiers.cached() == {"a.mkv": b"changed here"}


class TestOthersBackups:
    """What PlexCache-R has put aside: no manifest, no folder of ours, times that its copies may not have kept."""

    @pytest.fixture
    def home(self, tmp_path: Path, executor: ThreadPoolExecutor) -> Home:
        return Home(tmp_path, executor, serve="union", original="backup")

    def put(self, home: Home, copy: bytes | None, *, mtime_ns: int = LONG_AGO, original: bytes | None = None) -> None:
        home.tiers.film("a.mkv.plexcached", b"content")
        home.tiers.film("other.mkv", b"other")
        if original is not None:
            home.tiers.film("a.mkv", original)
        (home.cache / "other.mkv").touch()
        if copy is not None:
            (home.cache / "a.mkv").write_bytes(copy)
            os.utime(home.cache / "a.mkv", ns=(mtime_ns, mtime_ns))

    @pytest.mark.parametrize("later", [0, 1_000_000_000, -1_000_000_000])
    async def test_the_same_content_is_told_whatever_its_time(self, home: Home, later: int) -> None:
        self.put(home, b"content", mtime_ns=LONG_AGO + later)

        assert (await home.restore()).code == 0
        assert home.tiers.on_array() == {"a.mkv": b"content", "other.mkv": b"other"}
        assert home.tiers.cached() == {"other.mkv": b""}
        assert not (home.cache / OWN_FOLDER).exists()

    async def test_a_copy_of_the_same_size_and_an_older_time_that_is_another_file_stays(self, home: Home) -> None:
        self.put(home, b"CONTENT", mtime_ns=LONG_AGO - 1_000_000_000)

        assert (await home.restore()).code == 1
        assert home.tiers.on_array() == {"a.mkv.plexcached": b"content", "other.mkv": b"other"}
        assert home.tiers.cached() == {"a.mkv": b"CONTENT", "other.mkv": b""}

    async def test_without_its_copy_a_backup_comes_back(self, home: Home) -> None:
        self.put(home, None)

        assert (await home.restore()).code == 0
        assert home.tiers.on_array() == {"a.mkv": b"content", "other.mkv": b"other"}

    async def test_a_backup_beside_the_same_original_goes(self, home: Home) -> None:
        self.put(home, None, original=b"content")

        assert (await home.restore()).code == 0
        assert home.tiers.on_array() == {"a.mkv": b"content", "other.mkv": b"other"}

    async def test_a_backup_beside_another_original_is_kept_and_told(self, home: Home) -> None:
        self.put(home, None, original=b"upgraded")

        said = await home.restore("--json")
        assert said.code == 0
        assert [row["path"] for row in json.loads(said.out)["kept"]] == [str(home.array / "a.mkv")]
        assert home.tiers.on_array() == {
            "a.mkv": b"upgraded",
            "a.mkv.plexcached": b"content",
            "other.mkv": b"other",
        }


@pytest.mark.parametrize("cached", ["cached", "not cached"])
@pytest.mark.parametrize("placement", ["union+keep", "union+backup"])
async def test_an_original_is_never_replaced_by_a_backup_of_other_bytes(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str, cached: str
) -> None:
    home = Home(tmp_path, executor, **PLACEMENTS[NAMES.index(placement)])
    files = {"f.mkv": b"the original"} if cached == "cached" else {}
    await home.fill({"other.mkv": b"other", **files})
    if (home.array / "f.mkv.plexcached").exists():
        (home.array / "f.mkv.plexcached").rename(home.array / "f.mkv")
    home.tiers.film("f.mkv", b"the original")
    home.tiers.film("f.mkv.plexcached", b"the ROTTEN1l")

    for _ in range(2):
        said = await home.restore("--json")
        assert said.code == 1
        [left] = json.loads(said.out)["left"]
        assert left["path"] == str(home.array / "f.mkv")
        assert "f.mkv.plexcached has its size and time, but other bytes" in left["why"]
        assert home.tiers.on_array() == {
            "f.mkv": b"the original",
            "f.mkv.plexcached": b"the ROTTEN1l",
            "other.mkv": b"other",
        }


@pytest.mark.parametrize("times", ["the same time", "another time"])
async def test_a_backup_goes_where_the_original_and_the_copy_have_the_same_bytes(
    tmp_path: Path, executor: ThreadPoolExecutor, times: str
) -> None:
    home = Home(tmp_path, executor, serve="union", original="backup")
    await home.fill({"f.mkv": b"film"})
    home.lose_manifest()
    home.tiers.film("f.mkv", b"film")
    if times == "another time":
        os.utime(home.array / "f.mkv.plexcached", ns=(LONG_AGO + 5, LONG_AGO + 5))

    said = await home.restore("--json")

    assert (said.code, json.loads(said.out)["restored"]) == (0, 1)
    back(home, {"f.mkv": b"film"})


async def test_a_link_of_somebody_elses_is_never_replaced_by_a_backup(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    home = Home(tmp_path, executor, serve="union", original="backup")
    await home.fill({"other.mkv": b"other"})
    home.tiers.film("kept/f.mkv", b"film")
    home.tiers.film("f.mkv.plexcached", b"film")
    (home.array / "f.mkv").symlink_to("kept/f.mkv")

    said = await home.restore("--json")

    assert said.code == 1
    assert "a link of somebody else's" in json.loads(said.out)["left"][0]["why"]
    assert (home.array / "f.mkv").is_symlink()
    assert (home.array / "f.mkv.plexcached").read_bytes() == b"film"
