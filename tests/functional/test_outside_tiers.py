"""A cache that dies, comes back empty or as it was, an array that is not mounted: all waits or comes back."""

from __future__ import annotations

import pytest

from daemon.errors import AnchorMissing, StorageError, TierUnavailable, UnsafeEvict
from daemon.model import Goal
from daemon.storage.paths import OWN_FOLDER
from tests.support import outside, placement
from tests.support.outside import (
    E1,
    E2,
    NEW,
    OLD,
    PLACEMENTS,
    REMOVED,
    Household,
    away,
    move_over,
    new_disk,
    snapshot,
)

executor = placement.executor
everywhere = outside.everywhere
home = outside.home


@everywhere
async def test_while_the_cache_is_not_mounted_nothing_is_touched_and_then_all_goes_on(home: Household) -> None:
    await home.cache()
    entries = await home.entries()
    back = away(home.tiers.cache)
    before = snapshot(home.tiers.array)
    await home.look()
    await home.restart()
    assert home.shown() == (OLD if home.kind == "union+keep" else None)
    with pytest.raises(TierUnavailable):
        await home.evict()
    with pytest.raises(TierUnavailable):
        await home.cache(E2, NEW)

    home.original(E2).unlink()
    assert {path: seen[3] for path, seen in snapshot(home.tiers.array).items()} == {
        path: seen[3] for path, seen in before.items()
    }
    assert list(home.tiers.cache.iterdir()) == []
    assert await home.entries() == entries

    back()
    await home.restart()
    assert home.shown() == OLD
    await home.evict()
    assert home.original().read_bytes() == OLD


@everywhere
@pytest.mark.parametrize("running", [True, False])
async def test_a_new_cache_in_the_place_of_a_dead_one_brings_every_backup_back(home: Household, running: bool) -> None:
    for name in (E1, E2):
        await home.cache(name, OLD)
    new_disk(home.tiers.cache)
    await (home.look() if running else home.restart())

    if home.kind in REMOVED:
        # Gone with the only disk that had them; a link that is left says so.
        assert home.shown() is home.shown(E2) is None
        assert len(await home.entries()) == (2 if home.links else 0)
        return
    assert home.shown() == home.shown(E2) == OLD
    assert home.names() == {home.original(), home.original(E2)}
    assert await home.entries() == []
    await home.cache()
    assert home.copy().read_bytes() == OLD


@everywhere
async def test_a_cache_that_comes_back_after_another_stood_in_its_place_is_known_again(home: Household) -> None:
    await home.cache()
    new_disk(home.tiers.cache)
    await home.look()
    home.tiers.cache.rename(home.tiers.cache.with_name("new"))
    home.tiers.cache.with_name("cache.dead").rename(home.tiers.cache)
    await home.restart()

    assert home.shown() == OLD
    assert len(await home.entries()) == 1
    await home.evict()
    assert home.original().read_bytes() == OLD
    assert home.names() == {home.original()}
    assert not home.copy().exists()


@everywhere
async def test_what_was_fetched_anew_while_the_cache_was_away_wins_over_what_comes_back_with_it(
    home: Household,
) -> None:
    await home.cache()
    back = away(home.tiers.cache)
    move_over(home.original(), NEW)
    await home.restart()
    assert home.original().read_bytes() == NEW

    back()
    await home.restart()
    await home.evict()

    assert (home.shown(), home.backup().read_bytes()) == (NEW, OLD)
    assert not home.copy().exists()


@everywhere
async def test_a_mover_that_took_all_with_it_is_settled_once_the_cache_has_its_mark_again(home: Household) -> None:
    await home.cache()
    own = home.tiers.cache / OWN_FOLDER
    placement_of = home.copy().stat().st_mtime_ns
    home.original().unlink(missing_ok=True)
    home.copy().rename(home.original())
    home.copy().parent.rmdir()
    own.rename(home.tiers.array / OWN_FOLDER)
    await home.restart()
    assert home.shown() == OLD
    assert len(await home.entries()) == 1

    own.mkdir()
    await home.look()
    assert home.original().stat().st_mtime_ns == placement_of
    assert home.names() == {home.original()}
    assert await home.entries() == []


@everywhere
async def test_nothing_is_cached_from_an_array_that_is_not_mounted(home: Household) -> None:
    file = home.tiers.film(E1, OLD)
    back = away(home.tiers.array)

    with pytest.raises(AnchorMissing, match="is the array mounted"):
        await home.custody.cache_in(file)

    assert home.tiers.cached() == {}
    assert list(home.tiers.array.iterdir()) == []
    back()
    await home.cache()
    assert home.shown() == home.copy().read_bytes() == OLD


@everywhere
async def test_nothing_leaves_the_cache_for_an_array_that_is_not_mounted(home: Household) -> None:
    await home.cache()
    back = away(home.tiers.array)
    await home.look()

    with pytest.raises(AnchorMissing, match="is the array mounted"):
        await home.evict()

    assert home.copy().read_bytes() == OLD
    assert list(home.tiers.array.iterdir()) == []
    back()
    await home.evict()
    assert home.original().read_bytes() == OLD


@everywhere
@pytest.mark.parametrize("goal", list(Goal))
async def test_a_recovery_waits_for_an_array_that_is_not_mounted(home: Household, goal: Goal) -> None:
    entry = await home.cache()
    await home.interrupted(entry, "hide", goal)
    back = away(home.tiers.array)
    await home.restart()
    assert [intent.entry for intent in await home.under_way()] == [entry]
    assert home.copy().read_bytes() == OLD

    back()
    await home.restart()
    assert await home.under_way() == []
    assert home.shown() == OLD
    await home.evict()
    assert home.names() == {home.original()}


@pytest.mark.parametrize("home", PLACEMENTS[1:], indirect=True)
async def test_a_copy_that_vanishes_while_the_array_is_not_mounted_is_settled_when_it_is(home: Household) -> None:
    await home.cache()
    home.copy().unlink()
    back = away(home.tiers.array)
    await home.look()
    assert len(await home.entries()) == 1
    with pytest.raises((StorageError, UnsafeEvict)):
        await home.evict()

    back()
    await home.look()
    assert home.shown() == (None if home.kind in REMOVED else OLD)
    assert len(await home.entries()) == (home.kind == "symlink+remove")
