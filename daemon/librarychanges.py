"""What a change of the library does: items are read again, and rows and copies follow what Plex says of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial

import structlog

from daemon.arrchanges import REPLACING, ArrChanges
from daemon.clock import Clock
from daemon.errors import PlexError, PlexNotFound
from daemon.model import Item, TaskKind
from daemon.plex.changes import LibraryChanged
from daemon.plex.library import PlexLibrary
from daemon.state import plays, relisting, tasks
from daemon.state.store import Connection, Store

log = structlog.get_logger()

Change = Callable[[Callable[[Connection], object]], Awaitable[object]]
"""Does something to the rows and plans anew, in one transaction."""

_PRIORITY = 60
"""Of an eviction because the file is another by now."""
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 300.0
_EVERYTHING = 300.0
"""Seconds between two times that everything is read because anything may have changed."""
_SETTLED = 300.0
"""Seconds after which a copy is none that was made for a file that Plex is just about to list."""
_ONE_BY_ONE = 8
"""So many items are read each by itself; more are read many at a time."""
_AT_ONCE = 200
_MOST_NOTED = 100
"""New and deleted items of one change that are noted at once; the index finds the others at the next refresh."""


def _nobody(*_: object) -> None:
    """Wake nobody."""


async def _nothing(_paths: Collection[str]) -> None:
    """Do nothing of it."""


@dataclass(frozen=True, slots=True)
class Wakes:
    """Who else acts on a change; each returns at once.

    Files are as Plex sees them: `brought` is told of those of new items, `copies_soon` has the copies of others looked
    at. `sources_soon` has the sources read that new items change, `everything_soon` all of them. `plays_again` has what
    follows the open plays of these items found anew. `tasks_added` says that there is something for the workers.
    """

    brought: Callable[[Collection[str]], Awaitable[None]] = _nothing
    copies_soon: Callable[[Collection[str]], object] = _nobody
    sources_soon: Callable[[frozenset[str]], object] = _nobody
    everything_soon: Callable[[], object] = _nobody
    plays_again: Callable[[Collection[str]], object] = _nobody
    tasks_added: Callable[[], object] = _nobody


class LibraryChanges:
    """Acts on what Plex, Sonarr and Radarr say of the library.

    `note` records and wakes; `run` does the work. `change` is the dispatcher's; `index` notes an item that is new or
    gone, and returns its files. What Plex says is only a reason to ask it: an item is forgotten when a server that
    answers has it no longer, never because it was said to be deleted.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        library: PlexLibrary,
        arr: ArrChanges,
        *,
        change: Change,
        wakes: Wakes,
        index: Callable[[str], Awaitable[Collection[str]]] | None = None,
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._library = library
        self._arr = arr
        self._wakes = wakes
        self._index = index
        self._dry_run = dry_run
        self._change = change
        self._waiting: list[LibraryChanged] = []
        self._wake = arr.wake
        self._refreshed_at: float | None = None
        self._owes_refresh = False

    def note(self, changed: LibraryChanged) -> None:
        """Take a change; it is acted on by and by."""
        self._waiting.append(changed)
        self._wake.set()

    async def run(self) -> None:
        """Act on whatever changes. Never returns."""
        wait = _FIRST_WAIT
        while True:
            self._wake.clear()
            again = await self._arr.act()
            waiting, self._waiting = self._waiting, []
            try:
                for _ in range(len(waiting)):
                    await self.apply(waiting[0])
                    waiting.pop(0)
                wait = _FIRST_WAIT
            except PlexError as error:
                log.debug("library_unreadable", why=str(error))
                # What cannot be read again and again gives way; a new connection asks for everything anyway.
                self._waiting = [*waiting[wait >= _LONGEST_WAIT :], *self._waiting]
                again = min(again or wait, wait)
                wait = min(_LONGEST_WAIT, wait * 2)
            again = self._refresh(again)
            await self._clock.wait(self._wake, again)

    async def apply(self, changed: LibraryChanged) -> None:
        """Do what a change brings about. PlexError where Plex cannot be asked; then it can be done again."""
        named = None if changed.anything else {*changed.changed, *changed.deleted}
        keys = await self._store.run(partial(relisting.that_matter, keys=named))
        for start in range(0, len(keys), _AT_ONCE):
            await self._follow(keys[start : start + _AT_ONCE])
        self._owes_refresh |= changed.anything
        if self._index:
            for key in sorted({*changed.added, *changed.deleted})[:_MOST_NOTED]:
                files = await self._index(key)
                if key in changed.added:
                    await self._wakes.brought(files)
        if changed.added:
            shows = changed.shows
            self._wakes.sources_soon(shows)
            self._wakes.plays_again(await self._store.run(partial(relisting.played_of_shows, shows=shows)))

    async def _follow(self, keys: Collection[str]) -> None:
        items, gone = await self._read(keys)
        others = await self._store.run(partial(relisting.others, items=items))
        if others or gone:
            changed = [*(item.rating_key for item in others), *gone]
            before = await self._store.run(partial(relisting.kept_copies, keys=changed))
            await self._change(partial(self._record, items=others, gone=gone))
            self._wakes.tasks_added()
            self._wakes.copies_soon(before)

    def _refresh(self, again: float | None) -> float | None:
        """Have everything read if that is owed, but not all the time; return when to come back at the latest."""
        if not self._owes_refresh:
            return again
        now = self._clock.now()
        if self._refreshed_at is None:
            # At the start everything is read anyway.
            self._refreshed_at, self._owes_refresh = now, False
            return again
        left = self._refreshed_at + _EVERYTHING - now
        if left > 0:
            return left if again is None else min(again, left)
        self._refreshed_at, self._owes_refresh = now, False
        self._wakes.everything_soon()
        return again

    async def _read(self, keys: Collection[str]) -> tuple[list[Item], list[str]]:
        """Return these items as Plex has them now, and the keys of those that it no longer has."""
        many = await self._library.reader().items(list(keys)) if len(keys) > _ONE_BY_ONE else []
        found = {item.rating_key: item for item in many}
        missing = []
        for key in keys:
            if key in found:
                continue
            try:
                if (item := await self._library.item(key)) is not None:
                    found[key] = item
            except PlexNotFound:
                missing.append(key)
        return list(found.values()), missing if missing and await self._is_well() else []

    async def _is_well(self) -> bool:
        """Say whether a server that does not find an item is otherwise as it should be."""
        await self._library.connect()
        return bool(await self._library.sections())

    def _record(self, connection: Connection, *, items: Iterable[Item], gone: Iterable[str]) -> None:
        now = self._clock.now()
        for item in items:
            for entry in relisting.relist(
                connection, item, settled_before=now - _SETTLED, expected_until=now + REPLACING
            ):
                why = "another version has taken its place"
                new = tasks.NewTask(TaskKind.EVICT, entry.file, _PRIORITY, why, forced=True)
                if not self._dry_run:
                    tasks.put(connection, new, now)
                log.info("file_replaced", path=entry.file.array_path, why=why)
        playing = {play.rating_key for play in plays.open_plays(connection)}
        for key in gone:
            if key not in playing:
                relisting.forget_item(connection, key)
                log.info("item_deleted", rating_key=key)
