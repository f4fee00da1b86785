"""The events of one play, in order, until they are delivered."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from daemon.model import Event, Item, Play, PlaybackStarted, PlaybackStopped, Watched


class Over(Exception):
    """The play ended, or turned out to be none, before Plex answered."""


@dataclass(slots=True)
class Lane:
    """What is still to be told of one play.

    `told`: its start has been told, or is just being; `recorded`: whoever was told is done with it. `asking`: for what
    follows it. `news`: who plays, whether that counts and what follows, as told last.
    """

    play: Play
    told: bool = False
    recorded: bool = False
    item: Item | None = None
    asking: asyncio.Task[None] | None = None
    news: tuple[str, bool, list[str]] | None = None
    events: deque[tuple[Event, list[Item] | None]] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, event: Event, following: list[Item] | None = None) -> None:
        """Put in an event; `following` where what follows need not be asked for."""
        if not isinstance(event, Watched):
            self.play = event.play
        self.events.append((event, following))
        self.wake.set()
        if isinstance(event, PlaybackStopped):
            self.ended.set()

    async def get(self) -> tuple[Event, list[Item] | None]:
        """Wait for the next event."""
        while not self.events:
            self.wake.clear()
            await self.wake.wait()
        return self.events.popleft()

    def repeats(self, play: Play, following: list[Item]) -> bool:
        """Note what is about to be told; say whether that is what was told last: a queue's name may change nothing."""
        before = self.news
        selected = self.item is not None and self.item.selected
        self.news = (play.user.id, selected, [item.rating_key for item in following])
        return self.item is not None and self.news == before

    @property
    def starts(self) -> bool:
        """Whether the start is still to be told."""
        return any(isinstance(event, PlaybackStarted) for event, _ in self.events)
