"""What Sonarr and Radarr do to files, followed: copies of what they delete go too, and what they rename keeps its copy.

They speak once, so what they say is a row until it is done. Their word alone deletes nothing: the file that they name
must be the one that is cached, the media path must no longer show it, and what took its place must stand there whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import structlog

from daemon.clock import Clock
from daemon.custody import Custody
from daemon.errors import SourceChanged, StorageError, UnmappedPath, UnsafeEvict
from daemon.feed import Feed
from daemon.interop import arr
from daemon.interop.arr import ArrEvent, ArrFile, Did
from daemon.live import Live
from daemon.model import Entry, File
from daemon.state import announced, ledger, relisting
from daemon.state.announced import Announced
from daemon.state.store import Connection, Store

log = structlog.get_logger()

Change = Callable[[Callable[[Connection], object]], Awaitable[object]]
"""Does something to the rows and plans anew, in one transaction."""

_FIRST_WAIT, _LONGEST_WAIT = 5.0, 600.0
_MOST_TRIES = 40
"""Tries, over some six hours, after which what could not be followed is told of and given up."""
_MOST_SAID = 500
REPLACING = 1800.0
"""Seconds that the import of a better file may take after the old one was deleted."""


class ArrChanges:
    """Records what Sonarr and Radarr announce, and acts on it. `wake` is set when there is something to do."""

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        feed: Feed,
        custody: Custody,
        *,
        change: Change,
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._feed = feed
        self._custody = custody
        self._change = change
        self._dry_run = dry_run
        self._said: set[str] = set()
        self.wake = asyncio.Event()

    async def announce(self, app: str, payload: Mapping[str, Any]) -> bool:
        """Record what was sent; return whether it tells of files."""
        event = arr.parse(app, payload)
        if event is None or self._dry_run:
            return event is not None
        row = partial(announced.put, app=app, text=event.text(), at=self._clock.now())
        if not await self._store.run(row):
            log.error("announcement_refused", app=app, why="too much has been announced that nobody could act on")
            return False
        self.wake.set()
        return True

    async def act(self) -> float | None:
        """Act on all that is due; return the seconds after which the next one is, if there is any."""
        for row in await self._store.run(partial(announced.due, now=self._clock.now())):
            # Noted first, so that what ends the daemon does not end it again and again.
            again = self._clock.now() + min(_LONGEST_WAIT, _FIRST_WAIT * 2**row.tries)
            await self._store.run(partial(announced.put_off, number=row.id, not_before=again))
            if await self._attempt(row):
                await self._store.run(partial(announced.end, number=row.id))
        if await self._store.run(partial(announced.expect_no_more, now=self._clock.now())):
            await self._change(lambda _: None)  # they may leave now
        due = await self._store.run(announced.next_due)
        return None if due is None else max(0.0, due - self._clock.now())

    async def _attempt(self, row: Announced) -> bool:
        """Do it once; return whether it is over."""
        over = True
        for step in self._steps(arr.read(row.text)):
            try:
                await step()
            except StorageError as error:
                if error.retry and row.tries < _MOST_TRIES:
                    log.debug("announcement_waits", app=row.app, why=str(error))
                    over = False
                else:
                    self._tell(row.app, error.path, str(error))
        return over

    def _steps(self, event: ArrEvent) -> Iterator[Callable[[], Awaitable[None]]]:
        if event.did is Did.RENAMED:
            yield from (partial(self._rename, event.app, file) for file in event.new)
            return
        if event.did is Did.REPLACING:
            yield from (partial(self._expect, event.app, file) for file in event.gone)
            return
        new = tuple(file for one in event.new if (file := self._locate(event.app, one)))
        if event.did is Did.IMPORTED and not new:
            return  # nobody could see whether what took its place is there
        yield from (partial(self._delete, event.app, file, new) for file in event.gone)
        if event.folder:
            yield partial(self._delete_below, event.app, ArrFile(event.folder))

    async def _expect(self, app: str, gone: ArrFile) -> None:
        if (file := self._locate(app, gone)) and await self._family(file.array_path):
            until = self._clock.now() + REPLACING
            await self._store.run(partial(announced.expect, array_path=file.array_path, until=until))

    async def _delete(self, app: str, gone: ArrFile, new: tuple[File, ...]) -> None:
        if (file := self._locate(app, gone)) is None:
            return
        family = await self._family(file.array_path)
        other = [entry for entry in family if not entry.parent and gone.size not in {0, entry.file.size}]
        if other:
            self._tell(app, file.array_path, "they deleted a file of another size than the one that is cached")
        elif family:
            await self._delete_family(app, file, new, aside=gone.binned and bool(family[0].link))
        else:
            await self._change(partial(_relist, old=file, new=new, gone=False))

    async def _delete_below(self, app: str, folder: ArrFile) -> None:
        if (above := self._locate(app, folder)) is None:
            return
        paths = await self._store.run(partial(relisting.videos_below, folder=above.array_path))
        for path in paths:
            await self._delete_family(app, self._live.mappings.from_local(path), (), aside=False)

    async def _delete_family(self, app: str, file: File, new: tuple[File, ...], *, aside: bool) -> None:
        path = file.array_path
        await self._demand_idle(path)
        gone, kept = await self._custody.delete(path, replaced_by=new, aside=aside)
        if stayed := [settled for settled in kept if not settled.entry.parent]:
            self._tell(app, path, stayed[0].why)
            return
        await self._store.run(partial(announced.expect_no_more, now=self._clock.now(), array_path=path))
        await self._change(partial(_relist, old=file, new=new, gone=True))
        why = f"{app} {'replaced' if new else 'deleted'} it"
        log.info("copy_deleted", path=path, bytes=sum(one.file.size for one in gone), why=why)
        self._feed.publish("entry", {"array_path": path, "cached": False})

    async def _family(self, array_path: str) -> list[Entry]:
        return await self._store.run(lambda connection: ledger.family(connection, array_path))

    async def _rename(self, app: str, file: ArrFile) -> None:
        old, new = self._locate(app, ArrFile(file.was)), self._locate(app, file)
        if old is None or new is None or old.array_path == new.array_path:
            return
        new = replace(new, size=0)
        if family := await self._family(old.array_path):
            await self._demand_idle(old.array_path)
            try:
                await self._custody.follow(old, new)
            except UnsafeEvict as error:
                # Where a file cannot be renamed, as into a folder of another disk, it is copied and deleted.
                log.debug("renaming_not_followed", path=old.array_path, why=str(error))
                copied = replace(new, size=family[0].file.size)
                await self._delete_family(app, old, (copied,), aside=False)
                return
            log.info("renaming_followed", path=new.array_path, why=f"{app} renamed {old.array_path}")
            for path, cached in ((old.array_path, False), (new.array_path, True)):
                self._feed.publish("entry", {"array_path": path, "cached": cached})
        await self._change(partial(_relist, old=old, new=(new,), gone=False))

    async def _demand_idle(self, array_path: str) -> None:
        if await self._store.run(partial(relisting.is_running, array_path=array_path)):
            raise SourceChanged(f"{array_path} is being copied or evicted just now", path=array_path)

    def _locate(self, app: str, file: ArrFile) -> File | None:
        """Return the file as all see it; None, said once for each library of theirs, if no mapping covers it."""
        try:
            return replace(self._live.mappings.from_local(file.path), size=file.size)
        except UnmappedPath:
            top = str(PurePosixPath(*PurePosixPath(file.path.replace("\\", "/")).parts[:3]))
            self._tell(app, top, f"no mapping covers what {app} calls {top}; what it does there cannot be followed")
            return None

    def _tell(self, app: str, path: str, why: str) -> None:
        if (said := f"{path}: {why}") in self._said or len(self._said) >= _MOST_SAID:
            return
        self._said.add(said)
        log.warning("announcement_not_followed", app=app, path=path, why=why)
        self._feed.publish("notice", {"level": "warning", "text": f"{app}: {said}"})


def _relist(connection: Connection, *, old: File, new: tuple[File, ...], gone: bool) -> None:
    """Have the items of a file list what took its place, until Plex says what they have."""
    if len(new) == 1:
        relisting.put_in_place(connection, old.plex_path, new[0].plex_path, new[0].size)
    elif gone and not new:
        relisting.unlist(connection, old.plex_path)
