"""Reads answers of the server with one token: whole lists, page by page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from urllib.parse import quote
from xml.etree.ElementTree import Element

from daemon.errors import PlexNotFound, PlexUnavailable
from daemon.model import Item, ItemType
from daemon.plex import elements
from daemon.plex.connection import Connection

_PAGE = 500
_MOST_PAGES = 400
_AT_ONCE = 100
_SHOWS = 50
# What the answer is not read for; a server that does not know this request sends it all the same.
_PLAIN = "excludeElements=Genre,Director,Writer,Role,Country,Collection&excludeFields=summary"


class Reader:
    """Asks as the owner of `token`; empty: as the server's owner."""

    def __init__(self, connection: Connection, token: str = "") -> None:
        self._connection = connection
        self._token = token

    async def query(self, call: str, path: str, headers: Mapping[str, str] | None = None) -> Element:
        """Return the answer to one request, which is called `call` in the metrics."""
        return await self._connection.query(call, path, headers, token=self._token)

    async def page(self, call: str, path: str, start: int, size: int) -> Element:
        """Return a part of a list."""
        return await self.query(call, path, {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)})

    async def pages(self, call: str, path: str) -> AsyncIterator[Element]:
        """Yield a list, part by part."""
        start = 0
        for _ in range(_MOST_PAGES):
            page = await self.page(call, path, start, _PAGE)
            yield page
            start += len(page)
            if not len(page) or start >= elements.number(page.get("totalSize"), 0):
                return

    async def all(self, call: str, path: str) -> list[Item]:
        """Return all items of a list."""
        found: list[Item] = []
        async for page in self.pages(call, path):
            found += elements.items(page)
        return found

    async def episodes(self, rating_key: str) -> list[Item]:
        """Return all episodes of a show or season."""
        path = f"{metadata(rating_key)}/allLeaves"
        return [item for item in await self.all("episodes", path) if item.type is ItemType.EPISODE]

    async def episodes_of(self, shows: Sequence[str]) -> dict[str, list[Item]]:
        """Return the episodes of each of these shows, of many in few requests; deleted shows are left out.

        Plex's own filter ``show.id`` takes several ids with commas between them. A show of which nothing came that way
        is asked for by itself: it may be gone, or empty, or this server may filter otherwise.
        """
        found: dict[str, list[Item]] = {}
        for start in range(0, len(shows), _SHOWS):
            with suppress(PlexNotFound, PlexUnavailable):
                found |= await self._together(shows[start : start + _SHOWS])
        for show in shows:
            if show not in found:
                with suppress(PlexNotFound):
                    found[show] = await self.episodes(show)
        return found

    async def _together(self, shows: Sequence[str]) -> dict[str, list[Item]]:
        """Return the episodes of these shows, of each all or none; nothing where the answer does not prove that."""
        if len(shows) == 1:
            return {}
        found: dict[str, dict[str, Item]] = defaultdict(dict)
        total = 0
        asked = quote(",".join(shows), safe=",")
        async for page in self.pages("episodes", f"/library/all?type=4&show.id={asked}&{_PLAIN}"):
            for item in elements.items(page):
                if item.show not in shows or item.type is not ItemType.EPISODE:
                    return {}
                found[item.show][item.rating_key] = item
            total = elements.number(page.get("totalSize"), 0)
        # A list that changes while it is read leaves some out.
        if sum(map(len, found.values())) != total:
            return {}
        return {show: list(items.values()) for show, items in found.items()}

    async def items(self, keys: Sequence[str]) -> list[Item]:
        """Return these items with all their files; what has been deleted meanwhile is left out."""
        found: list[Item] = []
        for start in range(0, len(keys), _AT_ONCE):
            asked = ",".join(keys[start : start + _AT_ONCE])
            try:
                found += elements.items(await self.query("items", f"/library/metadata/{asked}"))
            except PlexNotFound:
                continue
        return found


def metadata(rating_key: str) -> str:
    """Return the path of an item."""
    return f"/library/metadata/{quote(rating_key, safe='')}"
