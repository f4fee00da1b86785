"""Sonarr, Plex or the user delete or rename a file that is cached: what has another name by then is left alone."""

from __future__ import annotations

import pytest

from tests.support import outside, placement
from tests.support.outside import (
    E1,
    E2,
    NEW,
    OLD,
    PLACEMENTS,
    UNIONS,
    Household,
    delete_in_view,
    move_over,
    rename_in_view,
    stale,
)

executor = placement.executor
everywhere = outside.everywhere
home = outside.home


@everywhere
async def test_what_is_deleted_in_plex_is_gone_for_good_only_where_nothing_else_has_it(home: Household) -> None:
    await home.cache()
    stale(home.original(E2), b"so that the array is not empty")
    delete_in_view(home)
    assert home.shown() is None
    await home.look()
    await home.restart()

    if home.links:
        assert len(await home.entries()) == 1
        await home.evict()
    assert home.shown() == (None if home.kind in {"union+keep", "union+remove"} else OLD)
    assert await home.entries() == []
    assert not home.copy().exists()
    assert not home.backup().exists()


@pytest.mark.parametrize("home", UNIONS, indirect=True)
async def test_a_file_renamed_in_a_union_plays_under_its_new_name(home: Household) -> None:
    await home.cache()
    rename_in_view(home, E1, E2)
    await home.look()
    await home.restart()

    assert home.shown(E2) == OLD
    # A copy that has gone from its name may have been deleted, so its backup comes back.
    assert home.shown(E1) == (OLD if home.kind == "union+backup" else None)
    assert await home.entries() == []


@pytest.mark.parametrize("home", PLACEMENTS[3:], indirect=True)
async def test_a_renamed_link_is_replaced_by_the_file_under_its_new_name(home: Household) -> None:
    await home.cache()
    rename_in_view(home, E1, E2)
    await home.look()
    await home.restart()
    assert (home.shown(E1), home.shown(E2)) == (None, OLD)

    await home.evict()
    assert (home.original(E2).is_symlink(), home.shown(E1), home.shown(E2)) == (False, None, OLD)
    assert home.names() == {home.original(E2)}
    assert not home.copy().exists()
    assert await home.entries() == []


@everywhere
async def test_an_upgrade_with_another_name_is_left_alone(home: Household) -> None:
    await home.cache()
    delete_in_view(home)
    move_over(home.copy(E2) if home.kind.startswith("union") else home.original(E2), NEW)
    await home.look()
    await home.restart()

    assert home.shown(E2) == NEW
    assert home.shown() in (None, OLD)
