"""Clients report by themselves while the clock runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from daemon.clock import Clock
from daemon.demo.cadence import next_due, report_due
from daemon.demo.server import DemoServer
from tests.support.plex import listening, small_library


class HandClock(Clock):
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time


@pytest.fixture
async def plex() -> AsyncIterator[DemoServer]:
    async with DemoServer(small_library(), clock=HandClock()) as server:
        yield server


async def tick(plex: DemoServer, seconds: float) -> None:
    assert isinstance(plex.clock, HandClock)
    plex.clock.time += seconds
    await report_due(plex.engine, plex.clock.now())


async def test_a_session_reports_every_ten_seconds_where_it_is(plex: DemoServer) -> None:
    async with listening(plex) as ear:
        await plex.engine.play("Ann", plex.library.movies[0])
        for seconds in (10, 9, 1, 10):
            await tick(plex, seconds)
        offsets = [(await ear.entry())["viewOffset"] for _ in range(4)]
    assert offsets == [0, 10_000, 20_000, 30_000]


async def test_a_paused_session_goes_on_reporting_from_the_same_place(plex: DemoServer) -> None:
    async with listening(plex) as ear:
        session = await plex.engine.play("Ann", plex.library.movies[0])
        await tick(plex, 10)
        await plex.engine.pause(session)
        await tick(plex, 10)
        await tick(plex, 10)
        told = [await ear.entry() for _ in range(5)]
    assert [(one["state"], one["viewOffset"]) for one in told] == [
        ("playing", 0),
        ("playing", 10_000),
        ("paused", 10_000),
        ("paused", 10_000),
        ("paused", 10_000),
    ]


async def test_each_session_has_its_own_time(plex: DemoServer) -> None:
    first = await plex.engine.play("Ann", plex.library.movies[0])
    await tick(plex, 4)
    second = await plex.engine.play("Ben", plex.library.movies[1])
    assert next_due(plex.engine) == first.reported_at + 10
    await tick(plex, 6)
    assert (first.offset, second.offset) == (10, 0)
    assert next_due(plex.engine) == second.reported_at + 10


async def test_a_ghost_is_forgotten_after_half_an_hour_without_a_frame(plex: DemoServer) -> None:
    async with listening(plex) as ear:
        session = await plex.engine.play("Ann", plex.library.movies[0])
        plex.engine.vanish(session)
        await tick(plex, 1799)
        assert plex.engine.listed() == [session]
        await tick(plex, 1)
        assert plex.engine.listed() == []
        other = await plex.engine.play("Ann", plex.library.movies[1])
        assert (await ear.entry())["sessionKey"] == session.session_key
        assert (await ear.entry())["sessionKey"] == other.session_key


async def test_with_the_cadence_a_household_watches_a_show_to_its_end_by_itself() -> None:
    library = small_library(episode_minutes=1, episodes=2)
    async with DemoServer(library, clock=Clock(2000), cadence=True) as plex, listening(plex) as ear:
        episodes = library.episodes(library.shows[0])
        await plex.engine.play("Ann", episodes[0])
        stopped: list[str] = []
        async with asyncio.timeout(60):
            while len(stopped) < len(episodes):
                told = await ear.entry()
                if told["state"] == "stopped":
                    stopped.append(told["ratingKey"])
        assert stopped == episodes
        assert [row.key for row in plex.views.history] == episodes
        assert plex.engine.sessions == {}


async def test_the_server_ends_with_its_clients_still_watching() -> None:
    async with DemoServer(small_library(), cadence=True) as plex, listening(plex):
        await plex.engine.play("Ann", plex.library.movies[0])


async def test_an_error_inside_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with DemoServer(small_library(), cadence=True) as plex:
            await plex.engine.play("Nobody", plex.library.movies[0])
