"""What happens, told to whoever listens now: pages, the command line, notifiers.

Nothing is kept for later: who comes late, or reads too slowly, gets one `resync` in place of what was
missed and reads the rows again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

RESYNC = "resync"
"""The kind that says: something was left out, read everything again."""

_BUFFER = 256


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened. `id` counts up from 1 for the life of the process."""

    id: int
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Subscription:
    """One reader's notices, oldest first. Iteration ends when it is closed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: deque[Notice] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def put(self, notice: Notice) -> None:
        """Keep `notice` for the reader; where there is no room, all that waits becomes one resync."""
        if len(self._waiting) >= self._size:
            self._waiting.clear()
            notice = Notice(notice.id, RESYNC)
        self._waiting.append(notice)
        self._news.set()

    def close(self) -> None:
        """End the iteration at once; what waits is dropped."""
        self._closed = True
        self._waiting.clear()
        self._news.set()

    def __aiter__(self) -> AsyncIterator[Notice]:
        return self

    async def __anext__(self) -> Notice:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()


class Feed:
    """Tells every subscriber of everything, in order, without ever waiting for one of them."""

    def __init__(self, size: int = _BUFFER) -> None:
        """Hold back at most `size` notices for each reader."""
        self._size = size
        self._count = 0
        self._readers: set[Subscription] = set()

    @property
    def readers(self) -> int:
        """Return how many read now."""
        return len(self._readers)

    def publish(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell all subscribers. Only on the event loop's thread; `data` is JSON and stays as it is."""
        self._count += 1
        notice = Notice(self._count, kind, data)
        for reader in self._readers:
            reader.put(notice)

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Subscription]:
        """Hear everything that is published from now until the context ends."""
        reader = Subscription(self._size)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
