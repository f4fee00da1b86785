"""Measures the cache file systems. Never the array."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from daemon.asking import Asker
from daemon.live import Live
from daemon.storage.space import room

log = structlog.get_logger()


class Rooms:
    """The space on each mapping's cache.

    `problems` names the mappings whose cache cannot be measured, and why; `full` those for whose files the last
    plan found no room.
    """

    def __init__(self, live: Live, asker: Asker) -> None:
        self._live = live
        self._asker = asker
        self.problems: dict[str, str] = {}
        self.full: dict[str, str] = {}

    async def measure(self) -> dict[str, tuple[str, int, int]]:
        """Return file system id, total and free bytes for each mapping whose cache answers."""
        found = {}
        problems = {}
        mappings = self._live.mappings
        for mapping in mappings.all:
            try:
                found[mapping.name] = await self._asker.ask(f"room {mapping.name}", room, mapping.cache)
            except TimeoutError:
                problems[mapping.name] = f"the cache {mapping.cache} does not answer"
            except OSError as error:
                problems[mapping.name] = f"the cache {mapping.cache} cannot be used: {error.strerror}; is it mounted?"
        # One that is switched off may well be gone for good.
        problems = {name: why for name, why in problems.items() if mappings.by_name(name).enabled}
        for name in problems.keys() - self.problems.keys():
            log.error("cache_unreachable", mapping=name, why=problems[name])
        for name in self.problems.keys() - problems.keys():
            log.info("cache_reachable", mapping=name)
        self.problems = problems
        return found

    def note_full(self, refused: Mapping[str, int]) -> None:
        """Take how many wanted files of each mapping found no room in a plan that is in force."""
        full = {
            name: f"{self._live.mappings.by_name(name).cache} has no room for {count} wanted file{'s'[: count > 1]}"
            for name, count in refused.items()
        }
        for name in full.keys() - self.full.keys():
            log.warning("cache_full", mapping=name, why=full[name])
        for name in self.full.keys() - full.keys():
            log.info("cache_has_room", mapping=name)
        self.full = full
