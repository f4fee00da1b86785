"""Files and rows together: every change of a file's names is in the journal before it is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import PurePosixPath

import structlog

from daemon.errors import SourceChanged, StorageError, UnsafeEvict
from daemon.model import Entry, File, Goal, Intent
from daemon.state import announced, journal, ledger
from daemon.state.store import Connection, Store
from daemon.storage.placement import Placement, Progress
from daemon.storage.walk import Settled

log = structlog.get_logger()

_FOLLOW = "follow "
"""Begins the step of a journal row of a file that gets another name; what follows says which, in JSON."""


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
        if any([await self._is_replaced(entry) for entry in family]):
            raise SourceChanged(f"{array_path} is being replaced by somebody", path=array_path)
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

    async def delete(
        self, array_path: str, *, replaced_by: Sequence[File] = (), aside: bool = False
    ) -> tuple[list[Entry], list[Settled]]:
        """Delete what is left of a video that somebody else has deleted, and of its sidecars; see `Placement.delete`.

        Return what is gone, and what had to stay and why. The video first: if it has to stay, all of it does.
        """
        family = await self._store.run(lambda connection: ledger.family(connection, array_path))
        gone, kept = [], []
        for entry in family:
            path = entry.file.array_path
            try:
                settled = await self._placement.delete(entry, replaced_by=replaced_by, aside=aside, note=self._note)
            except UnsafeEvict as error:
                settled = Settled(entry, cached=True, why=str(error))
            if not settled.cached:
                await self._store.run(partial(left, array_path=path))
                gone.append(entry)
                continue
            await self._store.run(partial(journal.end, array_path=path))
            kept.append(settled)
            if not entry.parent:
                break
            # It is still there: what it belonged to has gone, and by and by it leaves the cache in the usual way.
        return gone, kept

    async def follow(self, old: File, new: File) -> list[Entry]:
        """Have a cached video, and its sidecars, be known under the name that somebody else gave it.

        Return the entries that there are instead. UnsafeEvict where the video was not renamed in a way that can be
        followed; a sidecar that was not stays as it is.
        """
        family = await self._store.run(lambda connection: ledger.family(connection, old.array_path))
        followed: list[Entry] = []
        for entry in family:
            target = _renamed(entry, old, new)
            if target is None:
                continue
            try:
                followed.append(await self._follow(entry, target, new.array_path if entry.parent else ""))
            except UnsafeEvict as error:
                # It is refused before anything is changed.
                await self._store.run(partial(journal.end, array_path=entry.file.array_path))
                if not entry.parent:
                    raise
                log.info("sidecar_not_followed", path=entry.file.array_path, why=str(error))
        return followed

    async def _follow(self, entry: Entry, new: File, parent: str) -> Entry:
        await self._note(Intent(entry, Goal.CACHED, f"{_FOLLOW}{json.dumps([asdict(new), parent])}"))
        now = replace(await self._placement.follow(entry, new), parent=parent)
        await self._store.run(partial(_moved, old=entry, new=now))
        return now

    async def _finish_following(self, intent: Intent) -> Settled | None:
        """Go on with a renaming that was interrupted; None where it cannot be followed any more."""
        if not intent.step.startswith(_FOLLOW):
            return None
        new, parent = json.loads(intent.step.removeprefix(_FOLLOW))
        try:
            return Settled(await self._follow(intent.entry, File(**new), parent), cached=True)
        except StorageError as error:
            log.debug("renaming_not_followed", path=intent.entry.file.array_path, why=str(error))
            return None

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
            if (followed := await self._finish_following(intent)) is not None:
                done.append(followed)
            elif (settled := await self._settled(intent)) is not None:
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
            if await self._is_replaced(entry):
                continue
            settled = await self._settled(Intent(entry, Goal.UNCACHED, "recover"))
            if settled is not None:
                await self._store.run(partial(_settle, settled=settled))
                done += [] if settled.cached else [entry]
        return done

    async def _is_replaced(self, entry: Entry) -> bool:
        """Say whether the original of a copy would get a name back that somebody is just giving to another file."""
        path = entry.parent or entry.file.array_path
        return not entry.keeps_original and await self._store.run(partial(announced.is_expected, array_path=path))

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


def _moved(connection: Connection, *, old: Entry, new: Entry) -> None:
    left(connection, old.file.array_path)
    entered(connection, [new])


def _renamed(entry: Entry, video: File, new: File) -> File | None:
    """Return what a file of a video's family is called after the video was renamed; None where nobody can tell."""
    if not entry.parent:
        return new
    views = ("plex_path", "array_path", "cache_path")
    before = [PurePosixPath(getattr(video, view)).with_suffix("").as_posix() for view in views]
    after = [PurePosixPath(getattr(new, view)).with_suffix("").as_posix() for view in views]
    paths = [getattr(entry.file, view) for view in views]
    ends = {path.removeprefix(stem) for path, stem in zip(paths, before, strict=True)}
    if len(ends) != 1 or not (end := ends.pop()).startswith(".") or "/" in end:
        return None
    return replace(entry.file, **{view: stem + end for view, stem in zip(views, after, strict=True)})


def _settle(connection: Connection, *, settled: Settled) -> None:
    if settled.cached:
        known = ledger.get_entry(connection, settled.entry.file.array_path)
        entered(connection, [replace(known, mtime_ns=settled.entry.mtime_ns) if known else settled.entry])
    else:
        left(connection, settled.entry.file.array_path)
