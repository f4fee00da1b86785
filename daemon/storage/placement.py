"""Where files are placed: brought to the cache, served from it, and brought back."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

import structlog

from daemon.config import MappingSettings, TransferSettings
from daemon.errors import StorageError, TierUnavailable, UnsafeEvict
from daemon.model import Entry, File, Goal, Intent
from daemon.storage import leftovers, manifest, tree
from daemon.storage.deletions import demand_deleted
from daemon.storage.family import Family
from daemon.storage.faults import translated
from daemon.storage.means import Means, Note
from daemon.storage.mover import Pace
from daemon.storage.paths import Mappings
from daemon.storage.renames import Renaming
from daemon.storage.sites import vanished
from daemon.storage.threads import Threads
from daemon.storage.walk import Settled, Walk

log = structlog.get_logger()

Progress = Callable[[int, int], None]
Touch = Callable[[str, str], None]
Trouble = Callable[[str, StorageError], Awaitable[object]]


async def _no_note(_intent: Intent) -> None:
    """Write nothing down: for those who settle everything they began before they end."""


class Placement:
    """Brings files in and takes them off again.

    `executor` runs what blocks; give it two threads for each worker and two for each mapping. `on_touch`
    hears of each operation on the array (``open``, ``read``, ``stat``, ``list``) and its reason, from any
    thread. `keep_free` says how many bytes of a cache of so many bytes stay free. `now` dates the entries.
    """

    def __init__(
        self,
        mappings: Mappings,
        transfer: TransferSettings,
        executor: Executor,
        *,
        on_touch: Touch,
        keep_free: Callable[[int], int] = lambda _total: 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._means = Means(
            mappings,
            transfer,
            Threads(executor),
            _pace(transfer),
            keep_free=keep_free,
            now=now,
            touch=on_touch,
        )
        self._swept: set[str] = set()

    def configure(self, mappings: Mappings, transfer: TransferSettings, *, keep_free: Callable[[int], int]) -> None:
        """Take new settings for everything that begins from now on."""
        self._means = replace(
            self._means, mappings=mappings, transfer=transfer, pace=_pace(transfer), keep_free=keep_free
        )

    async def cache_in(
        self,
        file: File,
        progress: Progress,
        *,
        known: Mapping[str, Entry] = MappingProxyType({}),
        used: bool = False,
        busy: Callable[[], bool] = lambda: False,
        note: Note = _no_note,
    ) -> list[Entry]:
        """Bring a video in, then its sidecars. Return the video's entry, then theirs.

        All or nothing: after an error or a cancel nothing of it is left on the cache. A sidecar that cannot
        be brought in is only logged. `known` holds the entries of this video and its sidecars, by array path;
        a copy that stands there is not made again. `used` says that the ledger has files on this
        cache: then an empty folder where the cache should be mounted is not filled. `note` writes a row of the
        journal before each step that gives something a name or takes it away; `recover` makes of the last of them
        what is to be made of it after a crash.
        """
        mapping = self._means.mappings.by_name(file.mapping)
        self._means.mappings.demand_enabled(file)
        if mapping.cache not in self._swept:
            await self._means.threads.run(mapping.name, self._sweep, mapping)
        recorded = known.get(file.array_path)
        family = Family(self._means, file, known=known, used=used, progress=progress, busy=busy, note=note)
        if recorded:
            if await self._means.copy_of(recorded) is not None:
                return await family.complete(recorded)
            # Its original may still be put aside.
            await self.evict(recorded, note=note)
        try:
            return await family.bring()
        except TierUnavailable:
            # It may have gone with a temporary file of this very copy on it.
            self._swept.discard(mapping.cache)
            raise

    async def evict(
        self,
        entry: Entry,
        *,
        note: Note = _no_note,
        busy: Callable[[], bool] = lambda: False,
        progress: Progress = lambda _done, _total: None,
    ) -> None:
        """Bring the original back, by name or by content, and delete the copy once that is proven.

        UnsafeEvict where it cannot be proven, or nobody can tell which of two versions is newer: then all stay.
        """
        settled = await self._walk(entry, note, "evict", busy=busy, progress=progress).to(Goal.UNCACHED)
        if settled.cached:
            raise UnsafeEvict(f"{entry.file.cache_path} stays on the cache: {settled.why}")
        if settled.why:
            log.warning("version_kept", path=entry.file.array_path, why=settled.why)

    async def delete(
        self, entry: Entry, *, replaced_by: Sequence[File] = (), aside: bool = False, note: Note = _no_note
    ) -> Settled:
        """Delete what is left of a file that somebody else has deleted, if its media path shows that.

        `replaced_by` are the files, with their sizes, that took its place; until they stand there nothing is deleted.
        `aside` leaves one copy of it, as its backup. UnsafeEvict, or a `Settled` that is cached, where it is not so.
        """
        walk = self._walk(entry, note, "deleted")
        mapping = self._means.mappings.by_name(entry.file.mapping)
        others = [(self._means.mappings.by_name(new.mapping), new) for new in replaced_by]
        await self._means.threads.run(mapping.name, demand_deleted, walk.site, others)
        return await walk.to(Goal.SET_ASIDE if aside else Goal.DELETED)

    async def follow(self, entry: Entry, new: File) -> Entry:
        """Have what is cached under one name be what is cached under another, which somebody gave the original.

        Return its entry from now on. May be begun again wherever it was interrupted. UnsafeEvict where what stands
        there is not what a renaming leaves.
        """
        renaming = Renaming(self._means, entry, new)
        return await self._means.threads.run(entry.file.mapping, renaming.follow)

    async def recover(self, intent: Intent, *, note: Note = _no_note) -> Settled:
        """Finish what a row of the journal says was interrupted. Never copies, and needs no Plex."""
        return await self._walk(intent.entry, note, "recovery").recover(intent.goal)

    async def stands(self, entry: Entry) -> bool:
        """Say whether a copy is on the cache as recorded. Never touches the array."""
        return bool(await self._means.copy_of(entry))

    async def gone(self, entries: Iterable[Entry], trouble: Trouble | None = None) -> list[Entry]:
        """Return those of which nothing is on the cache any more. Never touches the array.

        Give it a few hundred at once, which take a thread for a moment. A cache that is not the one that held them, or
        does not answer, tells of nothing that is gone; `trouble` hears of it, with the mapping's name.
        """
        by_mapping: dict[str, list[Entry]] = {}
        for entry in entries:
            by_mapping.setdefault(entry.file.mapping, []).append(entry)
        found: list[Entry] = []
        for name, held in by_mapping.items():
            try:
                mapping = self._means.mappings.by_name(name)
                found += await self._means.threads.run(name, vanished, mapping, held)
            except StorageError as error:
                log.debug("copies_unknown", mapping=name, why=str(error))
                if trouble:
                    await trouble(name, error)
        return found

    async def remembered(self) -> list[Entry]:
        """Return what the manifests on the caches name, and what stands there exactly as recorded."""
        return await self._from_manifests(manifest.standing)

    async def orphaned(self) -> list[Entry]:
        """Return what the manifests name, whose original was put aside and whose copy is gone."""
        return await self._from_manifests(manifest.orphaned)

    async def _from_manifests(self, read: Callable[[MappingSettings], list[Entry]]) -> list[Entry]:
        found: list[Entry] = []
        for mapping in self._means.mappings.all:
            try:
                with translated(mapping.cache):
                    found += await self._means.threads.run(mapping.name, read, mapping)
            except StorageError as error:
                log.warning("recovery_waits", path=mapping.cache, why=str(error))
        return found

    async def remember(self, entries: Iterable[Entry]) -> None:
        """Have the manifests name just these. To be called while nothing is copied or evicted."""
        held = list(entries)
        for mapping in self._means.mappings.all:
            ours = [entry for entry in held if entry.file.mapping == mapping.name]
            try:
                with translated(mapping.cache):
                    await self._means.threads.run(mapping.name, manifest.rewrite, mapping, ours)
            except StorageError as error:
                log.warning("recovery_waits", path=mapping.cache, why=str(error))

    def sweep(self, mappings: Iterable[MappingSettings]) -> list[str]:
        """Remove what a crash left on these mappings' caches (blocking). Return the paths.

        A cache that cannot be reached now is swept before the first copy to it.
        """
        return [path for mapping in mappings for path in self._sweep(mapping)]

    def _sweep(self, mapping: MappingSettings) -> list[str]:
        # Without our folder it may be an empty place where the cache will be mounted.
        with suppress(OSError):
            if tree.has_own_folder(mapping.cache):
                self._swept.add(mapping.cache)
        removed = leftovers.sweep(mapping)
        for path in removed:
            log.info("recovered", path=path, why="an unfinished copy was removed")
        return removed

    def stalled(self) -> dict[str, int]:
        """Return how many threads hang in calls to the tiers of a mapping, for the mappings that have any."""
        means = self._means
        counts = {mapping.name: means.threads.stalled(mapping.name) for mapping in means.mappings.all}
        return {name: count for name, count in counts.items() if count}

    def _walk(
        self,
        entry: Entry,
        note: Note,
        reason: str,
        *,
        busy: Callable[[], bool] = lambda: False,
        progress: Progress = lambda _done, _total: None,
    ) -> Walk:
        return Walk(self._means, entry, note, reason=reason, busy=busy, progress=progress)


def _pace(transfer: TransferSettings) -> Pace:
    return Pace(transfer.rate_limit.bytes or 0)
