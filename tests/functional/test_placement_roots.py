"""Tiers that are away, not mounted, one inside the other, or moved."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import AnchorMissing, TierUnavailable, UnsafeEvict
from daemon.model import Entry
from daemon.storage.paths import OWN_FOLDER
from tests.support import placement
from tests.support.files import Tiers
from tests.support.placement import E1, known

executor = placement.executor
tiers = placement.tiers


async def test_an_array_without_its_anchor_is_not_read(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor, anchor=".mounted")
    file = tiers.film()

    with pytest.raises(AnchorMissing, match=r"TV: \.mounted is missing below .*; is the array mounted\?"):
        await tiers.cache_in(file)

    (tiers.array / ".mounted").touch()
    [entry] = await tiers.cache_in(file)
    (tiers.array / ".mounted").unlink()
    with pytest.raises(AnchorMissing):
        await tiers.placement.evict(entry)
    assert tiers.cached() == {E1: b"film"}


async def test_an_array_that_vanished_costs_no_copy(tiers: Tiers) -> None:
    file = tiers.film()
    [entry] = await tiers.cache_in(file)
    tiers.array.rename(tiers.array.with_name("unmounted"))

    for mounted in (False, True):
        if mounted:
            tiers.array.mkdir()
        with pytest.raises(AnchorMissing, match="is empty; is the array mounted"):
            await tiers.cache_in(tiers.file("e2.mkv"))
        with pytest.raises(AnchorMissing):
            await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"film"}


async def test_a_cache_that_is_not_there_is_unavailable_and_is_not_made(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.cache.rmdir()

    with pytest.raises(TierUnavailable):
        await tiers.cache_in(file)

    assert not tiers.cache.exists()


async def test_an_unmounted_cache_does_not_look_like_an_empty_one(tiers: Tiers) -> None:
    file = tiers.film()
    entries = await tiers.cache_in(file)
    tiers.cache.rename(tiers.cache.with_name("unmounted"))
    tiers.cache.mkdir()

    with pytest.raises(TierUnavailable, match="is it mounted"):
        await tiers.placement.evict(entries[0])
    with pytest.raises(TierUnavailable, match="is it mounted"):
        await tiers.cache_in(file, known=known(entries))
    with pytest.raises(TierUnavailable, match="is it mounted"):
        await tiers.cache_in(file, used=True)
    with pytest.raises(TierUnavailable, match="is it mounted"):
        await tiers.placement.stands(entries[0])

    assert tiers.cached() == {}


async def test_an_array_that_shows_the_cache_proves_nothing(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor)
    [entry] = await tiers.cache_in(tiers.film())
    tiers.array.rename(tiers.array.with_name("disks"))
    tiers.array.symlink_to(tiers.cache)

    with pytest.raises(TierUnavailable, match="must be the slow tier alone"):
        await tiers.placement.evict(entry)
    with pytest.raises(TierUnavailable, match="must be the slow tier alone"):
        await tiers.cache_in(tiers.file("e2.mkv"))

    assert tiers.cached() == {E1: b"film"}


async def test_the_union_must_show_the_original_before_a_copy_is_made(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers = Tiers(tmp_path, executor, union=f"{tmp_path}/union")
    file = tiers.film()

    with pytest.raises(TierUnavailable, match="No such file"):
        await tiers.cache_in(file)
    (tmp_path / "union/Show/Season 1").mkdir(parents=True)
    (tmp_path / "union" / E1).write_bytes(b"another film")
    with pytest.raises(TierUnavailable, match="the union is not right"):
        await tiers.cache_in(file)

    assert tiers.cached() == {}
    assert ("read", "cache_in") not in tiers.touches


async def test_a_copy_that_the_union_does_not_show_is_taken_back(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor, union=f"{tmp_path}/union")
    file = tiers.film()
    shutil.copytree(tiers.array, tmp_path / "union")

    async def publishing(_entry: Entry) -> None:
        (tmp_path / "union" / E1).unlink()

    with pytest.raises(TierUnavailable):
        await tiers.cache_in(file, publishing=publishing)

    assert tiers.cached() == {}


@pytest.mark.parametrize("changed", ["cache", "array"])
async def test_a_copy_below_roots_that_the_mapping_had_once_is_neither_claimed_nor_forgotten(
    tiers: Tiers, changed: str
) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    new = tiers.array.parent / "new"
    (new / OWN_FOLDER).mkdir(parents=True)
    roots: dict[str, Any] = {changed: str(new)}
    moved = Tiers(tiers.array.parent, tiers.executor, **roots)

    for question in (moved.placement.evict, moved.placement.stands):
        with pytest.raises(UnsafeEvict, match=f"^{entry.file.cache_path} stays .* set the mapping back, or remove"):
            await question(entry)

    assert tiers.cached() == tiers.on_array() == {E1: b"film"}
    (tiers.cache / E1).unlink()
    assert await moved.placement.gone([entry]) == [entry]


async def test_roots_that_move_together_by_a_folder_keep_their_copies(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    deeper: dict[str, Any] = {"array": f"{tiers.array}/Show", "cache": f"{tiers.cache}/Show", "plex": "/data/tv/Show"}

    await Tiers(tiers.array.parent, tiers.executor, **deeper).placement.evict(entry)

    assert tiers.cached() == {}


async def test_a_copy_that_moved_with_nothing_but_the_array_s_root_is_not_called_gone(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    moved = Tiers(tiers.array.parent, tiers.executor, array=f"{tiers.array}/Show")

    with pytest.raises(UnsafeEvict, match="other roots"):
        await moved.placement.evict(entry)
