"""Time, so that a test or a simulation can run an hour in a second."""

from __future__ import annotations

import asyncio
import time


class Clock:
    """The wall clock. `speed` above 1 makes an hour shorter for everything that waits on this clock."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._origin = time.time()
        self._start = time.monotonic()

    def now(self) -> float:
        """Return seconds since the epoch (scaled from this clock's start)."""
        if self.speed == 1.0:
            return time.time()
        return self._origin + (time.monotonic() - self._start) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Sleep so many seconds of this clock."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        """Wait for `event` at most `seconds` (None: without end). Return whether it is set."""
        if seconds is None:
            await event.wait()
            return True
        try:
            async with asyncio.timeout(max(0.0, seconds) / self.speed):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True
