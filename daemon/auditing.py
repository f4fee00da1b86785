"""Ledger, cache and array compared: what is not as it should be is found, and fixed where a person asks for that."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from daemon.config import Settings
from daemon.custody import Custody
from daemon.departures import Waits, at_once, queued
from daemon.dispatch import Dispatcher
from daemon.errors import StorageError, TargetBusy, UnmappedPath
from daemon.executor import executor_for
from daemon.feed import RESYNC, Feed
from daemon.given import Given
from daemon.live import Live
from daemon.lock import single_instance
from daemon.model import Entry
from daemon.plex.listener import Listener
from daemon.repairs import Evict, Repairs, in_use
from daemon.state import ledger, tasks
from daemon.state.store import Connection, Store
from daemon.storage import exclusions
from daemon.storage.findings import Finding, Name, chosen, is_video
from daemon.storage.placement import Placement
from daemon.storage.scan import Scan
from daemon.storage.states import BACKUP_SUFFIX
from daemon.storage.threads import Threads

log = structlog.get_logger()

_SLICE = 0.2
"""Seconds of walking after which the thread has its next turn, so that a disk that hangs is told from a long walk."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a finding. `said`: what was done, or why not; empty if that was not asked for."""

    finding: Finding
    fixed: bool = False
    said: str = ""
    tasks: tuple[int, ...] = ()

    def row(self) -> dict[str, Any]:
        """Return it for people and programs."""
        finding = self.finding
        row = {"name": finding.name, "path": finding.path, "text": finding.text, "mapping": finding.mapping}
        return row | {"fix": finding.fix, "fixed": self.fixed, "said": self.said}


