"""What of a movie or a show somebody has not seen yet: the movie itself, the first episodes of the show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from daemon.clock import Clock
from daemon.errors import PlexNotFound
from daemon.model import OWNER, Demand, DemandKind, Item, ItemType, Person
from daemon.plex import elements
from daemon.plex.episodes import enough
from daemon.plex.library import PlexLibrary
from daemon.plex.reading import Reader

_AT_ONCE = 100
_FRESH = 300.0
"""Seconds for which the first episodes of a show are taken to be the same for all who have not begun it."""
_HISTORY = "/status/sessions/history/all"


@dataclass(frozen=True, slots=True)
class Standing:
    """A movie or show as somebody sees it; `begun`: some of its episodes are watched."""

    item: Item
    begun: bool


class Shelf:
    """Reads the library as people see it. Every method raises PlexError and nothing else."""

    def __init__(self, library: PlexLibrary, clock: Clock) -> None:
        self._library = library
        self._clock = clock
        self._reading = asyncio.Lock()
        self._firsts: dict[tuple[str, int], tuple[float, list[Item]]] = {}

    async def unseen(self, person: Person, keys: Sequence[str], count: int) -> dict[str, list[Item]]:
        """Return, for each movie or show that the person may see, what of it is to have ready: `count` of a show.

        Without a token of theirs the server's history says what they have watched.
        """
        own = bool(person.server_token) or person.user.id == OWNER
        reader = self._library.reader(person.server_token)
        standings = await self.standings(reader, keys)
        watched = {key: set() if own else await self._finished(person, key) for key in standings}
        found: dict[str, list[Item]] = {}
        fresh: list[Item] = []
        begun: list[Item] = []
        for key, standing in standings.items():
            item = standing.item
            if item.type is ItemType.MOVIE:
                found[key] = [] if key in watched[key] or (own and item.watched) else [item]
            else:
                (fresh if own and not standing.begun else begun).append(item)
        found |= await self._beginnings(fresh, count)
        episodes = await reader.episodes_of([show.rating_key for show in begun])
        for show in begun:
            key, leaves = show.rating_key, episodes.get(show.rating_key, [])
            seen = {one.rating_key for one in leaves if one.watched} if own else watched[key]
            found[key] = first(show, leaves, count, seen)
        return found

    async def standings(self, reader: Reader, keys: Sequence[str]) -> dict[str, Standing]:
        """Return how movies and shows are, in the order of `keys`; those that the reader may not see are left out."""
        found: dict[str, Standing] = {}
        async for element, container in present(reader, keys):
            item = elements.item(element, container)
            if item is not None:
                begun = elements.number(element.get("viewedLeafCount"), 0) > 0
                found[item.rating_key] = Standing(item, begun)
        return {key: found[key] for key in keys if key in found}

    async def _beginnings(self, shows: Sequence[Item], count: int) -> dict[str, list[Item]]:
        """Return how these shows begin, read once for all who are about to begin them."""
        async with self._reading:
            now = self._clock.now()
            self._firsts = {place: kept for place, kept in self._firsts.items() if 0.0 <= now - kept[0] < _FRESH}
            missing = [show for show in shows if (show.rating_key, count) not in self._firsts]
            episodes = await self._library.reader().episodes_of([show.rating_key for show in missing])
            for show in missing:
                begins = first(show, episodes.get(show.rating_key, []), count, ())
                self._firsts[show.rating_key, count] = (now, begins)
            return {show.rating_key: self._firsts[show.rating_key, count][1] for show in shows}

    async def _finished(self, person: Person, key: str) -> Collection[str]:
        asked = urlencode({"accountID": person.user.id, "metadataItemID": key, "sort": "viewedAt:desc"})
        rows: set[str] = set()
        async for page in self._library.reader().pages("history", f"{_HISTORY}?{asked}"):
            rows.update(row.rating_key for row in elements.history(page))
        return rows


async def present(reader: Reader, keys: Sequence[str]) -> AsyncIterator[tuple[Element, Element]]:
    """Yield what the reader sees of these items, each with the answer that it is in.

    Plex leaves out of an answer what it does not know. Where it would rather know nothing of the whole, the rest is
    asked for by itself: what is not known must not take the others along.
    """
    for start in range(0, len(keys), _AT_ONCE):
        waiting = [list(keys[start : start + _AT_ONCE])]
        while waiting:
            asked = waiting.pop()
            try:
                container = await reader.query("items", f"/library/metadata/{','.join(asked)}")
            except PlexNotFound:
                half = len(asked) // 2
                waiting += [part for part in (asked[:half], asked[half:]) if part and half]
                continue
            for element in container:
                yield element, container


def first(show: Item, episodes: Iterable[Item], count: int, seen: Collection[str]) -> list[Item]:
    """Return the first regular episodes that are not `seen`, in order; specials are left out."""
    regular = sorted((one for one in episodes if one.season != 0), key=lambda one: (one.season, one.episode))
    return enough(show, (one for one in regular if one.rating_key not in seen), 0.0, count=count)


def demands(user: str, anchor: str, items: Sequence[Item], since: float) -> list[Demand]:
    """Return what a list demands of one movie or show, whose key is `anchor`."""
    return [
        Demand(
            rating_key=item.rating_key,
            kind=DemandKind.WATCHLIST,
            user=user,
            since=since,
            position=position,
            show=anchor if item.type is ItemType.EPISODE else "",
        )
        for position, item in enumerate(items)
    ]
