from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from daemon.storage.anchors import anchor_holds
from daemon.storage.probe import check_mapping
from daemon.storage.space import room
from tests.support.files import mapping


def check(root: Path, **settings: Any) -> dict[str, tuple[bool, str]]:
    """Return what `check` says: text without the temporary folder's name -> ok, level."""
    found = check_mapping(mapping(root, **settings))
    assert all(finding.text.startswith("TV: ") for finding in found)
    return {finding.text[4:].replace(str(root), ""): (finding.ok, finding.level) for finding in found}


GOOD = (True, "info")
BAD = (False, "error")
DOUBTFUL = (False, "warning")
READ = "mount it, let this user read it, or change array"
WRITE = "mount it, let this user write it, or change cache"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "array/Show").mkdir(parents=True)
    (tmp_path / "cache").mkdir()
    return tmp_path


def test_a_mapping_that_works_says_so_line_by_line(root: Path) -> None:
    found = check(root)

    assert found["array /array can be read"] == GOOD
    assert found["array is not empty"] == GOOD
    assert found["cache /cache can be written"] == GOOD
    assert any(text.startswith("cache has ") and " GB free of " in text for text in found)


def test_two_tiers_on_one_file_system_are_doubtful(root: Path) -> None:
    found = check(root)

    assert found["cache /cache is on the same file system as the array; is it mounted?"] == DOUBTFUL


def test_without_a_union_nothing_proves_what_plex_sees(root: Path) -> None:
    assert check(root)["no union is set, so nothing proves that Plex sees the cache's copies"] == DOUBTFUL


def test_a_union_that_shows_the_cache_is_good(root: Path) -> None:
    (root / "union").symlink_to("cache")

    assert check(root, union=f"{root}/union")["union /union shows the cache's files"] == GOOD


def test_a_union_that_does_not_show_the_cache_is_bad(root: Path) -> None:
    (root / "union").mkdir()

    found = check(root, union=f"{root}/union")

    assert found["union /union does not show the cache's files: No such file or directory; change union"] == BAD


def test_an_empty_array_is_bad(root: Path) -> None:
    (root / "array/Show").rmdir()

    assert check(root)["array /array is empty; mount it, or change array"] == BAD


def test_our_own_folder_does_not_make_an_array_look_mounted(root: Path) -> None:
    (root / "array/Show").rename(root / "array/.ondeckd")

    assert not anchor_holds(mapping(root))


def test_an_anchor_is_looked_for(root: Path) -> None:
    missing = "anchor mounted is missing below /array; mount the array, make the file, or change anchor"
    assert check(root, anchor="mounted")[missing] == BAD

    (root / "array/mounted").touch()
    assert check(root, anchor="mounted")["anchor mounted is there"] == GOOD


def test_missing_tiers_are_bad_and_are_not_made(tmp_path: Path) -> None:
    found = check(tmp_path)

    assert found == {
        f"array /array cannot be read: No such file or directory; {READ}": BAD,
        f"cache /cache cannot be written: No such file or directory; {WRITE}": BAD,
    }
    assert list(tmp_path.iterdir()) == []


def test_a_tier_that_is_a_file_is_bad(root: Path) -> None:
    (root / "cache").rmdir()
    (root / "cache").touch()

    assert check(root)[f"cache /cache cannot be written: Not a directory; {WRITE}"] == BAD


def test_an_array_that_shows_the_cache_is_bad(root: Path) -> None:
    (root / "array/Show").rename(root / "cache/Show")
    (root / "array").rmdir()
    (root / "array").symlink_to("cache")

    assert check(root)["array /array shows the cache's files; change array to the slow tier alone"] == BAD


@pytest.mark.parametrize("ours", [[], [".ondeckd"]])
def test_a_check_leaves_the_tiers_as_they_were(root: Path, ours: list[str]) -> None:
    for name in ours:
        (root / "cache" / name).mkdir()

    check(root, union=f"{root}/cache")

    assert [path.name for path in (root / "cache").iterdir()] == ours
    assert [path for name in ours for path in (root / "cache" / name).iterdir()] == []
    assert [path.name for path in (root / "array").iterdir()] == ["Show"]


def test_room_is_that_of_the_cache_for_those_who_are_not_root(root: Path) -> None:
    name, total, free = room(str(root / "cache"))
    found = os.statvfs(root)

    assert name == str(root.stat().st_dev)
    assert total == found.f_blocks * found.f_frsize
    assert 0 <= free <= found.f_bfree * found.f_frsize
