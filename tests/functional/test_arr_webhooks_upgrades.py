"""Sonarr replaces a cached file by a better one: it says so before, while, and after it is done."""

from __future__ import annotations

import pytest

from daemon.errors import SourceChanged
from tests.support import arr, outside, placement
from tests.support.changes import Arr
from tests.support.outside import E1, E2, NEW, OLD, Household, delete_in_view, move_over, stale

executor = placement.executor
everywhere = outside.everywhere
home = outside.home
one = pytest.mark.parametrize("home", ["symlink+backup"], indirect=True)

KEPT = "Show/Season 1/kept.mkv"
TV = "/data/tv"


@everywhere
async def test_an_upgrade_is_wanted_by_whoever_wanted_the_old_file_and_that_is_gone(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    await sonarr.demand()
    delete_in_view(home)
    move_over(home.original(E2), NEW)

    payload = arr.imported(f"{TV}/{E2}", len(NEW), arr.file(f"{TV}/{E1}", len(OLD)))
    assert await sonarr.says(payload) is None
    assert (await home.entries(), await sonarr.listed()) == ([], [E2])
    await home.look()
    await home.restart()
    assert home.names() == {home.original(E2)}
    assert home.tiers.cached() == {}


@everywhere
async def test_an_upgrade_waits_until_the_new_file_is_there_and_survives_a_restart(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    await sonarr.demand()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)

    payload = arr.imported(f"{TV}/{E2}", len(NEW), arr.file(f"{TV}/{E1}", len(OLD)))
    wait = await sonarr.says(payload)
    if home.kind == "union+keep":
        return  # nothing of it is left, so there is nothing to be proven
    assert wait == pytest.approx(5.0)
    assert len(await home.entries()) == 1

    sonarr.restart()
    move_over(home.original(E2), NEW)
    await sonarr.clock.sleep(5.0)
    assert await sonarr.changes.act() is None
    assert (await home.entries(), await sonarr.listed(), await sonarr.waiting()) == ([], [E2], [])


@everywhere
async def test_nothing_is_put_back_while_a_better_file_is_being_imported(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    await sonarr.demand()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)
    await sonarr.says(arr.deleted(f"{TV}/{E1}", len(OLD), "upgrade"))
    await home.look()
    await home.restart()
    if home.kind != "union+keep" and await home.entries():
        with pytest.raises(SourceChanged):
            await home.evict()
    assert home.shown() is None

    move_over(home.original(E2), NEW)
    await sonarr.says(arr.imported(f"{TV}/{E2}", len(NEW), arr.file(f"{TV}/{E1}", len(OLD))))
    await home.look()
    assert (home.names(), home.tiers.cached()) == ({home.original(E2), home.original(KEPT)}, {})


@pytest.mark.parametrize("home", ["union+backup", "symlink+remove"], indirect=True)
async def test_an_import_that_never_comes_lets_the_old_file_come_back(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)
    wait = await sonarr.says(arr.deleted(f"{TV}/{E1}", len(OLD), "upgrade"))
    assert wait
    await sonarr.clock.sleep(wait)
    assert await sonarr.changes.act() is None
    await home.look()
    await home.evict()
    assert home.shown() == OLD


@one
async def test_an_upgrade_into_the_recycle_bin_leaves_the_old_content_as_a_backup(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    delete_in_view(home)
    move_over(home.original(E2), NEW)
    old = arr.file(f"{TV}/{E1}", len(OLD), recycleBinPath="/bin/e1.mkv")
    await sonarr.says(arr.imported(f"{TV}/{E2}", len(NEW), old))
    assert await home.entries() == []
    assert home.names() == {home.original(E2), home.backup()}
