"""Tells at once what may have changed in the library, once what is said of it has come to rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from daemon.clock import Clock
from daemon.plex.changes import LibraryChanged, LibraryNews


class Newsroom:
    """Hears the notifications about the library. Nothing but `run` waits.

    `on_change` may be set before it runs; it is told of each change and returns at once.
    """

    def __init__(self, clock: Clock) -> None:
        self.on_change: Callable[[LibraryChanged], None] = lambda _: None
        self._clock = clock
        self._news = LibraryNews()
        self._heard = asyncio.Event()
        self._trusted = False

    def hear(self, container: Mapping[str, Any] | None) -> None:
        """Take what a notification holds; None: it was too large to be looked at."""
        if container is None:
            self.missed()
        elif self._news.take(container, self._clock.now()):
            self._heard.set()

    def webhook(self, payload: Mapping[str, Any], server: str) -> bool:
        """Take a webhook; return whether it tells of the library of this server."""
        taken = self._news.webhook(payload, server, self._clock.now())
        if taken:
            self._heard.set()
        return taken

    def missed(self) -> None:
        """Take it that anything may have been said that was not heard."""
        self._news.missed(self._clock.now())
        self._heard.set()

    def trust(self, *, same_server: bool) -> None:
        """Tell what is heard, or keep it back: another server at this address is of no interest."""
        self._trusted = same_server
        self._heard.set()

    def lost(self) -> None:
        """Forget what was heard: the next connection begins with what was `missed`."""
        self._trusted = False
        self._news.forget()

    async def run(self) -> None:
        """Tell. Never returns."""
        while True:
            self._heard.clear()
            due = self._news.due if self._trusted else None
            await self._clock.wait(self._heard, None if due is None else due - self._clock.now())
            if self._trusted and (changed := self._news.collect(self._clock.now())):
                self.on_change(changed)
