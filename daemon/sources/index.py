"""Which of our movies and shows are those that a watchlist or a chart names. By guid, never by title."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import structlog

from daemon.clock import Clock
from daemon.errors import PlexError, PlexNotFound, PlexUnavailable
from daemon.model import ItemType
from daemon.plex import elements
from daemon.plex.frames import rating_key, text
from daemon.plex.guids import PLEX, normalised
from daemon.plex.library import PlexLibrary
from daemon.plex.reading import metadata
from daemon.sources.shelf import present
from daemon.state import library as rows
from daemon.state.library import Reading, Shelved
from daemon.state.store import Store

log = structlog.get_logger()

_PAGE = 500
_MOST_PAGES = 2000
_AT_ONCE = 100
_MOST_NEWS = 5
"""Pages of what has changed lately that are read before the whole section is."""
_FRESH = 60.0
"""Seconds in which Plex is not asked again whether anything has changed."""
_MARGIN = 3600
"""Seconds before a reading whose changes are looked at again: it takes a while, and clocks differ."""
_NUMBERS = {"movie": 1, "show": 2}
_TYPES = frozenset({ItemType.MOVIE, ItemType.SHOW})
# Files, people and genres are most of an answer, and a server that does not know this request sends them all the same.
_PLAIN = "includeGuids=1&excludeElements=Media,Genre,Director,Writer,Role,Country,Collection&excludeFields=summary"


@dataclass(frozen=True, slots=True)
class _Section:
    """A library; `stamp` changes with what it holds."""

    id: str
    title: str
    path: str
    stamp: str


class LibraryIndex:
    """Knows the movies and shows of all selected libraries in rows, and reads again only what has changed.

    Plex's ``contentChangedAt`` of a section (of old servers ``scannedAt``) says whether it did. A reading that fails
    takes nothing away: what is listed is put page by page, and what is not listed any more goes after the last
    one, and only once Plex says of each that it is gone.
    """

    def __init__(self, library: PlexLibrary, store: Store, clock: Clock) -> None:
        self._library = library
        self._plex = library.reader()
        self._store = store
        self._clock = clock
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._read_for: tuple[str, ...] = ()
        self._failures, self._failure = 0, ""
        self._foreign: dict[ItemType, bool] = {}

    async def ensure(self) -> None:
        """Read what is missing or has changed. Raises PlexError; then the old rows stand."""
        before = self._failures
        async with self._reading:
            if self._failures != before:
                raise PlexUnavailable(self._failure)  # as it just did for whom this one waited
            asked_for = tuple(self._library.libraries)
            if self._read_for == asked_for and self._clock.now() - self._read_at < _FRESH:
                return
            try:
                await self._read_all()
            except PlexError as error:
                self._failures, self._failure = self._failures + 1, str(error)
                raise
            self._read_at, self._read_for = self._clock.now(), asked_for

    async def find(self, guids: Collection[str], kind: ItemType | None = None) -> list[tuple[str, ItemType]]:
        """Return rating key and type of everything that has one of these guids, in any form; of one `kind`, or both.

        TMDB and TVDB number movies and shows apart, so an id of theirs without a kind may find two different things.
        """
        asked = sorted({guid for guid in map(normalised, guids) if guid})
        found = await self._store.run(lambda c: rows.find(c, asked)) if asked else []
        return [(key, its) for key, its in found if kind in {None, its}]

    async def needs_ids(self, kind: ItemType) -> bool:
        """Say whether the library holds something of this kind that has no guid of Plex's own, only other ids."""
        if kind not in self._foreign:
            self._foreign[kind] = await self._store.run(lambda c: rows.any_without(c, kind, PLEX))
        return self._foreign[kind]

    async def note_changed(self, key: str) -> list[str]:
        """Take over what Plex says of an item that is new or has changed; return its files. Raises PlexError."""
        try:
            container = await self._plex.query("index", f"{metadata(key)}?includeGuids=1")
        except PlexNotFound:
            await self.note_deleted(key)
            return []
        files = []
        for element in container:
            item = elements.item(element, container)
            if item is None:
                continue
            files += [file.plex_path for file in item.files]
            if item.type in _TYPES:
                await self._note(element, container)
            elif item.show not in {"", key}:
                await self._note_show(item.show)
        return files

    async def note_deleted(self, key: str) -> None:
        """Forget an item that Plex has deleted."""
        await self._drop([key])

    async def _note(self, element: Element, container: Element) -> None:
        section, title = elements.section_of(element, container)
        made = _shelved([element], section)
        if section.startswith("-"):  # pre-rolls and other transient items
            return
        if self._library.selects(section, title):
            await self._put(made)
        else:
            await self._drop([one.rating_key for one in made])

    async def _note_show(self, show: str) -> None:
        """Take over the show of an episode that is new, if it is new as well."""
        if not await self._store.run(lambda c: rows.knows(c, show)):
            await self.note_changed(show)

    async def _read_all(self) -> None:
        sections = await self._sections()
        await self._store.run(lambda c: rows.keep_sections(c, {one.id for one in sections}))
        for section in sections:
            await self._refresh(section)

    async def _sections(self) -> list[_Section]:
        container = await self._plex.query("sections", "/library/sections")
        stamps = {
            text(element.get("key")): text(element.get("contentChangedAt")) or text(element.get("scannedAt"))
            for element in container
        }
        if not stamps:
            raise PlexUnavailable("Plex lists no libraries")
        return [
            _Section(
                one.id, one.title, f"/library/sections/{one.id}/all?type={_NUMBERS[one.type]}&{_PLAIN}", stamps[one.id]
            )
            for one in elements.sections(container)
            if one.type in _NUMBERS and self._library.selects(one.id, one.title)
        ]

    async def _refresh(self, section: _Section) -> None:
        before = await self._store.run(lambda c: rows.reading(c, section.id))
        if before and before.stamp == section.stamp != "":
            return
        if before and await self._catch_up(section, before):
            return
        await self._read(section)

    async def _catch_up(self, section: _Section, before: Reading) -> bool:
        """Read what changed since then; return whether that accounts for everything that the section holds now."""
        newest, limit, began = before.newest, 0, self._clock.now()
        for number in range(_MOST_NEWS):
            page = await self._plex.page("index", f"{section.path}&sort=updatedAt:desc", number * _AT_ONCE, _AT_ONCE)
            moments = [_updated(element) for element in page]
            if moments != sorted(moments, reverse=True):
                return False  # this server sorts otherwise
            await self._put(_shelved((one for one in page if _updated(one) >= before.newest), section.id))
            newest, limit = max([newest, *moments]), elements.number(page.get("totalSize"), len(page))
            if not moments or moments[-1] < before.newest or (number + 1) * _AT_ONCE >= limit:
                break
        else:
            return False
        if await self._store.run(lambda c: rows.count_of_section(c, section.id)) != limit:
            return False
        await self._remember(section, newest, began)
        return True

    async def _read(self, section: _Section) -> None:
        seen: set[str] = set()
        start, newest, began = 0, 0, self._clock.now()
        for _ in range(_MOST_PAGES):
            page = await self._plex.page("index", section.path, start, _PAGE)
            made = _shelved(page, section.id)
            await self._put(made)
            seen.update(one.rating_key for one in made)
            newest = max([newest, *map(_updated, page)])
            start += len(page)
            total = elements.number(page.get("totalSize"), start)
            if not len(page) or start >= total:
                break
        if start < total:
            raise PlexUnavailable(f"Plex lists only {start} of the {total} items of {section.title}")
        await self._forget_all_but(seen, section)
        await self._remember(section, newest, began)
        log.info("library_indexed", library=section.title, items=len(seen))

    async def _remember(self, section: _Section, newest: int, began: float) -> None:
        new = Reading(section.stamp, min(newest, int(began) - _MARGIN))
        await self._store.run(lambda c: rows.put_reading(c, section.id, new))

    async def _forget_all_but(self, seen: set[str], section: _Section) -> None:
        """Forget what is neither listed nor known there; a list that shifts while it is read leaves items out."""
        missing = sorted(await self._store.run(lambda c: rows.keys_of_section(c, section.id)) - seen)
        if missing:
            await self._drop(set(missing) - await self._still_in(section, missing))

    async def _still_in(self, section: _Section, keys: list[str]) -> set[str]:
        return {
            rating_key(element.get("ratingKey"))
            async for element, container in present(self._plex, keys)
            if elements.section_of(element, container)[0] in {"", section.id}
        }

    async def _put(self, made: list[Shelved]) -> None:
        await self._store.run(lambda c: rows.put(c, made))
        self._foreign.clear()

    async def _drop(self, keys: Collection[str]) -> None:
        await self._store.run(lambda c: rows.drop(c, keys))
        self._foreign.clear()


def _shelved(found: Iterable[Element], section: str) -> list[Shelved]:
    made = []
    for element in found:
        key, kind = rating_key(element.get("ratingKey"), element.get("key")), text(element.get("type"))
        if key and kind in _TYPES:
            named = [element.get("guid", ""), *(guid.get("id", "") for guid in element.iter("Guid"))]
            guids = tuple(dict.fromkeys(guid for guid in map(normalised, named) if guid))
            made.append(Shelved(key, ItemType(kind), section, text(element.get("title")), guids))
    return made


def _updated(element: Element) -> int:
    return elements.number(element.get("updatedAt"), elements.number(element.get("addedAt"), 0))
