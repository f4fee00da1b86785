"""Waking whoever waits, without a lost wake-up."""

from __future__ import annotations

import asyncio

from daemon.clock import Clock


class Bell:
    """Rings for everybody who heard fewer rings than there were."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = asyncio.Event()
        self.rings = 0

    def ring(self) -> None:
        """Wake all who wait."""
        self.rings += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, heard: int, seconds: float | None) -> None:
        """Return once there were more than `heard` rings, or after `seconds` (None: without end)."""
        if self.rings == heard:
            await self._clock.wait(self._event, seconds)
