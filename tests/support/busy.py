"""A household that never rests, on a simulated server: what a daemon has to survive being killed in."""

from __future__ import annotations

import asyncio
from random import Random

from daemon.demo.people import Person
from daemon.demo.server import DemoServer
from daemon.demo.sessions import Session

_SHORTEST, _LONGEST = 0.02, 0.15
"""Seconds between two things that people do."""
_SEEN = 0.97
"""The share of an item to which somebody jumps who wants to have seen it."""


class Busy:
    """Plays, pauses, seeks and stops by chance, the same for the same seed, except while it is held."""

    def __init__(self, plex: DemoServer, seed: int) -> None:
        self._plex = plex
        self._engine = plex.engine
        self._random = Random(seed)
        library = plex.library
        self._keys = [*library.movies, *(key for show in library.shows for key in library.episodes(show))]
        self._going = asyncio.Event()

    def hold(self) -> None:
        """Let everybody sit still from now on: what plays goes on, nothing new is done."""
        self._going.clear()

    def go(self) -> None:
        """Let them go on."""
        self._going.set()

    async def calm(self) -> None:
        """Let everybody stop, and sit still."""
        self.hold()
        for session in list(self._engine.sessions.values()):
            await self._engine.stop(session)

    async def run(self) -> None:
        """Never returns."""
        while True:
            await self._going.wait()
            person = self._random.choice(list(self._plex.people))
            mine = [one for one in self._engine.sessions.values() if one.person.id == person.id]
            if mine:
                await self._go_on(mine[0])
            else:
                await self._begin(person)
            await asyncio.sleep(self._random.uniform(_SHORTEST, _LONGEST))

    async def _begin(self, person: Person) -> None:
        await self._engine.play(person, self._random.choice(self._keys), client=f"tv of {person.title}")

    async def _go_on(self, session: Session) -> None:
        match self._random.choice(("stop", "see", "see", "pause", "report", "report", "report")):
            case "stop":
                await self._engine.stop(session)
            case "see":
                await self._engine.seek(session, session.node.seconds * _SEEN)
                await self._engine.stop(session)
            case "pause":
                await self._engine.pause(session)
                await self._engine.resume(session)
            case _:
                await self._engine.report(session)
