"""What is not urgent leaves the array asleep: the real workers on real tiers, on a clock that the test turns."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from daemon.config import build
from daemon.model import Task, TaskKind, TaskState
from daemon.planning.waiting import LONGEST_WAIT
from daemon.state import tasks
from daemon.state.store import Store
from tests.support.arrays import ANY_TIME, AT_NIGHT, EVENING, HOUR, at_home, awake, looked, wakeups
from tests.support.household import Household, household
from tests.support.turned import TurnedClock
from tests.support.values import NOW, file

IN = TaskKind.CACHE_IN
DAY = 24 * HOUR


def plays(house: Household, mapping: str) -> None:
    """Have somebody play from a mapping's array, as the dispatcher tells it."""
    house.streaming.add(mapping)
    house.feed.publish("session", {})


async def test_it_waits_for_the_window_to_open(tmp_path: Path) -> None:
    clock = TurnedClock(EVENING)
    async with at_home(tmp_path, clock, AT_NIGHT) as house:
        await house.ask(IN, house.film("tv", 1), house.film("tv", 2), urgent=False)
        await looked(house, clock)
        assert clock.next_due() == EVENING + 6 * HOUR
        clock.turn(EVENING + 6 * HOUR - 1)
        await looked(house, clock)
        assert (house.copies("tv"), wakeups(house), awake(house)) == (0, {}, set())

        clock.turn(EVENING + 6 * HOUR)
        await house.until_done(2)

        assert (wakeups(house), awake(house)) == ({"copy": 1}, {"tv"})
        clock.turn(EVENING + 6.5 * HOUR)
        assert awake(house) == set()


async def test_without_a_window_it_waits_for_days_and_the_rest_goes_along(tmp_path: Path) -> None:
    clock = TurnedClock(EVENING)
    async with at_home(tmp_path, clock, ANY_TIME) as house:
        await house.ask(IN, house.film("tv", 1), urgent=False)
        clock.turn(EVENING + 5 * HOUR)
        await house.ask(IN, house.film("tv", 2), house.film("tv", 3), urgent=False)
        clock.turn(EVENING + LONGEST_WAIT - 1)
        await looked(house, clock)
        assert house.copies("tv") == 0

        clock.turn(EVENING + LONGEST_WAIT)
        await house.until_done(3)

        assert wakeups(house) == {"copy": 1}


async def test_it_goes_along_at_once_when_somebody_plays_from_that_array(tmp_path: Path) -> None:
    clock = TurnedClock(EVENING)
    async with at_home(tmp_path, clock, AT_NIGHT) as house:
        await house.ask(IN, house.film("tv", 1), house.film("films", 1), urgent=False)
        await looked(house, clock)

        plays(house, "tv")
        await house.until_done(1)
        await looked(house, clock)

        assert (house.copies("tv"), house.copies("films")) == (1, 0)
        assert (wakeups(house), awake(house)) == ({"play": 1}, {"tv"})


async def test_it_goes_along_with_an_urgent_copy_from_that_array_and_shortly_after(tmp_path: Path) -> None:
    clock = TurnedClock(EVENING)
    async with at_home(tmp_path, clock, AT_NIGHT) as house:
        await house.ask(IN, house.film("tv", 1), house.film("films", 1), urgent=False)
        await looked(house, clock)
        await house.ask(IN, house.film("films", 2))
        await house.until_done(2)
        assert (house.copies("tv"), house.copies("films")) == (0, 2)

        clock.turn(EVENING + 0.15 * HOUR)
        await house.ask(IN, house.film("films", 3), urgent=False)
        await house.until_done(3)
        clock.turn(EVENING + 0.35 * HOUR)
        await house.ask(IN, house.film("films", 4), urgent=False)
        await looked(house, clock)

        # It would keep the array awake, which goes to sleep before long.
        assert awake(house) == {"films"}
        assert (house.copies("tv"), house.copies("films")) == (0, 3)
        assert wakeups(house) == {"copy": 1}


async def test_what_came_too_late_to_go_along_does_so_with_the_next_play(tmp_path: Path) -> None:
    clock = TurnedClock(EVENING)
    async with at_home(tmp_path, clock, ANY_TIME) as house:
        plays(house, "tv")
        assert awake(house) == {"tv"}
        house.streaming.clear()
        assert awake(house) == {"tv"}
        clock.turn(EVENING + 0.25 * HOUR)
        await house.ask(IN, house.film("tv", 1), urgent=False)
        await looked(house, clock)
        assert (house.copies("tv"), awake(house)) == (0, {"tv"})

        plays(house, "tv")
        await house.until_done(1)

        assert wakeups(house) == {"play": 1}


