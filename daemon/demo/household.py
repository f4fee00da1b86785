"""Three people who watch: one straight through, one with breaks, one who cannot decide."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from daemon.demo.media import Node
from daemon.demo.people import Person
from daemon.demo.server import DemoServer
from daemon.demo.sessions import Session

_STEP = 10.0
"""Seconds of the clock between two reports of a client."""


@dataclass(frozen=True, slots=True)
class Viewing:
    """A play that began; `follows` says that the item was the next one after another play."""

    person: Person
    node: Node
    follows: bool


class Household:
    """Drives the clients of a simulated server. `seen` hears of each play at the moment it begins."""

    def __init__(self, plex: DemoServer, seen: Callable[[Viewing], None]) -> None:
        self._plex = plex
        self._engine = plex.engine
        self._clock = plex.clock
        self._seen = seen

    async def watch(self) -> None:
        """Watch until everything has been seen."""
        shows = self._plex.library.shows
        owner, second, third = list(self._plex.people)[:3]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._straight_through(owner, shows[0]))
            group.create_task(self._with_breaks(second, shows[1]))
            group.create_task(self._undecided(third, shows[2], self._plex.library.movies))

    async def _straight_through(self, person: Person, show: str) -> None:
        """One episode after the other, by autoplay."""
        session = await self._begin(person, self._plex.library.episodes(show)[0], "television")
        while True:
            await self._play_for(session, session.node.seconds)
            if self._engine.follower(session) is None:
                await self._engine.stop(session)
                return
            session = await self._engine.play_next(session)
            self._seen(Viewing(person, session.node, follows=True))

    async def _with_breaks(self, person: Person, show: str) -> None:
        """Stops in the middle of each episode, comes back to it, then begins the next by hand."""
        for number, key in enumerate(self._plex.library.episodes(show)):
            session = await self._begin(person, key, "tablet", follows=number > 0)
            await self._play_for(session, session.node.seconds / 2)
            await self._engine.pause(session)
            await self._clock.sleep(3 * _STEP)
            await self._engine.stop(session)
            await self._clock.sleep(20 * _STEP)
            session = await self._engine.play(person, key, client="tablet")
            await self._play_for(session, session.node.seconds - session.offset)
            await self._engine.stop(session)

    async def _undecided(self, person: Person, show: str, movies: list[str]) -> None:
        """Looks into a film for a few seconds, then watches an episode after all, out of order."""
        episodes = self._plex.library.episodes(show)
        for number, movie in enumerate(movies):
            session = await self._begin(person, movie, "phone")
            await self._play_for(session, _STEP)
            await self._engine.stop(session)
            session = await self._begin(person, episodes[(number * 7) % len(episodes)], "phone")
            await self._play_for(session, session.node.seconds)
            await self._engine.stop(session)

    async def _begin(self, person: Person, key: str, client: str, *, follows: bool = False) -> Session:
        node = self._plex.library[key]
        self._seen(Viewing(person, node, follows))
        return await self._engine.play(person, key, client=client)

    async def _play_for(self, session: Session, seconds: float) -> None:
        left = seconds
        while left > _STEP:
            await self._clock.sleep(_STEP)
            await self._engine.advance(session, _STEP)
            left -= _STEP
        await self._clock.sleep(left)
