"""Sonarr and Radarr say what they did, and rows and copies follow: real files, store and custody, five placements."""

from __future__ import annotations

import pytest

from daemon.model import File
from tests.support import arr, outside, placement
from tests.support.changes import Arr
from tests.support.files import LONG_AGO
from tests.support.outside import (
    E1,
    E2,
    NEW,
    OLD,
    Household,
    delete_in_view,
    move_over,
    rename_in_view,
    snapshot,
    stale,
)

executor = placement.executor
everywhere = outside.everywhere
home = outside.home
one = pytest.mark.parametrize("home", ["symlink+backup"], indirect=True)

KEPT = "Show/Season 1/kept.mkv"
TV = "/data/tv"


@everywhere
async def test_what_sonarr_deleted_leaves_the_cache_for_good(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    await sonarr.demand()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)

    assert await sonarr.says(arr.deleted(f"{TV}/{E1}", len(OLD))) is None
    assert (await home.entries(), await sonarr.waiting(), await sonarr.listed()) == ([], [], [])
    await home.look()
    await home.restart()
    assert home.names() == {home.original(KEPT)}
    assert home.tiers.cached() == {}


@everywhere
async def test_a_renamed_file_stays_cached_under_its_new_name_for_the_same_people(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    await sonarr.demand(size=len(OLD))
    rename_in_view(home, E1, E2)

    assert await sonarr.says(arr.renamed((f"{TV}/{E1}", f"{TV}/{E2}"))) is None
    assert [entry.file.plex_path for entry in await home.entries()] == [f"{TV}/{E2}"]
    assert await sonarr.listed() == [E2]
    await home.look()
    await home.restart()
    assert (home.shown(E1), home.shown(E2), set(home.tiers.cached())) == (None, OLD, {E2})


@everywhere
async def test_a_whole_series_that_was_deleted_takes_all_its_copies_along(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    await home.cache(E2)
    stale(home.original("Showtime/e1.mkv"), b"another one")
    await home.cache("Showtime/e1.mkv")
    for name in (E1, E2):
        delete_in_view(home, name)

    await sonarr.says(arr.series_deleted(with_files=True))
    assert [entry.file.plex_path for entry in await home.entries()] == [f"{TV}/Showtime/e1.mkv"]
    assert set(home.tiers.cached()) == {"Showtime/e1.mkv"}
    assert home.names() == set()


@everywhere
@pytest.mark.parametrize("path", [TV, "/data", "/", f"{TV}/../tv/Show", f"{TV}/Show"])
async def test_a_series_that_is_still_there_loses_nothing_whatever_it_is_called(home: Household, path: str) -> None:
    sonarr = Arr(home)
    await home.cache()
    before = snapshot(home.tiers.array, home.tiers.cache)
    await sonarr.says(arr.series_deleted(with_files=True, path=path))
    assert snapshot(home.tiers.array, home.tiers.cache) == before
    assert (len(await home.entries()), await sonarr.waiting()) == (1, [])


@pytest.mark.parametrize("view", ["plex_path", "array_path", "cache_path"])
@one
async def test_a_path_may_be_that_of_any_tier(home: Household, view: str) -> None:
    sonarr = Arr(home)
    entry = await home.cache()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)
    await sonarr.says(arr.deleted(getattr(entry.file, view)))
    assert await home.entries() == []


@one
async def test_a_path_that_no_mapping_covers_is_told_of_once_and_nothing_is_guessed(
    home: Household,
) -> None:
    sonarr = Arr(home)
    await home.cache()
    await sonarr.demand()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)
    async with sonarr.feed.subscribe() as notices:
        for number in range(3):
            await sonarr.says(arr.deleted(f"/tv/Show/{number}/e1.mkv", len(OLD)))
            await sonarr.says(arr.renamed((f"/tv/Show/{number}/e1.mkv", f"/tv/{E2}")))
        await sonarr.says(arr.deleted(f"/elsewhere/{E1}", len(OLD)))
        sonarr.feed.publish("notice", {"level": "info", "text": "the end"})
        told = [(await anext(notices)).data["text"] for _ in range(3)]
    assert "/tv/Show" in told[0]
    assert "/elsewhere/Show" in told[1]
    assert told[2] == "the end"
    assert (len(await home.entries()), await sonarr.listed(), await sonarr.waiting()) == (1, [E1], [])


