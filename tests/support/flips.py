"""A household whose daemon has a key at one value, then at another, and what lies on the cache each time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from daemon.app import App
from daemon.clock import Clock
from daemon.config import load
from daemon.demo.server import DemoServer
from daemon.demo.trakt import DemoTrakt, movie_of
from daemon.model import DemandKind, Task, TaskState
from daemon.state import sources, tasks
from tests.support.command_line import config_file
from tests.support.daemon import PATIENCE, House, at_home, daemon_running, merged
from tests.support.plex import small_library
from tests.support.reloads import change
from tests.support.turned import TurnedClock

DAY = 86_400.0
SIZE = 100_000
_SPEED = 100.0
_LATER = 3600.0
_TURNS = 20
"""Questions to the database within which whoever was woken has put its own."""

SOON: dict[str, Any] = {"retention": {"min_stay": "0"}, "transfer": {"sidecars": "none"}}
"""What nobody wants leaves at once, and a film is one file."""


@dataclass
class Stage(House):
    """A house, and what its keys may point to in place of the simulated Plex.

    Films are called m1, m2, ..., episodes of the first show a1, a2, ..., of the second b1, b2, ...
    """

    other: DemoServer = field(init=False)
    """Another server for plex.tv's services: it knows the same people and nothing of them."""
    charts: DemoTrakt = field(init=False)
    """Names the first two films."""
    other_charts: DemoTrakt = field(init=False)
    """Names the third."""

    def key(self, name: str) -> str:
        """Return the rating key of what is called so."""
        return next(key for one, key in self._named() if one == name)

    def id(self, who: str) -> str:
        """Return somebody's id on the server."""
        return self.plex.people[who].id

    def cached(self) -> set[str]:
        """Return what is on the cache."""
        return {name for name, key in self._named() if self.is_cached(key)}

    def names(self, files: list[Task]) -> set[str]:
        """Return what these tasks are about."""
        paths = {part.file: name for name, key in self._named() for part in self.library[key].parts}
        return {paths[task.file.plex_path] for task in files}

    def began(self, who: str, name: str, days: float = 1) -> None:
        """Have somebody stop in the middle of an item so many days ago."""
        self.plex.views.progress(self.id(who), self.key(name), 600_000, self.clock.now() - days * DAY)

    def saw(self, who: str, name: str, days: float) -> None:
        """Have somebody watch an item to its end so many days ago."""
        self.plex.views.watched(self.id(who), self.key(name), self.clock.now() - days * DAY)

    def listed(self, who: str, name: str, days: float = 1) -> None:
        """Have somebody put a film or a show on the watchlist so many days ago."""
        key = self.library.shows["ab".index(name)] if name in {"a", "b"} else self.key(name)
        self.plex.watchlists.add(who, key, self.clock.now() - days * DAY)

    def added(self, name: str, days: float) -> None:
        """Let an item have been added to its library so many days ago."""
        self.library[self.key(name)].added_at = int(self.clock.now() - days * DAY)

    def start(self) -> App:
        """Make a daemon that was started with a file of the settings as they are now."""
        self.app = App(load(config_file(self.folder / "etc", self.settings), {}), {}, clock=self.clock)
        return self.app

    async def refreshed(self) -> float:
        """Return when all sources were read last."""
        pins = await self.app.core.store.run(lambda c: sources.state(c, DemandKind.PINNED, ""))
        return pins.read_at or 0.0

    async def calm(self) -> None:
        """Return when whoever was woken has had the time to do something."""
        for _ in range(_TURNS):
            await self.app.core.store.run(tasks.counts)

    async def until_so(self, holds: Callable[[], Awaitable[object]]) -> None:
        """Wait for something that the daemon's feed says nothing of."""
        async with asyncio.timeout(PATIENCE):
            while not await holds():
                await self.calm()

    async def shows(self, expected: set[str], *, waiting: set[str] | None = None, since: float = 0.0) -> None:
        """Wait until all has been read since then and done, and see what is on the cache and what waits."""
        found: tuple[object, ...] = ()

        async def done() -> bool:
            nonlocal found
            if self.app.core.listener.plays_recorded and await self.refreshed() > since:
                busy = await self.tasks(TaskState.RUNNING)
                found = (busy, self.names(await self.tasks(TaskState.QUEUED)), self.cached())
            return found == ([], waiting or set(), expected)

        try:
            await self.until_so(done)
        except TimeoutError:
            raise AssertionError(f"waiting, cached: {found[1:]}; expected: {waiting or set()}, {expected}") from None
        await self.calm()
        assert self.cached() == expected

    def _named(self) -> list[tuple[str, str]]:
        found = [(f"m{number}", key) for number, key in enumerate(self.library.movies, 1)]
        for letter, show in zip("ab", self.library.shows, strict=False):
            found += [(f"{letter}{number}", key) for number, key in enumerate(self.library.episodes(show), 1)]
        return found


Prepare = Callable[[Stage], object]


