"""A clock that stands still until a test turns it."""

from __future__ import annotations

import asyncio

from daemon.clock import Clock


class TurnedClock(Clock):
    """Whoever waits on it wakes up when `turn` has passed the moment."""

    def __init__(self, now: float) -> None:
        super().__init__()
        self._now = now
        self._waiting: dict[asyncio.Timeout, float] = {}

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        await self.wait(asyncio.Event(), seconds)

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        if seconds is None:
            return await event.wait()
        if seconds <= 0:
            await asyncio.sleep(0)
            return event.is_set()
        try:
            async with asyncio.timeout(None) as limit:
                self._waiting[limit] = self._now + seconds
                try:
                    await event.wait()
                finally:
                    self._waiting.pop(limit, None)
        except TimeoutError:
            return event.is_set()
        return True

    def next_due(self) -> float | None:
        """Return when the first of those who wait wants to be woken."""
        return min(self._waiting.values(), default=None)

    def turn(self, to: float) -> None:
        """Let it be so late, and wake all whose time has come."""
        self._now = max(self._now, to)
        for limit, due in list(self._waiting.items()):
            if due <= self._now:
                del self._waiting[limit]
                limit.reschedule(asyncio.get_running_loop().time())