class Auditing:
    """Runs audits, one at a time. `touch` hears of each operation on the array, which none touches unasked.

    `evict` has a changed copy walk back to the array, in whatever way is safe beside what else is running.
    """

    def __init__(
        self,
        store: Store,
        live: Live,
        executor: Executor,
        custody: Custody,
        *,
        now: Callable[[], float],
        touch: Callable[[str, str], None],
        evict: Evict,
        dry_run: bool = False,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._dry_run = dry_run
        self._changed = changed
        self._store = store
        self._live = live
        self._threads = Threads(executor)
        self._touched = lambda operation: touch(operation, "audit")
        self._repairs = Repairs(store, live, self._threads, custody, now=now, touched=self._touched, evict=evict)
        self._under_way = asyncio.Lock()

    async def run(self, *, array: bool) -> list[Finding]:
        """Return what is found, in the order of `Name`. Looks, and changes nothing."""
        async with self._alone():
            return await self._look(array=array)

    async def fix(self, wanted: Iterable[str], *, array: bool) -> list[Outcome]:
        """Look, fix what is `wanted` (see `findings.FIXES`), and return what became of each finding."""
        is_wanted = chosen(wanted)
        async with self._alone():
            return [
                await self._fixed(finding, array=array) if is_wanted(finding) else Outcome(finding)
                for finding in await self._look(array=array)
            ]

    async def report(self, *, array: bool) -> list[dict[str, Any]]:
        """Return what is found as rows."""
        return [Outcome(finding).row() for finding in await self.run(array=array)]

    async def repair(self, wanted: Iterable[str], *, array: bool) -> tuple[list[dict[str, Any]], list[int]]:
        """Fix what is wanted; return what became of each finding as rows, and the tasks that go on with it."""
        if self._dry_run:
            raise TargetBusy("this is a dry run: it decides and logs, and moves nothing")
        outcomes = await self.fix(wanted, array=array)
        if any(one.fixed for one in outcomes):
            self._changed()
        return [one.row() for one in outcomes], [task for one in outcomes for task in one.tasks]

    def _alone(self) -> asyncio.Lock:
        if self._under_way.locked():
            raise TargetBusy("an audit is under way; ask again when it has ended")
        return self._under_way

    async def _look(self, *, array: bool) -> list[Finding]:
        entries, busy = await self._store.run(_read)
        found: list[Finding] = []
        mappings = self._live.mappings.all
        for mapping in mappings:
            held = {path: entry for path, entry in entries.items() if entry.file.mapping == mapping.name}
            if not mapping.enabled and not held:
                continue
            scan = Scan(
                mapping,
                held,
                busy=busy,
                others={root for other in mappings if other is not mapping for root in (other.array, other.cache)},
                array=array,
                touched=self._touched,
            )
            found += await self._walked(mapping.name, scan.findings())
        entries_now, busy_now = await self._store.run(_read)
        both = entries.keys() | entries_now.keys()
        changed = {path for path in both if _since(entries.get(path)) != _since(entries_now.get(path))}
        found = [finding for finding in found if self._array_path(finding) not in changed | busy_now]
        known = {mapping.name for mapping in mappings}
        for name in sorted({entry.file.mapping for entry in entries.values()} - known):
            text = "entries of a mapping that is no longer in the configuration; put it back so that they can leave"
            found.append(Finding(Name.NOT_AUDITED, name, text, name, fixable=False))
        found += await self._exclusions(entries_now.values())
        order = list(Name)
        # Videos first: what belongs to one is adopted as such.
        return sorted(found, key=lambda one: (order.index(one.name), not is_video(one.path), one.path))

    async def _walked(self, mapping: str, findings: Generator[Finding | None]) -> list[Finding]:
        walk = _Walk(findings)
        try:
            while await self._threads.run(mapping, walk.take):
                pass
        except StorageError as error:
            walk.found.append(Finding(Name.NOT_AUDITED, mapping, str(error), mapping, fixable=False))
        finally:
            await self._threads.clean(mapping, walk.close)
        return walk.found

    def _array_path(self, finding: Finding) -> str:
        """Return the file that a finding is about; empty if it is about none."""
        if finding.entry:
            return finding.entry.file.array_path
        with suppress(UnmappedPath):
            return self._live.mappings.from_local(finding.path.removesuffix(BACKUP_SUFFIX)).array_path
        return ""

    async def _exclusions(self, entries: Iterable[Entry]) -> list[Finding]:
        path = self._live.settings.unraid.mover_exclude_file
        if not path:
            return []
        held = exclusions.wanted(self._live.mappings.all, entries)
        try:
            text = await self._threads.run(path, exclusions.read, path)
        except (OSError, StorageError) as error:
            return [Finding(Name.NOT_AUDITED, path, str(error), fixable=False)]
        writer = f"{path} is written by ondeckd audit --fix mover-exclusion only"
        missing = [(each, "the mover may move this") for each in exclusions.unlisted(text, held)]
        stale = [(each, "it is listed, and ondeckd does not hold it") for each in exclusions.stale(text, held)]
        return [
            Finding(Name.MOVER_EXCLUSION, each, f"{said}; {writer}", fixable="\n" not in each, wakes=False)
            for each, said in (*missing, *stale)
        ]

    async def _fixed(self, finding: Finding, *, array: bool) -> Outcome:
        if not finding.fixable:
            advice = "; compare the two and delete one by hand" if finding.name is Name.SUPERSEDED else ""
            return Outcome(finding, said=f"left as it is: {finding.text}{advice}")
        if finding.wakes and not array:
            return Outcome(finding, said="its fix needs the array: --array")
        try:
            said = await self._repairs.apply(finding)
        except Waits as waits:
            return Outcome(finding, said=str(waits), tasks=waits.tasks)
        except StorageError as error:
            log.info("audit_left", path=finding.path, finding=finding.name, why=str(error))
            return Outcome(finding, said=str(error))
        log.info("audit_fixed", path=finding.path, finding=finding.name, why=said)
        return Outcome(finding, fixed=True, said=said)


class _Walk:
    """A walk that threads take in turns. One that nobody waits for any more may still be at it when it is closed."""

    def __init__(self, walk: Generator[Finding | None]) -> None:
        self._walk = walk
        self._lock = threading.Lock()
        self.found: list[Finding] = []

    def take(self) -> bool:
        """Walk for a moment; say whether there is more."""
        end = time.monotonic() + _SLICE
        with self._lock:
            for one in self._walk:
                if one:
                    self.found.append(one)
                if time.monotonic() > end:
                    return True
        return False

    def close(self) -> None:
        """End it, and close what it has open."""
        with self._lock:
            self._walk.close()


def _read(connection: Connection) -> tuple[dict[str, Entry], set[str]]:
    return {entry.file.array_path: entry for entry in ledger.each_entry(connection)}, in_use(connection)


def _since(entry: Entry | None) -> float | None:
    return entry.cached_at if entry else None


def auditing(
    given: Given,
    live: Live,
    custody: Custody,
    dispatcher: Dispatcher,
    listener: Listener,
    feed: Feed,
    *,
    touch: Callable[[str, str], None],
) -> Auditing:
    """Return what audits beside a daemon's own work, for the HTTP side."""
    now = given.clock.now

    def changed() -> None:
        feed.publish(RESYNC, {})
        dispatcher.request_replan()

    return Auditing(
        given.store,
        live,
        given.executor,
        custody,
        now=now,
        touch=touch,
        evict=queued(dispatcher, live, sessions_known=lambda: listener.sessions_known, now=now),
        dry_run=given.dry_run,
        changed=changed,
    )


@asynccontextmanager
async def alone(settings: Settings, directory: Path, *, recover: bool) -> AsyncIterator[Auditing]:
    """Have what audits without a daemon, and keep one from starting meanwhile. Raises StateError while one runs.

    `recover`: what a crash has left half-way is settled first, as a daemon does when it starts.
    """
    live, executor = Live(settings), executor_for(settings)
    try:
        with single_instance(directory):
            async with Store(directory) as store:
                touch: Callable[[str, str], None] = lambda _operation, _reason: None  # noqa: E731 - nobody counts
                placement = Placement(live.mappings, settings.transfer, executor, on_touch=touch)
                custody = Custody(store, placement)
                evict = at_once(store, live, custody)
                if recover:
                    await custody.recover()
                    await store.run(lambda connection: tasks.requeue_running(connection, time.time()))
                yield Auditing(store, live, executor, custody, now=time.time, touch=touch, evict=evict)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
