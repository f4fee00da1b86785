"""Each key of [space] and [retention] at one value and at another, in whole daemons."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.model import TaskState
from tests.support.bad_input import memory_disk
from tests.support.daemon import merged
from tests.support.flips import DAY, SOON, Flip, Stage, at, each, each_key, from_the_start, playing, while_it_runs
from tests.support.needs import needs_root
from tests.support.reloads import change

LISTS = {"watchlist": {"enabled": True}}
ALL = {"m1", "m2", "m3"}


def _films_are_listed(house: Stage) -> None:
    """Have three films listed, the first one last."""
    for number, name in enumerate(sorted(ALL)):
        house.listed("Ann", name, days=1 + 20 * number)


FLIPS = [
    Flip("space.limit", {"100%": ALL, "1KB": set()}, _films_are_listed, LISTS),
    Flip("space.min_free", {"0": ALL, "100%": set()}, _films_are_listed, LISTS),
    Flip("space.quota", {"0": ALL, "250KB": {"m1", "m2"}, "1KB": set()}, _films_are_listed, LISTS),
]


@each(FLIPS)
async def test_as_much_is_cached_as_space_allows(tmp_path: Path, flip: Flip, step: tuple[Any, set[str]]) -> None:
    await from_the_start(tmp_path, flip, step)


@pytest.mark.long
@each_key(FLIPS)
async def test_a_changed_key_of_space_counts_at_once(tmp_path: Path, flip: Flip) -> None:
    await while_it_runs(tmp_path, flip)


@needs_root
@pytest.mark.parametrize(("evict_to", "stay"), [("250KB", 2), ("150KB", 1), ("50KB", 0)])
async def test_where_a_lower_limit_is_passed_evict_to_says_how_much_stays(
    tmp_path: Path, evict_to: str, stay: int
) -> None:
    settings = merged(SOON, LISTS | {"retention": {"after_stopped": "7d"}})
    with memory_disk(tmp_path / "cache" / "Movies", "1m"):
        async with playing(tmp_path, _films_are_listed, **settings) as house:
            await house.shows(ALL)
            for movie in house.library.movies:
                await house.post("/api/v1/cache", {"target": movie})
            await change(house, watchlist={"enabled": False}, space={"limit": "350KB", "evict_to": "300KB"})
            await house.calm()
            assert house.cached() == ALL
            await change(house, space={"limit": "290KB", "evict_to": evict_to})
            await house.until_so(lambda: _has_left(house, 3 - stay))


async def _has_left(house: Stage, count: int) -> bool:
    await house.calm()
    return len(ALL - house.cached()) == count and not await house.tasks(TaskState.QUEUED, TaskState.RUNNING)


@pytest.mark.parametrize(("until_needed", "left"), [(True, ALL), (False, set[str]())])
async def test_until_needed_decides_whether_what_nobody_wants_stays(
    tmp_path: Path, until_needed: bool, left: set[str]
) -> None:
    async with playing(tmp_path, _films_are_listed, **merged(SOON, LISTS)) as house:
        await house.shows(ALL)
        since = house.clock.now()
        await change(house, watchlist={"enabled": False}, retention={"until_needed": until_needed})
        await house.shows(left, since=since)

        since = house.clock.now()
        await change(house, retention={"until_needed": False})
        await house.shows(set(), since=since)


@pytest.mark.parametrize(("min_stay", "left"), [("30d", ALL), ("0", set[str]())])
async def test_min_stay_decides_whether_what_nobody_wants_stays(tmp_path: Path, min_stay: str, left: set[str]) -> None:
    async with playing(tmp_path, _films_are_listed, **merged(SOON, LISTS)) as house:
        await house.shows(ALL)
        since = house.clock.now()
        await change(house, watchlist={"enabled": False}, retention={"min_stay": min_stay})
        await house.shows(left, since=since)

        since = house.clock.now()
        await change(house, retention={"min_stay": "0"})
        await house.shows(set(), since=since)


PLAYS = {"playback": {"min_play": "0"}, "retention": {"min_stay": "0", "after_watched": "1d", "after_stopped": "1d"}}


async def _play(house: Stage, name: str, share: float) -> float:
    """Have somebody watch so much of a film, and return when it ended."""
    session = await house.plex.engine.play("Ann", house.key(name))
    await house.until(lambda: name in house.cached())
    await house.quiet()
    await house.plex.engine.advance(session, share * house.library[house.key(name)].seconds)
    at = house.clock.now()
    await house.plex.engine.stop(session)
    await house.until_so(lambda: _nobody_plays(house))
    return at


async def _nobody_plays(house: Stage) -> bool:
    return not (await house.get("/api/v1/sessions"))["total"]


async def _stays_for(house: Stage, name: str, days: float, since: float) -> None:
    """See that a film stays for so many days at least, and no hour longer."""
    if not days:
        await house.until(lambda: name not in house.cached())
        return
    await house.calm()
    await house.quiet()
    assert name in house.cached()
    path = house.library[house.key(name)].parts[0].file
    (row,) = [row for row in (await house.get("/api/v1/files"))["items"] if row["plex_path"] == path]
    until = datetime.fromisoformat(row["retained_until"]).timestamp()
    assert days * DAY <= until - since < days * DAY + 3600


@pytest.mark.parametrize(("key", "share"), [("after_watched", 0.95), ("after_stopped", 0.4)])
async def test_how_a_play_ended_decides_how_long_its_file_stays(tmp_path: Path, key: str, share: float) -> None:
    """Each value counts for the plays that end while it is in force."""
    async with playing(tmp_path, lambda _: None, **merged(merged(SOON, PLAYS), at(f"retention.{key}", "30d"))) as house:
        await _stays_for(house, "m1", 30, await _play(house, "m1", share))
        for name, value, days in (("m2", "2d", 2), ("m3", "0", 0)):
            await change(house, retention={key: value})
            await _stays_for(house, name, days, await _play(house, name, share))
        assert house.cached() == {"m1", "m2"}
