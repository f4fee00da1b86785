"""Files and rows together: every change of a file's names is in the journal before it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import structlog

from daemon.errors import StorageError, UnsafeEvict
from daemon.model import Entry, File, Goal, Intent
from daemon.state import journal, ledger
from daemon.state.store import Connection, Store
from daemon.storage.placement import Placement, Progress
from daemon.storage.walk import Settled

log = structlog.get_logger()


def _silent(_done: int, _total: int) -> None:
    """Hear nothing."""


class Custody:
    """Has files brought to the cache and back, so that no crash loses track of one.

    After `cache_in` and `evict` the caller records the outcome with `entered` or `left` in a transaction of its own;
    until then the rows of the journal stand for it.
    """

    def __init__(self, store: Store, placement: Placement) -> None:
        self._store = store
        self._placement = placement

    async def cache_in(
        self, file: File, progress: Progress = _silent, *, busy: Callable[[], bool] = lambda: False
    ) -> list[Entry]:
        """Bring a video and its sidecars in; see `Placement.cache_in`."""
        path = file.array_path

        def read(connection: Connection) -> tuple[list[Entry], bool]:
            arriving = [intent.entry for intent in journal.rows(connection, path)]
            return [*arriving, *ledger.family(connection, path)], ledger.has_entries(connection, file.mapping)

        entries, used = await self._store.run(read)
        known = {entry.file.array_path: entry for entry in entries}
        return await self._placement.cache_in(file, progress, known=known, used=used, busy=busy, note=self._note)

    async def evict(
        self, array_path: str, progress: Progress = _silent, *, busy: Callable[[], bool] = lambda: False
    ) -> list[Entry]:
        """Take a video and its sidecars off the cache; return what has left.

        Each is recorded at once. Where the video cannot leave, UnsafeEvict; a sidecar that cannot stays, and is said.
        """
        family = await self._store.run(lambda connection: ledger.family(connection, array_path))
        gone = []
        for entry in family:
            try:
                await self._placement.evict(entry, note=self._note, busy=busy, progress=progress)
            except UnsafeEvict as error:
                # It may have come half-way, and stays cached now.
                await self.recover(entry.file.array_path)
                if not entry.parent:
                    raise
                # The video has gone by now; what is left of it is kept, shown, and tried again by itself.
                log.error("evict_refused", path=entry.file.array_path, why=str(error))
                continue
            await self._store.run(partial(left, array_path=entry.file.array_path))
            gone.append(entry)
        return gone

    async def give_back(self, entries: Iterable[Entry]) -> None:
        """Take off the cache again what was just brought in and is not recorded yet."""
        for entry in entries:
            await self._placement.evict(entry, note=self._note)
            await self._store.run(partial(left, array_path=entry.file.array_path))

    async def recover(self, array_path: str = "") -> list[Settled]:
        """Bring rows and disks together again: for one video and its sidecars, or (at start) for all.

        What lies on a tier that cannot be reached is left for the task that comes back to it. Needs no Plex.
        """
        done = []
        for intent in await self._store.run(partial(journal.rows, array_path=array_path)):
            if (settled := await self._settled(intent)) is not None:
                await self._store.run(partial(_settle, settled=settled))
                done.append(settled)
        return done

    async def finish(self, entries: Iterable[Entry]) -> None:
        """Put the originals of copies that stand where their placement says they belong."""
        for entry in entries:
            if (settled := await self._settled(Intent(entry, Goal.CACHED, "publish"))) is not None:
                await self._store.run(partial(_settle, settled=settled))

    async def bring_back(self, entries: Iterable[Entry]) -> list[Entry]:
        """Put the originals of copies that have disappeared back under their names; return what is settled now."""
        done = []
        for entry in entries:
            settled = await self._settled(Intent(entry, Goal.UNCACHED, "recover"))
            if settled is not None:
                await self._store.run(partial(_settle, settled=settled))
                done += [] if settled.cached else [entry]
        return done

    async def _settled(self, intent: Intent) -> Settled | None:
        path = intent.entry.file.array_path
        try:
            settled = await self._placement.recover(intent, note=self._note)
        except UnsafeEvict as error:
            settled = Settled(intent.entry, cached=True, why=str(error))
        except StorageError as error:
            log.warning("recovery_waits", path=path, why=str(error))
            return None
        if settled.why:
            log.warning("recovery_incomplete", path=path, why=settled.why)
        return settled

    async def _note(self, intent: Intent) -> None:
        await self._store.run(partial(journal.begin, new=intent))


def entered(connection: Connection, entries: Iterable[Entry]) -> None:
    """Record what `Custody.cache_in` has brought in."""
    held = list(entries)
    ledger.put_entries(connection, held)
    for entry in held:
        journal.end(connection, entry.file.array_path)


def left(connection: Connection, array_path: str) -> None:
    """Record that a file is no longer on the cache."""
    ledger.drop_entry(connection, array_path)
    journal.end(connection, array_path)


def _settle(connection: Connection, *, settled: Settled) -> None:
    if settled.cached:
        known = ledger.get_entry(connection, settled.entry.file.array_path)
        entered(connection, [replace(known, mtime_ns=settled.entry.mtime_ns) if known else settled.entry])
    else:
        left(connection, settled.entry.file.array_path)
