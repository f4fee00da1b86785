"""Whether an array is awake: by what plays from it, by our own work, and by what Unraid says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon.interop.unraid import read_spinning
from daemon.model import File, Task, TaskKind, TaskState
from daemon.quiet import ArrayWatch
from tests.support.arrays import ANY_TIME, AT_NIGHT, EVENING, HOUR, at_home, awake, disks_ini, looked, wakeups
from tests.support.household import PATIENCE, Household
from tests.support.turned import TurnedClock

IN = TaskKind.CACHE_IN


def task(kind: TaskKind, file: File) -> Task:
    return Task(1, kind, file, TaskState.RUNNING, 1, "", 0.0)


async def test_on_unraid_it_goes_along_when_somebody_else_wakes_a_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, file = TurnedClock(EVENING), tmp_path / "disks.ini"
    file.write_text(disks_ini(disk1="1", disk2="1"))
    # The tiers of a test do not lie below /mnt, where Unraid has its disks.
    monkeypatch.setattr("daemon.interop.unraid._ROOT", tmp_path / "array")
    monkeypatch.setattr("daemon.interop.unraid._EVERY_DISK", {"tv"})

    async def disks() -> Mapping[str, bool] | None:
        return read_spinning(file)

    async with at_home(tmp_path, clock, AT_NIGHT, disks) as house:
        await house.ask(IN, house.film("tv", 1), house.film("films", 1), urgent=False)
        clock.turn(EVENING + HOUR)
        await looked(house, clock)
        assert house.copies("tv") == 0

        file.write_text(disks_ini(disk1="1", disk2="0"))
        clock.turn(EVENING + 2 * HOUR)
        await house.until_done(1)
        await looked(house, clock)

        assert (house.copies("tv"), house.copies("films")) == (1, 0)
        # It was not we who woke it.
        assert wakeups(house) == {}
        file.write_text(disks_ini(disk1="1", disk2="1"))
        clock.turn(EVENING + 2.2 * HOUR)
        await looked(house, clock)
        assert awake(house) == set()


async def test_what_unraid_says_counts_once_it_has_had_time_to_see_our_own_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, asked = TurnedClock(EVENING), asyncio.Event()
    monkeypatch.setattr("daemon.interop.unraid._ROOT", tmp_path / "array")

    async def disks() -> Mapping[str, bool] | None:
        asked.set()
        return {"tv": False, "films": False}

    async def a_poll_later() -> set[str]:
        asked.clear()
        clock.turn(clock.now() + 60)
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
        await looked(house, clock)
        return awake(house)

    async with at_home(tmp_path, clock, AT_NIGHT, disks) as house:
        await house.ask(IN, house.film("tv", 1))
        await house.until_done(1)
        assert awake(house) == {"tv"}
        assert await a_poll_later() == {"tv"}
        assert await a_poll_later() == set()


async def test_a_system_that_cannot_answer_now_is_asked_again_and_one_that_never_can_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, ended, answers = TurnedClock(EVENING), asyncio.Event(), iter([TimeoutError, {"tv": True}, None])
    monkeypatch.setattr("daemon.interop.unraid._ROOT", tmp_path / "array")

    async def disks() -> Mapping[str, bool] | None:
        match next(answers):
            case None:
                ended.set()
                return None
            case dict() as said:
                return said
        raise TimeoutError

    async with at_home(tmp_path, clock, AT_NIGHT, disks) as house:
        await house.ask(IN, house.film("tv", 1), urgent=False)
        await looked(house, clock)
        assert house.copies("tv") == 0
        clock.turn(EVENING + 60)
        await house.until_done(1)
        clock.turn(EVENING + 120)
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        await house.tasks(TaskState.QUEUED)
        assert clock.next_due() is None


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[tuple[Household, TurnedClock]]:
    clock = TurnedClock(EVENING)
    async with at_home(tmp_path, clock, ANY_TIME) as house:
        yield house, clock


def watch(house: Household, **more: Any) -> ArrayWatch:
    """Return a watch of its own, which nobody else asks."""
    bell = house.dispatcher.tasks_added
    return ArrayWatch(
        house.live, house.clock, house.feed, house.metrics, bell, streams=house.streaming.__contains__, **more
    )


async def test_mappings_on_one_file_system_share_their_array(watched: tuple[Household, TurnedClock]) -> None:
    house, _ = watched
    house.streaming.add("films")
    on_two = {mapping.array: mapping.name for mapping in house.live.mappings.all}

    assert watch(house).states() == {"tv": True, "films": True}
    assert watch(house, on_file_systems=lambda _: on_two).states() == {"tv": False, "films": True}


async def test_an_array_sleeps_so_long_after_its_use_has_ended(watched: tuple[Household, TurnedClock]) -> None:
    house, clock = watched
    arrays = watch(house)
    running = task(TaskKind.CACHE_IN, house.live.mappings.resolve(house.film("tv", 1)))
    with arrays.during(running):
        assert not arrays.along()
        arrays.touched("open", "cache_in")
        await asyncio.sleep(0)
        clock.turn(EVENING + 5 * HOUR)
        # It has been awake since its first use, though nothing was counted for hours.
        assert arrays.along() == dict.fromkeys(("tv", "films"), EVENING)
        clock.turn(EVENING + 6 * HOUR)
    clock.turn(EVENING + 6.4 * HOUR)
    assert all(arrays.states().values())
    clock.turn(EVENING + 6.5 * HOUR)
    assert not any(arrays.states().values())


async def test_each_time_that_it_is_woken_counts_though_nobody_saw_it_sleep(
    watched: tuple[Household, TurnedClock],
) -> None:
    house, clock = watched
    arrays = watch(house)
    for hours in (0.0, 0.2, 5.0):
        clock.turn(EVENING + hours * HOUR)
        house.streaming.add("tv")
        assert all(arrays.states().values())
        house.streaming.clear()
        assert all(arrays.states().values())

    assert wakeups(house) == {"play": 2}
    assert arrays.along()["tv"] == EVENING + 5 * HOUR


async def test_what_a_recovery_does_to_the_only_array_counts(watched: tuple[Household, TurnedClock]) -> None:
    house, _ = watched
    arrays = watch(house)
    assert not arrays.along()
    arrays.touched("stat", "recovery")
    await asyncio.sleep(0)

    assert arrays.along().keys() == {"tv", "films"}
    assert wakeups(house) == {"recovery": 1}


async def test_a_clock_that_is_set_back_does_not_keep_it_awake_till_then(tmp_path: Path) -> None:
    clock = TurnedClock(EVENING)
    async with at_home(tmp_path, clock, AT_NIGHT) as house:
        await house.ask(IN, house.film("tv", 1), urgent=True)
        await house.until_done(1)
        assert awake(house) == {"tv"}
        clock._now -= 30 * 24 * HOUR
        assert awake(house) == {"tv"}
        clock.turn(clock.now() + HOUR)
        assert awake(house) == set()
