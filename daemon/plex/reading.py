"""Reads answers of the server with one token: whole lists, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import quote
from xml.etree.ElementTree import Element

from daemon.errors import PlexNotFound
from daemon.model import Item, ItemType
from daemon.plex import elements
from daemon.plex.connection import Connection

_PAGE = 500
_MOST_PAGES = 400
_AT_ONCE = 100


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
