"""What an audit does about its findings. Each is looked at again first: the audit may be a while ago."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from daemon.custody import Custody
from daemon.errors import SourceChanged, SourceMissing, TierUnavailable, UnsafeEvict
from daemon.live import Live
from daemon.model import Entry, Goal, Intent, TaskState
from daemon.state import journal, ledger, tasks
from daemon.state.store import Connection, Store
from daemon.storage import exclusions, findings, looks, mending
from daemon.storage.faults import translated
from daemon.storage.findings import Finding, Name
from daemon.storage.paths import parts_below
from daemon.storage.proofs import Comparison
from daemon.storage.sites import Site
from daemon.storage.states import BACKUP_SUFFIX, Step
from daemon.storage.threads import Threads
from daemon.storage.walk import Settled

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Evict = Callable[[Entry], Awaitable[str]]
"""Has a copy walk back to the array, in whatever way is safe; returns what was done. Raises Waits, StorageError."""

_SIBLINGS = 500
"""So many entries of a folder are looked at for the video that a sidecar belongs to."""


class Repairs:
    """One fix for each finding. Every one raises a StorageError where it has to leave things as they are."""

    def __init__(
        self,
        store: Store,
        live: Live,
        threads: Threads,
        custody: Custody,
        *,
        now: Callable[[], float],
        touched: Callable[[str], None],
        evict: Evict,
    ) -> None:
        self._store = store
        self._live = live
        self._threads = threads
        self._custody = custody
        self._now = now
        self._touched = touched
        self._evict = evict
        self._fixes: dict[Name, Callable[[Finding], Awaitable[str]]] = {
            Name.PARTIAL: self._remove_partial,
            Name.MOVER_EXCLUSION: self._exclude,
            Name.WRONG_OWNER: self._give_owner,
        }
        self._fixes_of_files: dict[Name, Callable[[Entry], Awaitable[str]]] = {
            Name.MISSING_COPY: self._bring_back,
            Name.DANGLING_LINK: self._restore,
            Name.ORPHANED: self._restore,
            Name.DUPLICATE: self._end_duplicate,
            Name.UNFINISHED: self._finish,
            Name.CHANGED_COPY: self._settle,
            Name.MISSING_ORIGINAL: evict,
            Name.REDUNDANT: self._drop_backup,
        }

    async def apply(self, finding: Finding) -> str:
        """Fix it; return what was done."""
        if finding.entry:
            entry = finding.entry
            if await self._store.run(lambda connection: {entry.file.array_path, entry.parent} & in_use(connection)):
                raise SourceChanged("something is being done with it now; look again later")
            if finding.name is Name.MALFORMED:
                return await self._complete_name(finding.path, entry)
            if finding.adopts:
                return await self._adopt(entry)
            if fix := self._fixes_of_files.get(finding.name):
                return await fix(entry)
        return await self._fixes[finding.name](finding)

    async def _remove_partial(self, finding: Finding) -> str:
        if finding.wakes:
            self._touched("change")
        with translated(finding.path):
            await self._threads.run(finding.mapping, looks.remove_unused, Path(finding.path))
        return "removed"

    async def _bring_back(self, entry: Entry) -> str:
        if await self._known(entry) != entry:
            raise SourceChanged("its entry has changed; look again")
        settled = await self._recovered(Intent(entry, Goal.UNCACHED, "audit"))
        if settled.cached:
            raise UnsafeEvict(settled.why or "its copy is there again")
        return settled.why or "the entry is gone, and the original stands at its name"

    async def _restore(self, entry: Entry) -> str:
        if await self._known(entry):
            raise SourceChanged("it has an entry by now; look again")
        settled = await self._recovered(Intent(entry, Goal.UNCACHED, "audit"))
        if settled.cached:
            # There never was an entry; what stands on the cache by now is somebody else's.
            await self._store.run(partial(ledger.drop_entry, array_path=entry.file.array_path))
            raise UnsafeEvict(settled.why or "something stands on the cache by now; look again")
        return settled.why or "the backup has its name back"

    async def _adopt(self, entry: Entry) -> str:
        entry = replace(entry, parent=await self._store.run(partial(_parent, entry=entry)))
        adopted = await self._run(entry, mending.adopt, self._site(entry), self._now())
        if not await self._store.run(partial(_enter, entry=adopted)):
            raise SourceChanged("it has an entry by now; look again")
        return f"adopted as {adopted.placement}"

    async def _finish(self, entry: Entry) -> str:
        if await self._known(entry) != entry:
            raise SourceChanged("its entry has changed; look again")
        settled = await self._recovered(Intent(entry, Goal.CACHED, "audit"))
        if settled.cached and settled.why:
            raise UnsafeEvict(settled.why)
        return settled.why or "finished"

    async def _end_duplicate(self, entry: Entry) -> str:
        try:
            return await self._finish(entry)
        except UnsafeEvict:
            # The original cannot be put aside, so the copy goes, where it is proven to be the same.
            return await self._settle(entry)

    async def _recovered(self, intent: Intent) -> Settled:
        """Do what would be done after a crash with this row in the journal. It stays there if a tier fails."""
        if not intent.entry.keeps_original:
            await self._run(intent.entry, self._site(intent.entry).look)
        await self._store.run(partial(journal.begin, new=intent))
        path = intent.entry.file.array_path
        for settled in await self._custody.recover(path):
            if settled.entry.file.array_path == path:
                return settled
        raise TierUnavailable("a tier does not answer as it should, so this waits; the log says why")

    async def _settle(self, entry: Entry) -> str:
        site = self._site(entry)
        self._touched("read")
        try:
            comparison = await self._run(entry, mending.compare_copy, site, bool(entry.checksum))
        except SourceMissing:
            return await self._evict(entry)
        try:
            if not await self._equal(entry, comparison):
                return await self._evict(entry)
            renewed = await self._run(entry, mending.rerecorded, site, comparison)
        finally:
            comparison.close()
        if renewed == entry:
            # It is not the copy that is in the way: the array has this content under its own name, and a backup too.
            return await self._evict(entry)
        if not await self._store.run(partial(_exchange, old=entry, new=renewed)):
            raise SourceChanged("its entry has changed; look again")
        return "recorded anew: both have the same bytes"

    async def _drop_backup(self, entry: Entry) -> str:
        path = entry.file.array_path
        known = await self._known(entry)
        site = self._site(entry)
        if known is None and await self._run(entry, looks.at, site.mapping.cache, site.parts) is not None:
            raise UnsafeEvict("a copy without an entry stands on the cache; see to that first")
        self._touched("read")
        comparison = await self._run(entry, mending.compare_backup, site)
        try:
            if not await self._equal(entry, comparison):
                raise UnsafeEvict(f"superseded: it differs from {path}; compare the two and delete one by hand")
            intent = Intent(known or entry, Goal.CACHED if known else Goal.UNCACHED, Step.TIDY)
            await self._store.run(partial(journal.begin, new=intent))
            try:
                await self._run(entry, mending.drop_backup, site, comparison)
            finally:
                await self._store.run(partial(journal.end, array_path=path))
        finally:
            comparison.close()
        return "deleted: the original has the same bytes"

    async def _complete_name(self, path: str, entry: Entry) -> str:
        mapping = self._live.mappings.by_name(entry.file.mapping)
        name = Path(entry.file.array_path).name + BACKUP_SUFFIX
        self._touched("change")
        await self._run(entry, mending.complete_name, mapping, parts_below(path, mapping.array), name)
        return f"renamed to {name}"

    async def _give_owner(self, finding: Finding) -> str:
        mapping = self._live.mappings.by_name(finding.mapping)
        parts = twin = parts_below(finding.path, mapping.cache)
        self._touched("change")
        if finding.entry:
            twin = await self._run(finding.entry, mending.twin_of, self._site(finding.entry))
        await self._threads.run(mapping.name, mending.give_owner, mapping, parts, twin)
        return "set as the original's"

    async def _exclude(self, _finding: Finding) -> str:
        path = self._live.settings.unraid.mover_exclude_file
        held = exclusions.wanted(self._live.mappings.all, await self._store.run(ledger.all_entries))
        with translated(path):
            await self._threads.run(path, exclusions.bring_up_to_date, path, held)
        return f"{path} is up to date"

    async def _equal(self, entry: Entry, comparison: Comparison) -> bool:
        while not comparison.complete:
            await self._run(entry, comparison.step)
        return comparison.equal

    async def _known(self, entry: Entry) -> Entry | None:
        return await self._store.run(lambda connection: ledger.get_entry(connection, entry.file.array_path))

    def _site(self, entry: Entry) -> Site:
        return Site(entry, self._live.mappings.by_name(entry.file.mapping), self._touched)

    async def _run(self, entry: Entry, call: Callable[[*Ts], T], *args: *Ts) -> T:
        with translated(entry.file.array_path):
            return await self._threads.run(entry.file.mapping, call, *args)


def in_use(connection: Connection) -> set[str]:
    """Return the array paths of files with which something is being done, and of the videos that they belong to."""
    running = {task.file.array_path for task in tasks.in_state(connection, TaskState.RUNNING)}
    open_rows = {path for row in journal.rows(connection) for path in (row.entry.file.array_path, row.entry.parent)}
    return (running | open_rows) - {""}


def _parent(connection: Connection, *, entry: Entry) -> str:
    """Return the array path of the video beside it that a file belongs to; empty if there is none in the ledger."""
    above, _, name = entry.file.array_path.rpartition("/")
    near = ledger.entries_after(connection, f"{above}/", _SIBLINGS)
    beside = [one.file.array_path.rpartition("/") for one in near if not one.parent]
    found = findings.parent_of(name, [video for folder, _, video in beside if folder == above])
    return f"{above}/{found}" if found else ""


def _enter(connection: Connection, *, entry: Entry) -> bool:
    path = entry.file.array_path
    if ledger.get_entry(connection, path) or path in in_use(connection):
        return False
    ledger.put_entries(connection, [entry])
    return True


def _exchange(connection: Connection, *, old: Entry, new: Entry) -> bool:
    if ledger.get_entry(connection, old.file.array_path) != old:
        return False
    ledger.put_entries(connection, [new])
    return True
