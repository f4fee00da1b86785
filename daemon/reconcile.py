"""Ledger and cache compared: what somebody removed is dropped, what a lost database held is entered again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

import structlog

from daemon.custody import Custody
from daemon.feed import Feed
from daemon.model import Entry, TaskState
from daemon.state import ledger, tasks
from daemon.state.store import Connection, Store
from daemon.storage.placement import Placement, Trouble

log = structlog.get_logger()

_NAMED = 20
"""So many missing copies of a page are named; beyond that their number says more."""
_PAGE = 500
"""Entries that are looked at before anything else has its turn."""


class Reconcile:
    """Looks at the caches.

    `replan` is called when something was dropped, `trouble` when a cache cannot be looked at.
    """

    def __init__(
        self,
        store: Store,
        placement: Placement,
        custody: Custody,
        feed: Feed,
        *,
        replan: Callable[[], None],
        trouble: Trouble | None = None,
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._placement = placement
        self._custody = custody
        self._feed = feed
        self._replan = replan
        self._trouble = trouble
        self._dry_run = dry_run
        self._asked = asyncio.Event()
        self._everything = False
        self._plex_paths: set[str] = set()

    def everything_soon(self) -> None:
        """Have all copies looked at."""
        self._everything = True
        self._asked.set()

    def soon(self, plex_paths: Iterable[str]) -> None:
        """Have the copies of these files looked at."""
        self._plex_paths.update(plex_paths)
        self._asked.set()

    async def run(self) -> None:
        """Look whenever it is asked for. Never returns."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            everything, paths = self._everything, self._plex_paths
            self._everything, self._plex_paths = False, set()
            await self.look(None if everything else paths)

    async def look(self, plex_paths: Iterable[str] | None = None) -> None:
        """Drop the entries of these files (none named: of all) whose copies are gone from a cache that is mounted."""
        if self._dry_run:
            return  # their originals would be brought back
        if plex_paths is not None:
            await self._compare(await self._store.run(lambda connection: ledger.of_plex_paths(connection, plex_paths)))
            return
        last = ""
        while entries := await self._store.run(partial(ledger.entries_after, array_path=last, count=_PAGE)):
            await self._compare(entries)
            last = entries[-1].file.array_path

    async def _compare(self, entries: list[Entry]) -> None:
        gone = await self._placement.gone(entries, self._trouble)
        if not gone:
            return
        idle = await self._store.run(lambda connection: _idle(connection, gone))
        kept = [entry for entry in idle if entry.keeps_original]
        # The others' originals are put aside, and nothing serves them now.
        dropped = await self._custody.bring_back(entry for entry in idle if not entry.keeps_original)
        dropped += await self._store.run(lambda connection: _drop(connection, kept))
        if not dropped:
            return
        for entry in dropped[:_NAMED]:
            log.warning("copy_missing", path=entry.file.array_path, why=f"{entry.file.cache_path} has been removed")
            self._feed.publish("entry", {"array_path": entry.file.array_path, "cached": False})
        if len(dropped) > _NAMED:
            log.warning("copies_missing", files=len(dropped), why="somebody has emptied the cache")
            self._feed.publish("resync", {})
        self._replan()

    async def restore(self) -> None:
        """Enter what the manifests on the caches prove to be ours and the ledger has lost. Before any copy runs.

        A file that was put aside by an entry that is lost, and has no copy any more, gets its name back.
        """
        found = await self._placement.remembered()
        again = await self._store.run(lambda connection: _enter(connection, found))
        for entry in again:
            log.info("recovered", path=entry.file.array_path, why="a copy that the database had lost was entered again")
        # Their originals may have got their names back meanwhile, by hand or by `restore`.
        await self._custody.finish(entry for entry in again if not entry.keeps_original)
        gone = await self._placement.orphaned()
        for entry in await self._custody.bring_back(await self._store.run(lambda connection: _lost(connection, gone))):
            log.info("recovered", path=entry.file.array_path, why="the database had lost it, and its copy is gone")

    async def remember(self) -> None:
        """Have the manifests say what the ledger says. Before any copy runs."""
        await self._placement.remember(await self._store.run(ledger.all_entries))


def _idle(connection: Connection, gone: Iterable[Entry]) -> list[Entry]:
    """Return those with which nothing else is being done: what is under way, or was copied anew, tells for itself."""
    busy = {task.file.array_path for task in tasks.in_state(connection, TaskState.RUNNING)}
    found = []
    for entry in gone:
        now = ledger.get_entry(connection, entry.file.array_path)
        if now and now.cached_at == entry.cached_at and not busy & {entry.file.array_path, entry.parent}:
            found.append(entry)
    return found


def _drop(connection: Connection, gone: Iterable[Entry]) -> list[Entry]:
    dropped = _idle(connection, gone)
    for entry in dropped:
        ledger.drop_entry(connection, entry.file.array_path)
    return dropped


def _enter(connection: Connection, found: Iterable[Entry]) -> list[Entry]:
    lost = _lost(connection, found)
    ledger.put_entries(connection, lost)
    return lost


def _lost(connection: Connection, found: Iterable[Entry]) -> list[Entry]:
    """Return those that the ledger does not know, or knows only from an earlier time: it comes from an old backup."""

    def is_lost(entry: Entry) -> bool:
        known = ledger.get_entry(connection, entry.file.array_path)
        return known is None or known.cached_at < entry.cached_at

    return [entry for entry in found if is_lost(entry)]
