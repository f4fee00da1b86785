"""Sources that take long: what the others said is recorded without them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from daemon.census import Census
from daemon.errors import PlexUnavailable
from tests.support.daemon import PATIENCE
from tests.support.refreshes import NOW, ON_DECK, PINNED, TRENDING, Bench, bench, person

DAY = 24 * 3600.0
SHORT = 0.05


async def until(all_of: Bench, holds: Callable[[], bool]) -> None:
    """Wait until something holds; it is looked at each time the database has answered."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await all_of.calm()


async def test_what_comes_in_time_is_recorded_without_what_hangs(tmp_path: Path) -> None:
    async with bench(tmp_path, patience=SHORT) as all_of:
        all_of.trending.blocks = asyncio.Event()
        all_of.on_deck.wants = "8"
        all_of.trending.wants = "9"
        await all_of.pass_(100)
        all_of.writes.clear()
        all_of.refresher.everything_soon()
        await until(all_of, lambda: len(all_of.writes) == 1)
        states = await all_of.states()
        assert (states[ON_DECK, "2"].read_at, states[PINNED, ""].read_at) == (NOW + 100, NOW + 100)
        assert states[TRENDING, ""].read_at == NOW
        assert {one.rating_key for one in await all_of.demands(ON_DECK)} == {"8"}
        assert {one.rating_key for one in await all_of.demands(TRENDING)} == {"7"}

        await all_of.pass_(20)
        all_of.trending.blocks.set()
        await until(all_of, lambda: len(all_of.writes) == 2)
        await all_of.pass_(24 * 3600)
        assert len(all_of.writes) == 2, "two plans, and the refresh has ended"
        assert (await all_of.states())[TRENDING, ""].read_at == NOW + 120
        assert (await all_of.states())[ON_DECK, "2"].read_at == NOW + 100
        assert {one.rating_key for one in await all_of.demands(TRENDING)} == {"9"}


async def test_a_refresh_that_waits_for_nobody_is_one_plan(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        all_of.writes.clear()
        all_of.refresher.everything_soon()
        await all_of.calm()
        assert len(all_of.writes) == 1


async def test_what_was_failing_and_comes_in_time_does_not_hide_what_fails_late(tmp_path: Path) -> None:
    async with bench(tmp_path, patience=SHORT) as all_of:
        all_of.trending.blocks = asyncio.Event()
        all_of.trending.errors["*"] = all_of.pinned.errors["*"] = PlexUnavailable("down")
        all_of.writes.clear()
        all_of.refresher.everything_soon()
        await until(all_of, lambda: len(all_of.writes) == 1)
        all_of.trending.blocks.set()
        await until(all_of, lambda: len(all_of.writes) == 2)
        failing = {key for key, one in (await all_of.states()).items() if one.failed_since is not None}
        assert failing == {(TRENDING, ""), (PINNED, "")}
        before = len(all_of.trending.reads), len(all_of.pinned.reads)
        await all_of.pass_(61)
        assert (len(all_of.trending.reads), len(all_of.pinned.reads)) == (before[0] + 1, before[1] + 1)


async def test_while_nobody_says_who_there_is_those_who_were_there_last_are_read(tmp_path: Path) -> None:
    said = asyncio.Event()
    said.set()
    people = [person("1"), person("2")]

    async def who() -> Census:
        await said.wait()
        return Census(tuple(people))

    async with bench(tmp_path, who=who, patience=SHORT) as all_of:
        await until(all_of, lambda: all_of.writes != [])
        said.clear()
        people[1] = person("3")
        await all_of.pass_(100)
        all_of.refresher.everything_soon()
        await until(all_of, lambda: len(all_of.writes) == 2)
        assert all_of.on_deck.reads[2:] == [(100.0, "1"), (100.0, "2")]
        await all_of.pass_(2 * DAY)
        all_of.refresher.everything_soon()
        await until(all_of, lambda: len(all_of.writes) == 3)
        assert (ON_DECK, "2") in await all_of.states(), "nobody has said that they are gone"
        assert all_of.said() == []

        said.set()
        await until(all_of, all_of.refresher._wake.is_set)
        await all_of.pass_(2)
        assert all_of.on_deck.reads[6:] == [(100.0 + 2 * DAY + 2, "3")], "as soon as it is said"


async def test_at_the_start_what_speaks_for_nobody_is_read_before_anybody_is_known(tmp_path: Path) -> None:
    said = asyncio.Event()

    async def who() -> Census:
        await said.wait()
        return Census((person("1"),))

    async with bench(tmp_path, who=who, patience=SHORT) as all_of:
        await until(all_of, lambda: all_of.writes != [])
        assert (all_of.pinned.moments, all_of.on_deck.reads, all_of.said()) == ([0], [], [])
        said.set()
        await until(all_of, all_of.refresher._wake.is_set)
        await all_of.pass_(2)
        assert all_of.on_deck.reads == [(2.0, "1")]
        assert all_of.pinned.moments == [0]


async def test_what_hangs_holds_up_no_later_refresh_and_is_not_read_twice_meanwhile(tmp_path: Path) -> None:
    async with bench(tmp_path, patience=SHORT) as all_of:
        hangs = all_of.trending.blocks = asyncio.Event()
        all_of.writes.clear()
        all_of.refresher.everything_soon()
        await until(all_of, lambda: len(all_of.writes) == 1)
        asked = len(all_of.trending.reads)
        before = len(all_of.on_deck.reads)
        all_of.refresher.soon({ON_DECK}, "1")
        await all_of.pass_(3)
        assert all_of.on_deck.reads[before:] == [(2.0, "1")]
        all_of.refresher.everything_soon()
        await until(all_of, lambda: len(all_of.writes) == 3)
        assert len(all_of.trending.reads) == asked

        hangs.set()
        await until(all_of, lambda: len(all_of.writes) == 4)
        all_of.refresher.everything_soon()
        await until(all_of, lambda: len(all_of.trending.reads) == asked + 1)
