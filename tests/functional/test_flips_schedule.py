"""Each key of [schedule], and trending.refresh, at one value and at another, in whole daemons."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.planning.waiting import LONGEST_WAIT
from tests.support.daemon import merged
from tests.support.flips import SOON, Flip, Stage, each, each_key, from_the_start, playing, while_it_runs
from tests.support.reloads import change
from tests.support.turned import TurnedClock

HOUR = 3600.0
STEP = HOUR + 120
"""An hour, and more than an installation's own minute of delay."""
MIDNIGHT = datetime(2027, 1, 15).timestamp()  # noqa: DTZ001 - local time is what the settings name
LISTS = {"watchlist": {"enabled": True}}
SLEEPS = {"schedule": {"spin_down": "30m"}}


def _window(opens: int, closes: int) -> str:
    """Return a span so many hours from now, in local time."""
    now = datetime.now().astimezone()
    return f"{now + timedelta(hours=opens):%H:%M}-{now + timedelta(hours=closes):%H:%M}"


def _a_film_is_listed(house: Stage) -> None:
    # What was listed lately would wake a disk.
    house.listed("Ann", "m1", days=30)


FLIPS = [
    Flip(
        "schedule.spin_down",
        {"30m": set(), "0": {"m1"}},
        _a_film_is_listed,
        LISTS,
        back=False,
        waiting=frozenset({"m1"}),
        later=True,
    ),
    Flip(
        "schedule.array_window",
        [("", set()), (_window(6, 8), set()), (_window(-1, 3), {"m1"})],
        _a_film_is_listed,
        LISTS | SLEEPS,
        back=False,
        waiting=frozenset({"m1"}),
        later=True,
    ),
]


@each(FLIPS)
async def test_what_is_not_urgent_waits_as_the_keys_say(tmp_path: Path, flip: Flip, step: tuple[Any, set[str]]) -> None:
    await from_the_start(tmp_path, flip, step)


@pytest.mark.long
@each_key(FLIPS)
async def test_a_changed_key_of_the_schedule_counts_at_once(tmp_path: Path, flip: Flip) -> None:
    await while_it_runs(tmp_path, flip)


def _clock(house: Stage) -> TurnedClock:
    assert isinstance(house.clock, TurnedClock)
    return house.clock


async def _reads_in(house: Stage, steps: Collection[int], of: int) -> None:
    """Turn the clock by so many steps, and see that the sources are read in these of them alone."""
    begun = house.clock.now()

    async def read() -> bool:
        return await house.refreshed() == house.clock.now()

    for number in range(1, of + 1):
        _clock(house).turn(begun + number * STEP)
        if number in steps:
            await house.until_so(read)
        else:
            await house.calm()
            assert not await read()


@pytest.mark.parametrize(
    ("schedule", "steps"),
    [
        ({"refresh": "1h"}, {1, 2, 3, 4, 5, 6, 7}),
        ({"refresh": "3h"}, {3, 6}),
        ({"refresh": "0"}, set[int]()),
        ({"refresh": "1h", "cron": "15 3,5 * * *"}, {4, 6}),
        ({"refresh": "0", "cron": "45 6 * * *"}, {7}),
    ],
    ids=str,
)
async def test_all_is_read_when_refresh_and_cron_say(tmp_path: Path, schedule: dict[str, str], steps: set[int]) -> None:
    async with playing(tmp_path, lambda _: None, clock=TurnedClock(MIDNIGHT), schedule=schedule) as house:
        await house.shows(set())
        await _reads_in(house, steps, of=7)


async def test_a_changed_refresh_or_cron_counts_from_then_on(tmp_path: Path) -> None:
    async with playing(tmp_path, lambda _: None, clock=TurnedClock(MIDNIGHT), schedule={"refresh": "12h"}) as house:
        await house.shows(set())
        await _reads_in(house, (), of=1)
        for schedule, steps in (({"refresh": "1h"}, {1, 2}), ({"cron": "30 4 * * *"}, {2}), ({"cron": ""}, {1, 2})):
            _clock(house).turn(house.clock.now() + 1)
            await change(house, schedule=schedule)
            await house.shows(set(), since=house.clock.now() - 1)
            await _reads_in(house, steps, of=2)