@asynccontextmanager
async def stage(folder: Path, *, clock: Clock | None = None, **settings: Any) -> AsyncIterator[Stage]:
    """Have everything but a running daemon."""
    library = small_library(sizes=(SIZE, SIZE))
    async with AsyncExitStack() as stack:
        kept = {"playback": {"stale_session": "30d"}}
        house = await stack.enter_async_context(
            at_home(folder, library, clock=clock or Clock(_SPEED), start=False, **merged(kept, settings))
        )
        made = Stage(house.library, house.plex, house.folder, house.clock, house.settings, house.app)
        made.other = await stack.enter_async_context(DemoServer(small_library(), machine_identifier="1other"))
        movies = [movie_of(library[key]) for key in library.movies]
        made.charts = await stack.enter_async_context(DemoTrakt(movies[:2]))
        made.other_charts = await stack.enter_async_context(DemoTrakt(movies[2:]))
        yield made


@asynccontextmanager
async def started(house: Stage) -> AsyncIterator[None]:
    """Run a daemon on the settings as they are now."""
    house.start()
    async with daemon_running(house):
        await house.plex.frames.wait_for_listeners()
        yield


@asynccontextmanager
async def playing(
    folder: Path, prepare: Prepare, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[Stage]:
    """Have a running daemon in a house that was prepared before."""
    async with stage(folder, clock=clock, **settings) as house:
        prepare(house)
        async with started(house):
            yield house


def at(key: str, value: Any) -> dict[str, Any]:
    """Return the settings in which a dotted key has this value."""
    return reduce(lambda below, name: {name: below}, reversed(key.split(".")), value)


@dataclass(frozen=True)
class Flip:
    """A key, and what is on the cache with each of its values; a value may be a function of the stage.

    `back`: whether going back from the last value to the first has the first one's effect: not where what has been
    read once stands, or where nothing makes what is there leave. `waiting` is what waits for the array with the first
    value. `live`: whether it can be told from what is cached that a change counts at once. `later`: it is prepared long
    after the daemon's start, at which nothing waits.
    """

    key: str
    values: Mapping[Any, set[str]] | list[tuple[Any, set[str]]]
    prepare: Prepare
    settings: Mapping[str, Any] = field(default_factory=dict)
    back: bool = True
    live: bool = True
    waiting: frozenset[str] = frozenset()
    later: bool = False

    @property
    def steps(self) -> list[tuple[Any, set[str]]]:
        """Return values and what they lead to."""
        return list(self.values.items()) if isinstance(self.values, Mapping) else self.values

    def base(self, house: Stage) -> dict[str, Any]:
        """Return the settings around the key."""
        return {
            name: value(house) if callable(value) else value
            for name, value in merged(SOON, dict(self.settings)).items()
        }

    @asynccontextmanager
    async def started(self, folder: Path, value: Any) -> AsyncIterator[Stage]:
        """Run a daemon with the key at a value."""
        async with stage(folder, clock=TurnedClock(time.time()) if self.later else None) as house:
            if not self.later:
                self.prepare(house)
            house.set(**self.base(house))
            house.set(**_valued(house, self.key, value))
            async with started(house):
                if isinstance(house.clock, TurnedClock):
                    await house.shows(set())
                    house.clock.turn(house.clock.now() + _LATER)
                    self.prepare(house)
                    await house.post("/api/v1/refresh")
                yield house

    async def see(self, house: Stage, expected: set[str], since: float = 0.0) -> None:
        """See what this value has led to."""
        waits = set(self.waiting) if expected == self.steps[0][1] else set()
        await house.shows(expected, waiting=waits, since=since)


def _valued(house: Stage, key: str, value: Any) -> dict[str, Any]:
    return at(key, value(house) if callable(value) else value)


def each(flips: list[Flip]) -> pytest.MarkDecorator:
    """Have a test for each value of each flip."""
    cases = [
        pytest.param(flip, step, id=f"{flip.key}-{place}") for flip in flips for place, step in enumerate(flip.steps)
    ]
    return pytest.mark.parametrize(("flip", "step"), cases)


def each_key(flips: list[Flip]) -> pytest.MarkDecorator:
    """Have a test for each flip that can be seen while a daemon runs."""
    return pytest.mark.parametrize("flip", [pytest.param(one, id=one.key) for one in flips if one.live])


async def from_the_start(folder: Path, flip: Flip, step: tuple[Any, set[str]]) -> None:
    """Start a daemon with the key at one of its values."""
    value, expected = step
    async with flip.started(folder, value) as house:
        await flip.see(house, expected)
        assert house.damaged() == []


async def while_it_runs(folder: Path, flip: Flip) -> None:
    """Start a daemon with the first value, and reload it with each other and, if that has an effect, with the first."""
    steps = flip.steps + flip.steps[: flip.back]
    async with flip.started(folder, steps[0][0]) as house:
        await flip.see(house, steps[0][1])
        for value, expected in steps[1:]:
            since = house.clock.now()
            if isinstance(house.clock, TurnedClock):
                house.clock.turn(since + 1)
            await change(house, **_valued(house, flip.key, value))
            await flip.see(house, expected, since)
        assert house.app.core.health.needs_restart == ()
        assert house.damaged() == []


async def between_two_runs(folder: Path, flip: Flip) -> None:
    """Start a daemon with the first value, end it, and start one with the next."""
    (first, before), (second, after) = flip.steps[:2]
    async with stage(folder) as house:
        flip.prepare(house)
        house.set(**flip.base(house))
        for value, expected in ((first, before), (second, after)):
            house.set(**_valued(house, flip.key, value))
            since = house.clock.now()
            async with started(house):
                await flip.see(house, expected, since)
