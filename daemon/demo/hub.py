"""Notifications on their way to everybody who listens, on websockets and on event streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.demo.faults import Faults, Pace
from daemon.demo.people import Person

PLAYING = ("playing", "PlaySessionStateNotification")
TIMELINE = ("timeline", "TimelineEntry")
ACTIVITY = ("activity", "ActivityNotification")
STATUS = ("status", "StatusNotification")
TRANSCODE_UPDATE = ("transcodeSession.update", "TranscodeSession")

_ON_REQUEST_ONLY = frozenset({"log"})


@dataclass(frozen=True, slots=True)
class Frame:
    """One message for the sockets. `kind`, `key` and `entries` are what event streams make of it."""

    text: str | bytes
    pace: Pace = field(default_factory=Pace)
    kind: str = ""
    key: str = ""
    entries: tuple[Mapping[str, Any], ...] = ()


@dataclass(eq=False, slots=True)
class Listener:
    """One listener. `only`/`never` are its filters; a guest hears only of its own plays."""

    person: Person
    only: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    frames: asyncio.Queue[Frame] = field(default_factory=asyncio.Queue)

    def wants(self, kind: str, person: Person | None) -> bool:
        """Say whether this listener is told of such a message about this person."""
        if not self.person.is_owner and (kind != "playing" or person != self.person):
            return False
        if self.only:
            return kind in self.only
        return kind not in self.never | _ON_REQUEST_ONLY


def parse_filters(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return (only these kinds, not these kinds) of a ``filters`` query."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    never = frozenset(name[1:] for name in names if name.startswith("-"))
    return (frozenset() if never else frozenset(names)), never


class Hub:
    """Hands each notification to all listeners, after the frame faults have had their way with it."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.listeners: set[Listener] = set()
        self._changed = asyncio.Condition()

    def publish(self, what: tuple[str, str], *entries: Mapping[str, Any], person: Person | None = None) -> None:
        """Tell all listeners; `what` is the type and the name of its array, `person` whom it is about."""
        kind, key = what
        fault = self.faults.for_frame(kind)
        for spoilt in fault.spoil(entries):
            body = {"NotificationContainer": {"type": kind, "size": len(spoilt), key: list(spoilt)}}
            text = json.dumps(fault.wrap(key, body))
            frame = Frame(text.encode() if fault.binary else text, fault.pace, kind, key, spoilt)
            for listener in self.listeners:
                if listener.wants(kind, person):
                    listener.frames.put_nowait(frame)

    def send_raw(self, message: str | bytes) -> None:
        """Send exactly this to every websocket: text as a text frame, bytes as a binary one."""
        for listener in self.listeners:
            listener.frames.put_nowait(Frame(message))

    async def join(self, listener: Listener) -> None:
        self.listeners.add(listener)
        await self._tell()

    async def leave(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        await self._tell()

    async def wait_for_listeners(self, amount: int = 1) -> None:
        """Wait until at least so many listen (0: until nobody does)."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.listeners) >= amount if amount else not self.listeners)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