@one
async def test_a_deleted_file_of_another_size_is_not_the_one_that_is_cached(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)
    await sonarr.says(arr.deleted(f"{TV}/{E1}", len(OLD) + 1))
    assert len(await home.entries()) == 1
    assert home.backup().read_bytes() == OLD


@pytest.mark.parametrize("home", ["symlink+backup", "symlink+remove"], indirect=True)
@pytest.mark.parametrize("place", ["Show/pilot.mkv", "Elsewhere/Deep/er/pilot.mkv"])
async def test_a_link_that_somebody_has_moved_anywhere_keeps_what_sonarr_gives_up(home: Household, place: str) -> None:
    sonarr = Arr(home)
    await home.cache()
    moved = home.original(place)
    moved.parent.mkdir(parents=True, exist_ok=True)
    home.original(E1).rename(moved)

    await sonarr.says(arr.deleted(f"{TV}/{E1}", len(OLD)))
    better = home.original("Show/Season 1/better.mkv")
    better.parent.mkdir(parents=True, exist_ok=True)
    better.write_bytes(NEW)
    await sonarr.says(arr.imported(f"{TV}/Show/Season 1/better.mkv", len(NEW), arr.file(f"{TV}/{E1}", len(OLD))))

    assert moved.read_bytes() == OLD
    assert [entry.file.plex_path for entry in await home.entries()] == [f"{TV}/{E1}"]


@one
async def test_what_they_only_missed_stays(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)
    for reason in ("missingFromDisk", "noLinkedEpisodes", "manualOverride", "upgrade"):
        await sonarr.says(arr.deleted(f"{TV}/{E1}", len(OLD), reason))
    assert len(await home.entries()) == 1
    assert home.backup().read_bytes() == OLD


@one
async def test_an_array_that_is_not_there_makes_an_announcement_wait(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)
    back = outside.away(home.tiers.array)
    assert await sonarr.says(arr.deleted(f"{TV}/{E1}")) == pytest.approx(5.0)
    for wait in (10.0, 20.0, 40.0):
        await sonarr.clock.sleep(wait / 2)
        assert await sonarr.changes.act() == pytest.approx(wait)
    assert len(await home.entries()) == 1

    back()
    await sonarr.clock.sleep(40.0)
    assert await sonarr.changes.act() is None
    assert await home.entries() == []


@one
async def test_what_can_never_be_followed_is_given_up_after_some_hours(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    delete_in_view(home)
    stale(home.original(KEPT), b"so that the array is not empty")
    wait = await sonarr.says(arr.imported(f"{TV}/{E2}", len(NEW), arr.file(f"{TV}/{E1}", len(OLD))))
    began = sonarr.clock.now()
    while wait is not None:
        await sonarr.clock.sleep(wait)
        wait = await sonarr.changes.act()
    assert 3_600 < sonarr.clock.now() - began < 86_400
    assert await sonarr.waiting() == []
    assert home.backup().read_bytes() == OLD


@everywhere
async def test_a_file_that_was_copied_and_deleted_instead_of_renamed_does_not_come_back(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    await sonarr.demand(size=len(OLD))
    delete_in_view(home)
    move_over(home.original(E2), OLD)

    assert await sonarr.says(arr.renamed((f"{TV}/{E1}", f"{TV}/{E2}"))) is None
    await home.look()
    await home.restart()
    assert (await home.entries(), await sonarr.listed()) == ([], [E2])
    assert (home.names(), home.tiers.cached()) == ({home.original(E2)}, {})


@everywhere
async def test_a_renaming_that_did_not_happen_changes_no_file(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    before = snapshot(home.tiers.array, home.tiers.cache)
    wait = await sonarr.says(arr.renamed((f"{TV}/{E1}", f"{TV}/{E2}")))
    while wait is not None:
        await sonarr.clock.sleep(wait)
        wait = await sonarr.changes.act()
    assert snapshot(home.tiers.array, home.tiers.cache) == before
    assert (home.shown(), len(await home.entries()), await sonarr.waiting()) == (OLD, 1, [])


@one
async def test_a_renaming_of_what_is_not_cached_changes_rows_alone(home: Household) -> None:
    sonarr = Arr(home)
    file: File = home.tiers.film(E1, OLD, mtime_ns=LONG_AGO)
    await sonarr.demand(size=len(OLD))
    before = len(home.tiers.touches)
    await sonarr.says(arr.renamed((file.plex_path, f"{TV}/{E2}")))
    assert await sonarr.listed() == [E2]
    assert len(home.tiers.touches) == before
