"""Brings files back to the array from what the folders alone say: for those who have lost, or want, nothing else."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from daemon.config import MappingSettings, TransferSettings
from daemon.errors import StorageError, TierUnavailable, UnmappedPath
from daemon.model import Entry, Goal, Intent
from daemon.storage import anchors, leftovers, looks, manifest, tree
from daemon.storage.faults import translated
from daemon.storage.losses import lost
from daemon.storage.means import Means, Note
from daemon.storage.mending import compare_backup, drop_backup
from daemon.storage.mover import Pace
from daemon.storage.names import lstat, same_file
from daemon.storage.paths import OWN_FOLDER, Mappings, parts_below
from daemon.storage.proofs import Comparison
from daemon.storage.sites import Site
from daemon.storage.states import BACKUP_SUFFIX, At, Step, copy_at
from daemon.storage.steps import Hands
from daemon.storage.strays import Stray, Survey, describe, search
from daemon.storage.threads import Threads
from daemon.storage.walk import Settled, Walk

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file. `home`: nothing of it is left elsewhere. `changed`: something was done for that.

    `why`: why it is not home, or what else there is to know about it; empty if all is well.
    """

    path: str
    home: bool
    changed: bool
    why: str = ""


class Homecoming:
    """Walks each file home, without a journal: where it was interrupted, the disks say where to go on."""

    def __init__(self, mappings: Sequence[MappingSettings], transfer: TransferSettings, executor: Executor) -> None:
        self._mappings = Mappings(mappings)
        self._given_up = threading.Event()
        self._means = Means(
            self._mappings,
            transfer,
            Threads(executor),
            Pace(transfer.rate_limit.bytes or 0),
            keep_free=lambda _total: 0,
            now=time.time,
            touch=lambda _operation, _reason: None,
        )

    def give_up(self) -> None:
        """Have a walk that is under way end at the next folder."""
        self._given_up.set()

    def survey(self, mapping: MappingSettings) -> Survey:
        """Look for what has to be brought back. Blocks, as long as it takes to walk the array; changes nothing."""
        return search(mapping, self._mappings, self._given_up)

    def prepare(self, survey: Survey) -> None:
        """Remove the temporary files that an interrupted copy left. Blocks."""
        for left in map(Path, survey.leftovers):
            survey.demand_wanted()
            with suppress(OSError):
                looks.remove_unused(left)
        if survey.alive:
            leftovers.sweep(survey.mapping)
            with suppress(OSError), tree.own_folder(survey.mapping.cache):
                pass  # for the probes that prove that the two tiers are two

    def finish(self, survey: Survey) -> None:
        """Remove the empty folders that were made for copies, and ours from a cache that never held any. Blocks."""
        if not survey.alive:
            return
        cache = Path(survey.mapping.cache)
        for above, folders, files in os.walk(cache, topdown=False):
            survey.demand_wanted()
            if not folders and not files:
                tree.remove_empty(str(cache), Path(above).relative_to(cache).parts)
        own = cache / OWN_FOLDER
        with suppress(OSError):
            if not (own / manifest.NAME).exists():
                own.rmdir()

    async def bring(self, stray: Stray, survey: Survey, progress: Callable[[int, int], None]) -> Outcome:
        """Bring one file back. Newer content wins, and what cannot be decided stays as it is."""
        path, steps = stray.entry.file.array_path, 0

        async def note(_intent: Intent) -> None:
            nonlocal steps
            steps += 1

        if stray.why:
            return Outcome(path, home=False, changed=False, why=stray.why)
        try:
            if not survey.alive:
                raise tree.not_our_cache(survey.mapping.cache)
            entry: Entry | None = await self._decided(await self._without_twin(stray, note))
            while entry is not None:
                settled = await Walk(self._means, entry, note, reason="restore", progress=progress).to(Goal.UNCACHED)
                entry = None if settled.cached else await self._also(settled.entry, survey, note)
        except TierUnavailable as error:
            return await self._without_cache(stray, survey, error)
        except StorageError as error:
            return Outcome(path, home=False, changed=steps > 0, why=str(error))
        return await self._run(stray.entry, _settled, stray.entry, survey.mapping, settled, steps)

    async def _without_twin(self, stray: Stray, note: Note) -> Stray:
        """Delete a backup whose bytes the original beside it has, too: it must not replace that unproven.

        StorageError where size and time are the same, and the bytes are not: nobody can tell which are right.
        """
        entry = stray.entry
        if entry.keeps_original:
            return stray
        site = self._means.site(entry, "restore")
        comparison = await self._run(entry, _twins, site)
        if comparison is None:
            return stray
        try:
            with translated(entry.file.array_path):
                while not comparison.complete:
                    await self._run(entry, comparison.step)
                backup, original = await self._run(entry, comparison.identities)
            if comparison.equal:
                await note(Intent(entry, Goal.UNCACHED, Step.RESTORE))
                await self._run(entry, drop_backup, site, comparison)
        finally:
            comparison.close()
        if comparison.equal:
            proven = replace(entry, mtime_ns=original.mtime_ns)
            return replace(stray, entry=proven, doubtful=await self._run(entry, site.copy) is not None)
        if (backup.size, backup.mtime_ns) != (original.size, original.mtime_ns):
            return stray
        raise StorageError(f"{site.backup} has its size and time, but other bytes; keep the right one by hand")

    async def _decided(self, stray: Stray) -> Entry:
        """Return the entry of a file whose copy and backup differ in their time at most."""
        entry = stray.entry
        if not stray.doubtful:
            return entry
        mapping = self._means.mappings.by_name(entry.file.mapping)
        comparison = await self._run(entry, _compare, entry, mapping)
        try:
            with translated(entry.file.cache_path):
                while not comparison.complete:
                    await self._run(entry, comparison.step)
                copied, _ = await self._run(entry, comparison.identities)
        finally:
            comparison.close()
        if comparison.equal:
            return replace(entry, copy_mtime_ns=copied.mtime_ns)
        if copied.mtime_ns > entry.mtime_ns:
            return entry
        raise StorageError("its copy and its backup differ, and the copy is not the newer one")

    async def _also(self, entry: Entry, survey: Survey, note: Note) -> Entry | None:
        """Return another entry for a file whose original was kept, if somebody else's backup lies beside it."""
        if not entry.keeps_original:
            return None
        found = await self._run(entry, describe, entry.file, survey.mapping)
        if found is None or found.why or found.doubtful:
            return None
        return (await self._without_twin(found, note)).entry

    async def _without_cache(self, stray: Stray, survey: Survey, error: StorageError) -> Outcome:
        """Put the backup back under its original's name, whatever has become of the copy."""
        entry, path = stray.entry, stray.entry.file.array_path
        try:
            site = self._means.site(entry, "restore")
            changed, why = await self._run(entry, _put_back, site, survey.alive)
        except StorageError as worse:
            return Outcome(path, home=False, changed=False, why=str(worse))
        if survey.alive:
            why = f"the original is there, but its copy stays: {error}"
        return Outcome(path, home=not survey.alive, changed=changed, why=why)

    async def _run(self, entry: Entry, call: Callable[[*Ts], T], *args: *Ts) -> T:
        return await self._means.threads.run(entry.file.mapping, call, *args)


