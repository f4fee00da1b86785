"""Measures the cache file systems. Never the array."""

from __future__ import annotations

import asyncio

import structlog

from daemon.live import Live
from daemon.storage.space import room

log = structlog.get_logger()

_PATIENCE = 5.0
"""Seconds after which a cache that does not answer counts as unreachable."""


class Rooms:
    """The space on each mapping's cache; `problems` names the mappings whose cache cannot be measured, and why."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self.problems: dict[str, str] = {}

    async def measure(self) -> dict[str, tuple[str, int, int]]:
        """Return file system id, total and free bytes for each mapping whose cache answers."""
        found = {}
        problems = {}
        for mapping in self._live.mappings.all:
            try:
                async with asyncio.timeout(_PATIENCE):
                    found[mapping.name] = await asyncio.to_thread(room, mapping.cache)
            except TimeoutError:
                problems[mapping.name] = f"{mapping.cache} does not answer"
            except OSError as error:
                problems[mapping.name] = f"{mapping.cache}: {error.strerror}"
        for name in problems.keys() - self.problems.keys():
            log.error("cache_unreachable", mapping=name, why=problems[name])
        for name in self.problems.keys() - problems.keys():
            log.info("cache_reachable", mapping=name)
        self.problems = problems
        return found
