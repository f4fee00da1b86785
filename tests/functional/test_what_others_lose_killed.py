"""Kills, and disks that fill up, in the middle of a copy: where the one good file is lost by those who trust names."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.errors import NoSpace
from tests.support import placement
from tests.support.bad_input import fill, leftovers, memory_disk
from tests.support.killed import actor
from tests.support.needs import needs_root, needs_strace
from tests.support.outside import E1, PLACEMENTS, SOME, Household, household, stale

executor = placement.executor
CONTENT = os.urandom(6_000_000)
everywhere = pytest.mark.parametrize("kind", PLACEMENTS)


@needs_strace
@pytest.mark.parametrize("kind", SOME)
def test_the_good_original_is_not_replaced_by_a_truncated_copy_after_a_kill(tmp_path: Path, kind: str) -> None:
    original, copy = tmp_path / "array" / E1, tmp_path / "cache" / E1
    stale(original, CONTENT)

    actor(tmp_path, kind, "cache_in", E1, kill="copy_file_range")
    assert [path.stat().st_size for path in leftovers(tmp_path / "cache")] == [1 << 20]
    assert not copy.exists()
    assert original.read_bytes() == CONTENT

    # First it is still wanted; then it was watched and goes back.
    said = actor(tmp_path, kind, "recover", "evict", E1, "cache_in", E1, "evict", E1)
    assert said == ["done recover", "done evict", "done cache_in", "done evict"]
    assert (original.is_symlink(), original.read_bytes()) == (False, CONTENT)
    assert list(original.parent.iterdir()) == [original]
    assert not copy.exists()


@needs_strace
@pytest.mark.parametrize("kind", SOME)
def test_the_only_complete_copy_survives_a_copy_to_the_array_that_was_killed(tmp_path: Path, kind: str) -> None:
    original, copy = tmp_path / "array" / E1, tmp_path / "cache" / E1
    stale(original, CONTENT)
    stale(original.with_name("other"), b"so that the array is not empty")
    actor(tmp_path, kind, "cache_in", E1)
    _leave_only_the_copy(original)

    actor(tmp_path, kind, "evict", E1, kill="copy_file_range")
    assert copy.read_bytes() == CONTENT
    assert not original.is_file() or original.is_symlink()
    assert [path.stat().st_size for path in leftovers(tmp_path / "array")] == [1 << 20]

    assert actor(tmp_path, kind, "recover", "evict", E1) == ["done recover", "done evict"]
    assert (original.is_symlink(), original.read_bytes()) == (False, CONTENT)
    assert leftovers(tmp_path) == []
    assert not copy.exists()


def _leave_only_the_copy(original: Path) -> None:
    """Delete what an original was put aside as; a link stays."""
    original.with_name(f"{original.name}.plexcached").unlink(missing_ok=True)
    if not original.is_symlink():
        original.unlink(missing_ok=True)


@needs_root
@everywhere
@pytest.mark.parametrize("full", ["from the start", "after a while"])
async def test_the_only_complete_copy_survives_a_copy_to_the_array_that_ran_out_of_space(
    tmp_path: Path, executor: ThreadPoolExecutor, kind: str, full: str
) -> None:
    array = tmp_path / "array"
    array.mkdir()
    with memory_disk(array, "8M"):
        # So slow that the disk can fill up between two slices.
        async with household(tmp_path, executor, kind, transfer={"rate_limit": "40MB"}) as home:
            await _evict_to_a_full_disk(home, full)


async def _evict_to_a_full_disk(home: Household, full: str) -> None:
    await home.cache(E1, CONTENT)
    _leave_only_the_copy(home.original())
    filler = home.tiers.array / "filler"
    filler.touch()
    seen = []

    def progress(done: int, total: int) -> None:
        seen.append(done)
        if 0 < done < total and filler.stat().st_size == 0:
            fill(filler)

    if full == "from the start":
        fill(filler)
    for _ in range(2):  # the second time is where the rest of the first would be taken for the original
        with pytest.raises(NoSpace):
            await home.custody.evict(str(home.original()), progress)
        assert home.copy().read_bytes() == CONTENT
        assert home.original().is_symlink() or not home.original().exists()
        assert leftovers(home.tiers.array) == []
    assert bool(seen) == (full == "after a while")
    await home.restart()
    assert home.shown() == CONTENT

    filler.unlink()
    await home.evict()
    assert (home.original().is_symlink(), home.shown()) == (False, CONTENT)
    assert not home.copy().exists()


@needs_root
@everywhere
async def test_a_cache_that_runs_full_costs_neither_the_original_nor_its_name(
    tmp_path: Path, executor: ThreadPoolExecutor, kind: str
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    with memory_disk(cache, "8M"):
        async with household(tmp_path, executor, kind, transfer={"rate_limit": "40MB"}) as home:
            file = home.tiers.film(E1, CONTENT)

            def progress(done: int, _total: int) -> None:
                if done:
                    fill(cache / "filler")

            with pytest.raises(NoSpace):
                await home.custody.cache_in(file, progress)
            assert (home.original().is_symlink(), home.shown()) == (False, CONTENT)
            assert home.names() == {home.original()}
            assert not home.copy().exists()
            with pytest.raises(NoSpace):
                await home.cache()
            (cache / "filler").unlink()
            await home.cache()
            assert home.copy().read_bytes() == CONTENT