async def test_evictions_wait_likewise(tmp_path: Path) -> None:
    clock = TurnedClock(EVENING)
    async with household(tmp_path, clock=clock, schedule=AT_NIGHT, tv="union+remove") as house:
        film = house.film("tv", 1)
        await house.ask(IN, film)
        await house.until_done(1)
        clock.turn(EVENING + HOUR)
        await house.ask(TaskKind.EVICT, film, urgent=False)
        await looked(house, clock)
        assert house.copies("tv") == 1

        clock.turn(EVENING + 6 * HOUR)
        await house.until_done(2)

        assert house.copies("tv") == 0
        assert wakeups(house) == {"copy": 1, "evict": 1}


async def test_without_a_window_what_leaves_waits_for_days_as_well(tmp_path: Path) -> None:
    clock = TurnedClock(EVENING)
    async with household(tmp_path, clock=clock, schedule=ANY_TIME, tv="union+remove") as house:
        film = house.film("tv", 1)
        await house.ask(IN, film)
        await house.until_done(1)
        asked = EVENING + HOUR
        clock.turn(asked)
        await house.ask(TaskKind.EVICT, film, urgent=False)
        await looked(house, clock)
        clock.turn(asked + LONGEST_WAIT - 1)
        await looked(house, clock)
        assert house.copies("tv") == 1

        clock.turn(asked + LONGEST_WAIT)
        await house.until_done(2)

        assert wakeups(house) == {"copy": 1, "evict": 1}


async def test_for_disks_that_never_sleep_nothing_waits(tmp_path: Path) -> None:
    clock = TurnedClock(EVENING)
    async with at_home(tmp_path, clock, {**AT_NIGHT, "spin_down": "0"}) as house:
        await house.ask(IN, house.film("tv", 1), urgent=False)
        await house.until_done(1)

        assert (wakeups(house), awake(house)) == ({}, {"tv", "films"})


async def test_what_is_asked_for_by_hand_never_waits(tmp_path: Path) -> None:
    clock = TurnedClock(EVENING)
    async with at_home(tmp_path, clock, AT_NIGHT) as house:
        await house.ask(IN, house.film("tv", 1))
        await house.until_done(1)


async def test_a_change_of_the_window_counts_at_once(tmp_path: Path) -> None:
    clock = TurnedClock(EVENING)
    async with at_home(tmp_path, clock, AT_NIGHT) as house:
        await house.ask(IN, house.film("tv", 1), urgent=False)
        await looked(house, clock)

        schedule = build({"schedule": {"array_window": "19:30-20:30"}}).schedule
        house.live.swap(house.live.settings.model_copy(update={"schedule": schedule}))
        house.dispatcher.tasks_added.ring()
        await house.until_done(1)


async def test_what_fails_does_not_keep_the_disks_awake_by_its_own_tries(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:

        def claim(connection: Any, now: float, ripe: float, **along: float) -> Task | None:
            return tasks.claim(connection, IN, now, ripe=ripe, along=along)

        def story(connection: Any) -> None:
            new = tasks.NewTask(IN, file("a"), 1, "on_deck", urgent=False)
            tasks.put(connection, new, NOW)
            assert claim(connection, NOW, -math.inf) is None
            failed = claim(connection, NOW, -math.inf, TV=NOW - 10)
            assert failed
            tasks.put_back(connection, failed.id, NOW, error="full", spent=True, not_before=NOW + 60)
            # It goes along with the next time that the array is woken, or has waited long enough anew.
            assert claim(connection, NOW + 100, -math.inf, TV=NOW - 10) is None
            assert tasks.next_ripe(connection, IN, NOW) == NOW + 60
            assert claim(connection, NOW + 100, NOW + 59) is None
            again = claim(connection, NOW + 100, NOW + 60)
            assert again
            tasks.put_back(connection, again.id, NOW, error="full", spent=True)
            assert claim(connection, NOW + 200, -math.inf, TV=NOW + 90)

        await store.run(story)


async def test_what_is_urgent_goes_first_and_a_later_plan_may_change_it(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:

        def story(connection: Any) -> None:
            waits = tasks.NewTask(IN, file("a"), 99, "on_deck", urgent=False)
            tasks.put(connection, waits, NOW)
            tasks.put(connection, tasks.NewTask(IN, file("b"), 1, "next_up"), NOW)
            assert [task.urgent for task in tasks.in_state(connection, TaskState.QUEUED)] == [True, False]

            tasks.put(connection, replace(waits, urgent=True), NOW)
            assert all(task.urgent for task in tasks.in_state(connection, TaskState.QUEUED))
            tasks.put(connection, waits, NOW)
            assert not all(task.urgent for task in tasks.in_state(connection, TaskState.QUEUED))

            tasks.put(connection, replace(waits, forced=True), NOW)
            tasks.put(connection, waits, NOW)
            assert all(task.urgent for task in tasks.in_state(connection, TaskState.QUEUED))

        await store.run(story)