@pytest.mark.parametrize(("window", "hours"), [("", LONGEST_WAIT / HOUR), ("02:00-06:00", 2.0), ("21:30-23:00", 21.5)])
async def test_what_waits_is_copied_when_the_window_opens_or_after_days(
    tmp_path: Path, window: str, hours: float
) -> None:
    settings = merged(merged(SOON, LISTS), merged(SLEEPS, {"schedule": {"array_window": window}}))
    async with playing(tmp_path, lambda _: None, clock=TurnedClock(MIDNIGHT - HOUR), **settings) as house:
        await house.shows(set())
        _clock(house).turn(MIDNIGHT)
        _a_film_is_listed(house)
        await house.post("/api/v1/refresh")
        await house.shows(set(), waiting={"m1"}, since=MIDNIGHT - 1)
        _clock(house).turn(MIDNIGHT + hours * HOUR - 1)
        await house.calm()
        assert house.cached() == set()
        _clock(house).turn(MIDNIGHT + hours * HOUR)
        await house.calm()
        # Who reckoned just before the clock was turned still waits for that second.
        _clock(house).turn(MIDNIGHT + hours * HOUR + 2)
        await house.until(lambda: house.cached() == {"m1"})
        await house.quiet()


@pytest.mark.parametrize(("window", "waits"), [("", False), ("02:00-06:00", True)])
async def test_shortly_after_a_start_nothing_waits_unless_there_is_a_window(
    tmp_path: Path, window: str, waits: bool
) -> None:
    settings = merged(merged(SOON, LISTS), merged(SLEEPS, {"schedule": {"array_window": window}}))
    async with playing(tmp_path, _a_film_is_listed, clock=TurnedClock(MIDNIGHT), **settings) as house:
        expected = (set[str](), {"m1"}) if waits else ({"m1"}, set[str]())
        await house.shows(expected[0], waiting=expected[1])


@pytest.mark.parametrize(("spin_down", "waits"), [("30m", True), ("4h", False)])
async def test_for_as_long_as_spin_down_says_more_goes_along_with_a_copy(
    tmp_path: Path, spin_down: str, waits: bool
) -> None:
    settings = merged(merged(SOON, LISTS), {"schedule": {"spin_down": spin_down}})
    async with playing(tmp_path, lambda _: None, clock=TurnedClock(MIDNIGHT), **settings) as house:
        await house.shows(set())
        await house.post("/api/v1/cache", {"target": house.key("m2")})
        await house.until(lambda: house.cached() == {"m2"})
        await house.quiet()

        house.listed("Ann", "m1", days=30)
        _clock(house).turn(MIDNIGHT + HOUR)
        await house.post("/api/v1/refresh")
        expected = ({"m2"}, {"m1"}) if waits else ({"m1", "m2"}, set[str]())
        await house.shows(expected[0], waiting=expected[1], since=MIDNIGHT)


@pytest.mark.parametrize(("refresh", "found"), [("1h", {"m3"}), ("24h", {"m1", "m2"}), ("0", {"m3"})])
async def test_trakt_is_asked_as_often_as_trending_refresh_says(tmp_path: Path, refresh: str, found: set[str]) -> None:
    async with playing(tmp_path, lambda _: None, clock=TurnedClock(MIDNIGHT), **SOON) as house:
        await house.shows(set())
        trending = {"enabled": True, "url": house.charts.url, "client_id": house.charts.client, "refresh": refresh}
        _clock(house).turn(MIDNIGHT + 1)
        await change(house, trending=trending)
        await house.shows({"m1", "m2"}, since=MIDNIGHT)

        house.charts.movies = house.other_charts.movies
        _clock(house).turn(MIDNIGHT + 2 * HOUR)
        await house.post("/api/v1/refresh")
        await house.shows(found, since=MIDNIGHT + 1)

        _clock(house).turn(MIDNIGHT + 2 * HOUR + 1)
        await change(house, trending={"refresh": "1h"})
        await house.post("/api/v1/refresh")
        await house.shows({"m3"}, since=MIDNIGHT + 2 * HOUR)