def _twins(site: Site) -> Comparison | None:
    """Begin to compare a backup with an original of the same size beside it; None if there are no such two."""
    path = site.entry.file.array_path
    with translated(path), site.array_folder() as folder:
        original, backup = lstat(site.name, folder), lstat(site.backup, folder)
        if folder is None or not original or not backup or not stat.S_ISREG(backup.st_mode):
            return None
        if stat.S_ISLNK(original.st_mode) and not site.is_our_link(site.name, folder):
            raise StorageError(f"a link of somebody else's stands at its name, so {site.backup} stays")
    if not stat.S_ISREG(original.st_mode) or original.st_size != backup.st_size or same_file(original, backup):
        return None
    return compare_backup(site)


def _settled(entry: Entry, mapping: MappingSettings, settled: Settled, steps: int) -> Outcome:
    """Return what a walk came to; of a file that is lost, what to do about it."""
    file = entry.file
    if steps == 0 and settled.why and (why := lost(file.array_path, file.cache_path, mapping)):
        return Outcome(file.array_path, home=False, changed=False, why=why)
    return Outcome(file.array_path, home=not settled.cached, changed=steps > 0, why=settled.why)


def _compare(entry: Entry, mapping: MappingSettings) -> Comparison:
    parts = parts_below(entry.file.array_path, mapping.array)
    with translated(entry.file.cache_path, gone=TierUnavailable):
        copy = tree.open_file(mapping.cache, parts)
    try:
        with translated(entry.file.array_path):
            backup = _open_first(mapping.array, parts)
    except BaseException:
        os.close(copy)
        raise
    return Comparison(copy, backup)


def _open_first(array: str, parts: tuple[str, ...]) -> int:
    """Open the backup, or where that is only a link of ours, the original."""
    try:
        return tree.open_file(array, (*parts[:-1], parts[-1] + BACKUP_SUFFIX))
    except (FileNotFoundError, UnmappedPath):
        return tree.open_file(array, parts)


def _put_back(site: Site, alive: bool) -> tuple[bool, str]:
    """Give the backup its original's name, if that is free or holds our link.

    Return whether that had to be done, and what else there is to know. StorageError where nothing can be put back.
    """
    entry = site.entry
    anchors.demand_anchor(site.mapping)
    if alive and _copy(entry) not in {At.NOTHING, At.RECORDED}:
        raise StorageError("its copy was changed on the cache, and the cache cannot be used")
    with translated(entry.file.array_path), tree.folder(site.mapping.array, site.parts[:-1]) as folder:
        original, backup = lstat(site.name, folder), lstat(site.backup, folder)
        if original and stat.S_ISREG(original.st_mode):
            return False, f"what stands under its name with {BACKUP_SUFFIX} is kept" if backup else ""
        if backup is None or not stat.S_ISREG(backup.st_mode):
            raise StorageError(f"there is no {site.backup}, and the cache cannot be read")
        if original and not site.is_our_link(site.name, folder):
            raise StorageError("something that is no file of ours stands at the original's name")
        Hands(site, threading.Lock()).put_over(site.backup, folder)
    return True, ""


def _copy(entry: Entry) -> At:
    try:
        return copy_at(os.lstat(entry.file.cache_path), entry)
    except OSError:
        return At.NOTHING
