"""Tiers that tell no upper case from lower, know no links, attributes or owners, or keep coarse times.

Most of them need something that not every machine has; a test says what, where it is skipped.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.errors import Skipped
from daemon.storage import attributes, tree
from tests.support import placement
from tests.support.copying import CONTENT, Job
from tests.support.disks import disk
from tests.support.files import Tiers
from tests.support.needs import needs_root
from tests.support.placement import E1

pytestmark = needs_root
executor = placement.executor

POOR = ["vfat", "fusefat", "exfat"]
"""Kinds without links, attributes and owners."""
CASELESS = ["vfat", "exfat", "casefold"]


@contextmanager
def memory(point: Path, kind: str, options: str) -> Iterator[Path]:
    subprocess.run(["mount", "-t", kind, "-o", options, kind, str(point)], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", str(point)], check=True)


@pytest.fixture(params=POOR)
def poor(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Give a root on a file system that can do little."""
    point = tmp_path / "poor"
    point.mkdir()
    with disk(request.param, point) as found:
        yield found


@pytest.fixture
def rich(tmp_path: Path) -> Path:
    """Give a root with a folder and a film that have all that a copy can lose."""
    root = tmp_path / "rich"
    (root / "Show").mkdir(parents=True)
    (root / "Show/e1.mkv").write_bytes(CONTENT)
    for path in (root / "Show", root / "Show/e1.mkv"):
        os.setxattr(path, "user.rating", b"5")
        os.chown(path, 1234, 2345)
        path.chmod(0o4751)
    return root


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("size", [0, 1, 3_000_000])
async def test_the_bytes_arrive_both_ways(
    tmp_path: Path, poor: Path, executor: ThreadPoolExecutor, size: int, checked: bool
) -> None:
    there = Job(tmp_path, CONTENT[:size], target=poor / "copy", checked=checked)
    checksum = await there.run(executor)
    assert (poor / "copy").read_bytes() == CONTENT[:size]

    (poor / "copy").rename(poor / "source")
    back = Job(poor, None, target=tmp_path / "back", checked=checked)
    assert await back.run(executor) == checksum
    assert (tmp_path / "back").read_bytes() == CONTENT[:size]


@pytest.mark.parametrize("checked", [False, True])
async def test_a_sparse_file_arrives_with_its_holes_filled(
    tmp_path: Path, poor: Path, executor: ThreadPoolExecutor, checked: bool
) -> None:
    source = tmp_path / "source"
    source.write_bytes(CONTENT[:10_000])
    os.truncate(source, 5_000_001)
    job = Job(tmp_path, None, target=poor / "copy", checked=checked)

    await job.run(executor)

    assert (poor / "copy").read_bytes() == source.read_bytes()


def test_what_it_cannot_keep_is_named(poor: Path, rich: Path) -> None:
    with tree.folder(str(poor)) as folder:
        target = tree.new_temporary("a.part", folder)
    source = tree.open_file(str(rich), ("Show", "e1.mkv"))

    lost = attributes.keep(source, target)

    assert {"owner", "user.rating"} <= set(lost) <= {"owner", "user.rating", "mode"}
    os.close(source)
    os.close(target)


def test_folders_are_made_there_and_stay_because_they_bear_no_mark(poor: Path, rich: Path) -> None:
    with tree.made_folder(str(poor), ("Show",), str(rich)):
        assert [path.name for path in poor.iterdir()] == ["Show"]
    with tree.made_folder(str(poor), ("Show",), str(rich)):
        pass

    tree.remove_empty(str(poor), ("Show",))

    assert [path.name for path in poor.iterdir()] == ["Show"]


def test_a_temporary_file_is_claimed_and_a_probe_goes_again(poor: Path) -> None:
    with tree.probe_file(str(poor), "text") as name:
        assert (poor / name).read_text() == "text"
        with pytest.raises(BlockingIOError), tree.unclaimed(poor / name):
            pass

    assert list((poor / ".ondeckd").iterdir()) == []


def test_a_file_system_in_memory_without_attributes_names_them(tmp_path: Path, rich: Path) -> None:
    point = tmp_path / "memory"
    point.mkdir()
    with memory(point, "ramfs", "mode=700"):
        with tree.made_folder(str(point), ("Show",), str(rich)) as made, tree.folder(str(rich), ("Show",)) as twin:
            assert attributes.keep(twin, made) == ["user.rating"]
            assert (os.fstat(made).st_uid, os.fstat(made).st_mode) == (1234, os.fstat(twin).st_mode)
        tree.remove_empty(str(point), ("Show",))
        assert [path.name for path in point.iterdir()] == ["Show"]


def test_a_file_system_that_is_read_only_keeps_nothing_and_says_so(tmp_path: Path, rich: Path) -> None:
    point = tmp_path / "memory"
    point.mkdir()
    with (
        memory(point, "tmpfs", "ro"),
        tree.folder(str(point)) as target,
        tree.folder(str(rich), ("Show",)) as source,
        pytest.raises(OSError, match="Read-only file system"),
    ):
        attributes.keep(source, target)


@pytest.mark.parametrize("kind", CASELESS)
def test_a_folder_with_another_case_is_the_same_folder(tmp_path: Path, kind: str, rich: Path) -> None:
    point = tmp_path / "caseless"
    point.mkdir()
    with disk(kind, point):
        (point / "Films/SHOW").mkdir(parents=True)
        (point / "Films/SHOW/e1.mkv").touch()
        # The kernel remembers the name under which a folder was seen first.
        for root in (point / "Films", point / "films"):
            with tree.made_folder(str(root), ("Show",), str(rich)) as made, os.scandir(made) as found:
                assert [item.name for item in found] == ["e1.mkv"]
            assert [path.name.upper() for path in root.iterdir()] == ["SHOW"]


@pytest.mark.parametrize("tier", ["cache", "array"])
@pytest.mark.parametrize("kind", CASELESS)  # fusefat gives another time to what it renames
async def test_a_film_is_cached_and_leaves_again(
    tmp_path: Path, executor: ThreadPoolExecutor, kind: str, tier: str
) -> None:
    tiers = Tiers(tmp_path, executor)
    with disk(kind, getattr(tiers, tier)):
        file = tiers.film(E1, CONTENT)

        [entry] = await tiers.cache_in(file)
        assert tiers.cached() == {E1: CONTENT}
        assert await tiers.placement.stands(entry)

        await tiers.placement.evict(entry)
        assert tiers.cached() == {}
        assert tiers.on_array() == {E1: CONTENT}


@pytest.mark.parametrize("kind", CASELESS)
async def test_on_a_cache_without_case_the_second_of_two_films_is_left_alone(
    tmp_path: Path, executor: ThreadPoolExecutor, kind: str
) -> None:
    tiers = Tiers(tmp_path, executor)
    with disk(kind, tiers.cache):
        [first] = await tiers.cache_in(tiers.film("Show/e1.mkv", b"lower"))
        with pytest.raises(Skipped, match="is there already, not placed by ondeckd"):
            await tiers.cache_in(tiers.film("SHOW/E1.MKV", b"upper"))

        assert list(tiers.cached().values()) == [b"lower"]
        await tiers.placement.evict(first)
        assert tiers.cached() == {}
    assert tiers.on_array() == {"Show/e1.mkv": b"lower", "SHOW/E1.MKV": b"upper"}
