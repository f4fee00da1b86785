"""How long the event loop is held up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_STEP = 0.005


class Ticker:
    """The delays, in seconds, by which a five-millisecond ticker came late."""

    def __init__(self) -> None:
        self.late: list[float] = []

    async def run(self) -> None:
        """Tick. Never returns."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _STEP
            await asyncio.sleep(_STEP)
            self.late.append(loop.time() - due)


@asynccontextmanager
async def ticking() -> AsyncIterator[Ticker]:
    """Measure for the length of the block."""
    ticker = Ticker()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ticker.run())
        try:
            yield ticker
        finally:
            task.cancel()
