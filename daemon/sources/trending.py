"""What many people watch now, as Trakt counts it: of that, what there is in the own library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon import __version__
from daemon.clock import Clock
from daemon.config import Settings
from daemon.errors import PlexNotFound, RemoteRefused, RemoteUnavailable
from daemon.model import Demand, DemandKind, Fetched, Item, ItemType
from daemon.outbound import Outbound, Reply
from daemon.plex.library import PlexLibrary
from daemon.sources.index import LibraryIndex
from daemon.state import demands
from daemon.state.store import Store

_PAGE = 100
_MOST_PAGES = 3
_PAGES_HEADER = "X-Pagination-Page-Count"


@dataclass(frozen=True, slots=True)
class Movie:
    """A movie of the list, with the ids by which it is found."""

    title: str
    guids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Charts:
    """What Trakt said last: to which question (address, client id), when, and the movies in order."""

    asked: tuple[str, str]
    at: float
    movies: Sequence[Movie]


class Trending:
    """Goes down Trakt's list until ``trending.movies`` of it are found in the own library, at most 300 movies deep.

    A movie counts once, however many copies of it there are; it is found by its imdb or tmdb id and by nothing else.
    Trakt is asked once in ``trending.refresh``; between, its last answer is looked up anew, so that a movie that has
    come meanwhile counts. Documented at docs.trakt.tv: headers, paging, a 429 with ``Retry-After``.
    """

    kind = DemandKind.TRENDING

    def __init__(
        self,
        library: PlexLibrary,
        index: LibraryIndex,
        store: Store,
        outbound: Outbound,
        settings: Callable[[], Settings],
        clock: Clock,
    ) -> None:
        self._library = library
        self._index = index
        self._store = store
        self._outbound = outbound
        self._settings = settings
        self._clock = clock
        self._charts: _Charts | None = None

    async def fetch(self) -> Fetched:
        """Return the demands of the movies. Raises RemoteError and PlexError; then what was known stands."""
        wanted = self._settings().trending.movies
        if not wanted:
            return Fetched()
        now = self._clock.now()
        since = await self._known_since()
        demanded: list[Demand] = []
        items: dict[str, Item] = {}
        unmatched: list[str] = []
        place = 0
        movies = await self._movies(now)
        await self._index.ensure()
        for movie in movies:
            if place >= wanted:
                break
            copies = [one for one in await self._copies(movie) if one.rating_key not in items]
            if not copies:
                unmatched.append(movie.title)
                continue
            items |= {one.rating_key: one for one in copies}
            keys = [one.rating_key for one in copies]
            demanded += [Demand(key, DemandKind.TRENDING, "", since.get(key, now), position=place) for key in keys]
            place += 1
        return Fetched(tuple(demanded), tuple(items.values()), tuple(unmatched))

    async def _copies(self, movie: Movie) -> list[Item]:
        """Return the movie as it is in the selected libraries; the index may still name what was deleted."""
        found = []
        for key, _ in await self._index.find(movie.guids, ItemType.MOVIE):
            try:
                item = await self._library.item(key)
            except PlexNotFound:
                continue
            if item is not None and item.type is ItemType.MOVIE and item.selected:
                found.append(item)
        return found

    async def _known_since(self) -> dict[str, float]:
        known = await self._store.run(demands.all_demands)
        return {one.rating_key: one.since for one in known if one.kind is DemandKind.TRENDING}

    async def _movies(self, now: float) -> Sequence[Movie]:
        settings = self._settings().trending
        client = settings.client_id.get_secret_value()
        if not client:
            raise RemoteRefused("trending.client_id is not set")
        asked = (settings.url, client)
        charts = self._charts
        if charts is None or charts.asked != asked or not charts.at <= now < charts.at + settings.refresh:
            charts = self._charts = _Charts(asked, now, await read_charts(self._outbound, *asked))
        return charts.movies


async def read_charts(outbound: Outbound, url: str, client: str) -> list[Movie]:
    """Return what Trakt lists, in its order. Raises RemoteError."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"ondeckd/{__version__}",
        "trakt-api-version": "2",
        "trakt-api-key": client,
    }
    found: list[Movie] = []
    for page in range(1, _MOST_PAGES + 1):
        params = {"page": str(page), "limit": str(_PAGE)}
        reply = await outbound.ask(f"{url.rstrip('/')}/movies/trending", headers=headers, params=params)
        movies, length = _read(reply)
        found += movies
        if page >= _pages(reply, page, length):
            break
    if not found:
        # Somebody watches something at any moment.
        raise RemoteUnavailable(f"{reply.host} names no movies")
    return found


def _pages(reply: Reply, page: int, length: int) -> int:
    """Return how many pages there are; without Trakt's word a full one is taken to be followed by another."""
    said = {name.casefold(): value for name, value in reply.headers.items()}.get(_PAGES_HEADER.casefold(), "")
    if said.isascii() and said.isdigit():
        return int(said[:9])
    return page + 1 if length >= _PAGE else page


def _read(reply: Reply) -> tuple[list[Movie], int]:
    """Return the movies of a page that have an id, and how many there are on it."""
    rows = reply.json()
    if not isinstance(rows, list):
        raise RemoteUnavailable(f"{reply.host} answers with something that is no list")
    return [movie for row in rows if (movie := _movie(row))], len(rows)


def _movie(row: Any) -> Movie | None:
    movie = row.get("movie") if isinstance(row, Mapping) else None
    ids = movie.get("ids") if isinstance(movie, Mapping) else None
    if not isinstance(movie, Mapping) or not isinstance(ids, Mapping):
        return None
    guids = tuple(f"{name}://{ids[name]}" for name in ("imdb", "tmdb") if isinstance(ids.get(name), str | int))
    title = f"{movie.get('title') or 'a movie without a title'} ({movie.get('year') or 'no year'})"
    return Movie(title, tuple(guid for guid in guids if not guid.endswith("://")))
