"""The server as one user sees it: what is on deck for them, and what they have watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from daemon.errors import PlexNotFound, PlexUnavailable
from daemon.model import Item
from daemon.plex import elements
from daemon.plex.connection import together
from daemon.plex.elements import Section
from daemon.plex.reading import Reader

_VIDEO = frozenset({"movie", "show"})


class UserView:
    """Asks with the user's own token: `watched`, `view_offset` and `last_viewed_at` of all items are this user's.

    `selects` says of a library's id and title whether it counts. Every method raises PlexError and nothing else.
    """

    def __init__(self, reader: Reader, selects: Callable[[str, str], bool]) -> None:
        self._reader = reader
        self._selects = selects

    async def on_deck(self) -> list[Item]:
        """Return what Plex offers the user to go on with, latest first; of each, `selected` says whether it counts.

        That is Continue Watching, on old servers On Deck. Both leave out libraries that are hidden from Plex's home
        screen, so these are asked one by one.
        """
        sections, found = await together(self.sections(), self._deck("/hubs/continueWatching/items", "/library/onDeck"))
        if not sections:
            raise PlexUnavailable("Plex lists no libraries")  # nor would it list anything else
        for one in sections:
            if one.hidden and one.type in _VIDEO and self._selects(one.id, one.title):
                found += await self._deck(
                    f"/hubs/sections/{one.id}/continueWatching/items", f"/library/sections/{one.id}/onDeck"
                )
        titles = {one.id: one.title for one in sections}
        return [
            replace(item, selected=not library or self._selects(library, titles.get(library, item.library)))
            for item, library in {item.rating_key: (item, library) for item, library in found}.values()
        ]

    async def sections(self) -> list[Section]:
        """Return the libraries that the user may use."""
        return elements.sections(await self._reader.query("sections", "/library/sections"))

    async def episodes_of(self, shows: Sequence[str]) -> dict[str, list[Item]]:
        """Return all episodes of each of these shows, with their files; deleted shows are left out."""
        return await self._reader.episodes_of(shows)

    async def items(self, keys: Sequence[str]) -> list[Item]:
        """Return these items with all their files; what has been deleted meanwhile is left out."""
        return await self._reader.items(keys)

    async def _deck(self, path: str, old: str) -> list[tuple[Item, str]]:
        """Return the items, each with the id of its library; pre-rolls and other transient ones are left out."""
        try:
            return await self._listed(path)
        except PlexNotFound:
            return await self._listed(old)

    async def _listed(self, path: str) -> list[tuple[Item, str]]:
        found = []
        async for page in self._reader.pages("on_deck", path):
            for element in page:
                library, _ = elements.section_of(element, page)
                item = elements.item(element, page)
                if item is not None and not library.startswith("-"):
                    found.append((item, library))
        return found
