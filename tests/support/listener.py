"""A listener on the simulated Plex server, and what it has said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from daemon.clock import Clock
from daemon.config import Settings, build
from daemon.demo.server import DemoServer
from daemon.model import Event, Item, Play
from daemon.plex.library import PlexLibrary
from daemon.plex.listener import Listener
from tests.support.plex import small_library
from tests.support.tracker import said


class Household:
    """Everything that the listener has told, and the listener itself."""

    def __init__(self, server: DemoServer, clock: Clock, settings: dict[str, Any]) -> None:
        self.plex = plex = server
        self.clock = clock
        self.settings = self.set(**settings)
        self.library = PlexLibrary(url=plex.url, token=self.settings.plex.token.get_secret_value(), clock=clock)
        self.told: list[tuple[Event, Item | None, list[Item]]] = []
        self.marks: list[float] = []
        self.watched: dict[str, float] = {}
        self.hold: asyncio.Event | None = None
        """While set to an event that is not: starts are not taken."""
        self._news = asyncio.Condition()
        self.listener: Listener

    def set(self, token: str | None = None, **tables: Any) -> Settings:
        plex = {"url": self.plex.url, "token": self.plex.token if token is None else token}
        # On a fast clock five minutes go by while a busy machine does something else.
        playback = {"stale_session": "1d", **tables.get("playback", {})}
        self.settings = build({**tables, "plex": {**plex, **tables.get("plex", {})}, "playback": playback})
        return self.settings

    @property
    def lines(self) -> list[str]:
        return [said(event) for event, _, _ in self.told]

    async def on_event(self, event: Event, item: Item | None, following: list[Item]) -> None:
        if self.hold is not None:
            await self.hold.wait()
        async with self._news:
            self.told.append((event, item, following))
            self._news.notify_all()

    async def known_watched(self, _user: str) -> Mapping[str, float]:
        return self.watched

    async def on_mark(self, mark: float) -> None:
        async with self._news:
            self.marks.append(mark)
            self._news.notify_all()

    async def hears(self, *lines: str) -> None:
        """Wait until all these lines have been told."""
        async with self._news:
            await self._news.wait_for(lambda: set(lines) <= set(self.lines))

    async def marked(self, times: int = 1) -> None:
        """Wait until the history has been read so often that it moved the mark."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.marks) >= times)


@asynccontextmanager
async def household(
    server: DemoServer,
    *,
    clock: Clock | None = None,
    plays: Sequence[Play] = (),
    history_since: float | None = None,
    machine_identifier: str = "",
    **settings: Any,
) -> AsyncIterator[Household]:
    """Listen to the server until the end of the block."""
    house = Household(server, clock or server.clock, settings)
    async with PlexLibrary(
        url=server.url,
        token=house.settings.plex.token.get_secret_value(),
        clock=house.clock,
        machine_identifier=machine_identifier,
    ) as house.library:
        house.listener = Listener(
            settings=lambda: house.settings,
            library=house.library,
            clock=house.clock,
            on_event=house.on_event,
            known_watched=house.known_watched,
            on_history_mark=house.on_mark,
            history_since=history_since,
            plays=plays,
        )
        async with asyncio.TaskGroup() as group:
            task = group.create_task(house.listener.run())
            yield house
            task.cancel()


def demo_server(*, speed: float = 1.0) -> DemoServer:
    return DemoServer(small_library(episodes=6), clock=Clock(speed=speed))


def episodes(plex: DemoServer, show: int = 0) -> list[str]:
    return plex.library.episodes(plex.library.shows[show])


async def landmark(house: Household, key: str = "") -> str:
    """Play a movie and wait for it: what was to come before it has come by then."""
    movie = key or house.plex.library.movies[0]
    await house.plex.engine.play("Cleo", movie, client="landmark")
    await house.hears(f"started {movie} by Cleo")
    return f"started {movie} by Cleo"
