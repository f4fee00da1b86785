"""Watchlist feeds: what the owner and friends have listed, without a word on who."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from daemon.clock import Clock
from daemon.errors import RemoteError, RemoteUnavailable
from daemon.model import Demand, DemandKind, Fetched, Item, ItemType
from daemon.plex.library import PlexLibrary
from daemon.plex.rss import FeedEntry, FeedReader
from daemon.settings.models import Settings
from daemon.sources.index import LibraryIndex
from daemon.sources.shelf import Shelf, demands, first
from daemon.state import library as rows
from daemon.state.store import Store

_WINDOW = 50
"""A feed holds its newest entries, so many or so. One that holds fewer holds all."""
_MOST_CARRIED = 500
_SURE = ("imdb://", "plex://")
"""Databases that number movies and shows together; the others' ids mean nothing without a type."""


@dataclass(frozen=True, slots=True)
class _Held:
    """Whose entries a feed has held, and since when it holds all that they list (seconds; 0: always)."""

    authors: frozenset[str]
    since: float


class Feeds:
    """Demands what the feeds of ``watchlist.rss`` name: movies, and the first episodes of shows.

    A wish of a feed is nobody's in particular, so what anybody has finished since it was listed counts as seen, and
    what was finished before does not: who lists something wants to see it. An entry that is older than the oldest of a
    full feed has fallen out of its window and stands until somebody has seen it or ``watchlist.max_age`` is over; one
    that is missing in between was taken off the list.
    """

    kind = DemandKind.WATCHLIST

    def __init__(
        self,
        reader: FeedReader,
        library: PlexLibrary,
        index: LibraryIndex,
        shelf: Shelf,
        store: Store,
        settings: Callable[[], Settings],
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._library = library
        self._index = index
        self._shelf = shelf
        self._store = store
        self._settings = settings
        self._clock = clock
        self._empty: set[str] = set()
        self._reading = asyncio.Lock()
        self._held: dict[str, _Held] = {}
        self._finished: dict[str, float] = {}
        self._history: tuple[float, float] | None = None

    async def cover(self, uuid: str) -> float | None:
        """Return since when all that this account lists is in a feed, going by whose entries it has held so far.

        None: no feed is known to hold any of it.
        """
        async with self._reading:
            for name in {_name(url) for url in self._urls()} - self._held.keys():
                self._note_held(name, [_entry(row) for row in await self._store.run(partial(rows.feed, name=name))])
        return min((held.since for held in self._held.values() if uuid in held.authors), default=None)

    async def fetch(self) -> Fetched:
        """Return what all feeds demand now. Raises PlexError or RemoteError; then what was known stands."""
        async with self._reading:
            entries = await self._entries()
        if not entries:
            return Fetched()
        await self._index.ensure()
        known = await self._store.run(lambda c: rows.listed_since(c, ""))
        now = self._clock.now()
        wishes: dict[str, float] = {}
        unmatched = []
        nameless = []
        for entry in entries:
            keys = await self._match(entry)
            for key in keys:
                # Of several who list it, the latest decides: what others have finished before is news to them.
                wishes[key] = max(min(entry.at or known.get(key, now), now), wishes.get(key, 0.0))
            if not entry.guids:
                nameless.append(f"{entry.title} (the feed gives no id)")
            elif not keys:
                unmatched.append(entry.title)
        items = await self._unseen(wishes)
        return Fetched(
            demands=tuple(self._demands(wishes, items)),
            items=tuple(item for found in items.values() for item in found),
            unmatched=tuple(dict.fromkeys(nameless + unmatched)),
        )

    async def _entries(self) -> list[FeedEntry]:
        urls = self._urls()
        self._reader.forget_all_but(set(urls))
        entries: list[FeedEntry] = []
        for number, url in enumerate(urls):
            try:
                entries += await self._feed(url)
            except RemoteError as error:
                error.args = (f"watchlist.rss, feed {number + 1}: {error}",)  # its address is a secret
                raise
        names = {_name(url) for url in urls}
        self._held = {name: held for name, held in self._held.items() if name in names}
        await self._store.run(lambda c: rows.keep_feeds(c, names))
        return entries

    def _urls(self) -> list[str]:
        return list(dict.fromkeys(url.get_secret_value() for url in self._settings().watchlist.rss))

    def _note_held(self, name: str, entries: Sequence[FeedEntry]) -> None:
        known = self._held[name].authors if name in self._held else frozenset()
        authors = frozenset(entry.author for entry in entries if entry.author)
        oldest = min((entry.at for entry in entries if entry.at), default=0.0)
        self._held[name] = _Held(known | authors, oldest if len(entries) >= _WINDOW else 0.0)

    async def _feed(self, url: str) -> list[FeedEntry]:
        """Return what a feed holds, and what fell out of its window."""
        name = _name(url)
        entries = await self._reader.read(url)
        before = [_entry(row) for row in await self._store.run(lambda c: rows.feed(c, name))]
        if before and not entries and name not in self._empty:
            self._empty.add(name)
            raise RemoteUnavailable("it is suddenly empty; that is believed if it stays so")
        self._empty.discard(name)
        whole = [*entries, *_carried(entries, before)]
        self._note_held(name, before)
        self._note_held(name, whole)
        if whole != before:
            await self._store.run(lambda c: rows.put_feed(c, name, [_row(entry) for entry in whole]))
        return whole

    async def _match(self, entry: FeedEntry) -> list[str]:
        guids = [guid for guid in entry.guids if entry.type or guid.startswith(_SURE)]
        return [key for key, _ in await self._index.find(guids, entry.type)]

    async def _unseen(self, wishes: dict[str, float]) -> dict[str, list[Item]]:
        await self._read_history(min(wishes.values(), default=self._clock.now()))
        reader = self._library.reader()
        count = self._settings().watchlist.episodes
        found: dict[str, list[Item]] = {}
        standings = await self._shelf.standings(reader, list(wishes))
        shows = [key for key, standing in standings.items() if standing.item.type is not ItemType.MOVIE]
        episodes = await reader.episodes_of(shows)
        for key, standing in standings.items():
            if standing.item.type is ItemType.MOVIE:
                found[key] = [] if self._is_seen(standing.item, wishes[key]) else [standing.item]
            else:
                leaves = episodes.get(key, [])
                seen = {one.rating_key for one in leaves if self._is_seen(one, wishes[key])}
                found[key] = first(standing.item, leaves, count, seen)
        return found

    def _is_seen(self, item: Item, since: float) -> bool:
        return self._finished.get(item.rating_key, 0.0) >= since > 0.0

    async def _read_history(self, oldest: float) -> None:
        """Read what has been finished by anybody since the oldest wish, or only what is new since the last reading."""
        now = self._clock.now()
        if self._history is None or oldest < self._history[0]:
            self._finished.clear()
            self._history = (oldest, oldest)
        for row in await self._library.history(self._history[1]):
            self._finished[row.rating_key] = max(row.at, self._finished.get(row.rating_key, 0.0))
        latest = max(self._finished.values(), default=self._history[1])
        self._history = (self._history[0], min(max(latest, self._history[1]), now))

    def _demands(self, wishes: dict[str, float], items: dict[str, list[Item]]) -> list[Demand]:
        made: dict[str, Demand] = {}
        for key, found in items.items():
            for demand in demands("", key, found, wishes[key]):
                made.setdefault(demand.rating_key, demand)
        return list(made.values())


def _carried(entries: Collection[FeedEntry], before: Sequence[FeedEntry]) -> list[FeedEntry]:
    if len(entries) < _WINDOW:
        return []
    listed = {entry.guids for entry in entries}
    oldest = min((entry.at for entry in entries if entry.at), default=0.0)
    return [entry for entry in before if 0.0 < entry.at < oldest and entry.guids not in listed][:_MOST_CARRIED]


def _name(url: str) -> str:
    return sha256(url.encode()).hexdigest()[:16]


def _row(entry: FeedEntry) -> list[Any]:
    return [entry.type, entry.title, list(entry.guids), entry.at, entry.author]


def _entry(row: list[Any]) -> FeedEntry:
    kind, title, guids, at, *author = row
    return FeedEntry(ItemType(kind) if kind else None, title, tuple(guids), at, *author)
