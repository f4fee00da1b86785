"""What every copy needs, whichever way it goes."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import structlog

from daemon.config import MappingSettings, TransferSettings
from daemon.errors import VerifyFailed
from daemon.model import Entry, Intent
from daemon.storage.faults import translated
from daemon.storage.mover import OpenFiles, Pace, Reading, in_slices
from daemon.storage.paths import Mappings
from daemon.storage.sites import Site
from daemon.storage.threads import Threads

log = structlog.get_logger()

Note = Callable[[Intent], Awaitable[None]]
"""Writes a row of the journal; when it returns, the row is durable."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every copy needs. See `Placement` for what each means."""

    mappings: Mappings
    transfer: TransferSettings
    threads: Threads
    pace: Pace
    keep_free: Callable[[int], int]
    now: Callable[[], float]
    touch: Callable[[str, str], None]
    lossy: set[tuple[str, str]] = field(default_factory=set)
    """Mappings, and the tier of them, of which it was said that they cannot keep all attributes."""
    locks: WeakValueDictionary[str, threading.Lock] = field(default_factory=WeakValueDictionary)

    def lock(self, array_path: str) -> threading.Lock:
        """Return the lock of one file's names: the same for all who have it at a time."""
        return self.locks.setdefault(array_path, threading.Lock())

    def site(self, entry: Entry, reason: str) -> Site:
        """Return where an entry is placed; `reason` is what the operations on the array are for."""
        mapping = self.mappings.by_name(entry.file.mapping)
        return Site(entry, mapping, lambda operation: self.touch(operation, reason))

    async def copy_of(self, entry: Entry) -> bool | None:
        """Say whether the copy stands as recorded; None if nothing is at its name. Never touches the array."""
        site = self.site(entry, "")

        def look() -> bool | None:
            return None if site.copy() is None else site.stands()

        return await self.threads.run(site.mapping.name, look)

    async def prove(self, mapping: str, files: OpenFiles, size: int, checksum: str, path: str) -> None:
        """Read the second of these files from its disk; VerifyFailed unless it has this checksum."""
        reading = Reading(files, size, index=1)
        with translated(path):
            found = await in_slices(self.threads, mapping, reading, pace=self.pace)
        if found != checksum:
            raise VerifyFailed(f"{path}: the disk gave back other bytes than were written")

    def say_lost(self, mapping: MappingSettings, tier: str, lost: list[str]) -> None:
        """Say what a tier cannot keep of a file, once for each."""
        if lost and (mapping.name, tier) not in self.lossy:
            self.lossy.add((mapping.name, tier))
            log.warning("attributes_lost", mapping=mapping.name, path=tier, why=", ".join(sorted(lost)))
