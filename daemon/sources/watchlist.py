"""Everybody's own watchlist."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from daemon.clock import Clock
from daemon.errors import RemoteError, RemoteHidden, RemoteRefused
from daemon.model import Demand, DemandKind, Fetched, Item, Person, Role
from daemon.plex.discover import Discover, Listed
from daemon.settings.models import Settings
from daemon.sources.index import LibraryIndex
from daemon.sources.shelf import Shelf, demands
from daemon.state import library as rows
from daemon.state import sources
from daemon.state.store import Store

IN_FEEDS = "read from a feed of watchlist.rss"
_MOST_IDS = 50
_MOST_MOMENTS = 10
"""Entries of whom plex.tv is asked at one reading when they were listed; the others are taken to be no younger than
the one before them, until they are asked for at a later reading."""


@dataclass(frozen=True, slots=True)
class _Found:
    """An entry of the list, and what it is in our libraries: the same movie may be in several."""

    listed: Listed
    keys: tuple[str, ...]


class Watchlist:
    """Demands movies that their listers have not seen, and of shows the first episodes that they have not.

    With an account's token its own list is read; without one the community's API is asked with the owner's, which
    shows the lists of friends who let theirs be seen. `owner_token` gives that one, empty if there is none; `in_feeds`
    says since when a feed holds the list of the account of this uuid (None: none does), so that nothing is amiss if it
    is not shown.
    """

    kind = DemandKind.WATCHLIST

    def __init__(
        self,
        discover: Discover,
        index: LibraryIndex,
        shelf: Shelf,
        store: Store,
        settings: Callable[[], Settings],
        clock: Clock,
        owner_token: Callable[[], str],
        in_feeds: Callable[[str], Awaitable[float | None]],
    ) -> None:
        self._discover = discover
        self._index = index
        self._shelf = shelf
        self._store = store
        self._settings = settings
        self._clock = clock
        self._owner_token = owner_token
        self._in_feeds = in_feeds
        self._guessed: set[tuple[str, str]] = set()

    async def fetch(self, person: Person) -> Fetched:
        """Return what the person's list demands now. Raises PlexError or RemoteError; then what was known stands."""
        try:
            listed = await listed_by(self._discover, person, self._owner_token())
        except RemoteHidden:
            since = await self._in_feeds(person.uuid)
            if since is None:
                raise
            # The feed is the list now; what fell out of its window before it was kept is all that is left to say.
            said = await self._store.run(lambda c: sources.said(c, DemandKind.WATCHLIST, person.user.id))
            return Fetched(tuple(demand for demand in said if demand.since < since), note=IN_FEEDS)
        await self._index.ensure()
        found = [_Found(one, keys) for one, keys in zip(listed, await self._match(person, listed), strict=True)]
        keys = list(dict.fromkeys(key for one in found for key in one.keys))
        items = await self._shelf.unseen(person, keys, self._settings().watchlist.episodes)
        wanted = [one for one in found if any(items.get(key) for key in one.keys)]
        return Fetched(
            demands=tuple(self._demands(person, wanted, items, await self._moments(person, wanted))),
            items=tuple(item for key in keys for item in items.get(key, ())),
            unmatched=tuple(one.listed.title for one in found if not any(key in items for key in one.keys)),
        )

    async def _match(self, person: Person, listed: Sequence[Listed]) -> list[tuple[str, ...]]:
        """Return the rating keys of each entry."""
        matched = []
        left = _MOST_IDS
        for one in listed:
            found = await self._index.find([one.guid], one.type)
            if not found and await self._index.needs_ids(one.type):
                ids = await self._known_ids(one)
                if not ids and left:
                    left -= 1
                    ids = await self._ask_ids(person, one)
                found = await self._index.find(ids, one.type)
            matched.append(tuple(key for key, _ in found))
        return matched

    async def _known_ids(self, one: Listed) -> tuple[str, ...]:
        return await self._store.run(lambda c: rows.ids(c, one.id))

    async def _ask_ids(self, person: Person, one: Listed) -> tuple[str, ...]:
        ids = await self._discover.ids(person.account_token or self._owner_token(), one.id)
        if ids:
            await self._store.run(lambda c: rows.put_ids(c, one.id, ids))
        return ids

    async def _moments(self, person: Person, wanted: Sequence[_Found]) -> dict[str, float]:
        """Return when each entry was listed, as far as that is known, else since when we have seen it."""
        known = await self._store.run(lambda c: rows.listed_since(c, person.user.id))
        moments: dict[str, float] = {}
        left = _MOST_MOMENTS
        latest = now = self._clock.now()
        for one in wanted:
            place = (person.user.id, one.listed.id)
            moment = min((known[key] for key in one.keys if key in known), default=0.0)
            if person.account_token and (not moment or place in self._guessed):
                asked = await self._ask_moment(person, one.listed) if left else None
                left = 0 if asked is None else left - 1
                moment = asked or moment
                if asked is None:
                    self._guessed.add(place)
                else:
                    self._guessed.discard(place)
            # The list is sorted by this moment, the latest first; a friend's is not.
            latest = moments[one.listed.id] = min(moment or (latest if person.account_token else now), now)
        return moments

    async def _ask_moment(self, person: Person, one: Listed) -> float | None:
        """Return when plex.tv says that it was listed; None: it cannot be asked now."""
        try:
            return await self._discover.listed_at(person.account_token, one.id)
        except RemoteError:
            return None  # a wish with a moment that is not exact is better than none

    def _demands(
        self,
        person: Person,
        wanted: Sequence[_Found],
        items: Mapping[str, Sequence[Item]],
        moments: Mapping[str, float],
    ) -> list[Demand]:
        made: dict[str, Demand] = {}
        for one in wanted:
            for key in one.keys:
                for demand in demands(person.user.id, key, items.get(key, ()), moments[one.listed.id]):
                    made.setdefault(demand.rating_key, demand)
        return list(made.values())


async def listed_by(discover: Discover, person: Person, owner: str) -> list[Listed]:
    """Return a person's list: by the own token, else as friends see it, asked with the owner's. Raises RemoteError."""
    if person.account_token:
        return await discover.watchlist(person.user.id, person.account_token)
    if person.role is Role.OWNER or not person.uuid or not owner:
        raise RemoteRefused(person.problem or f"there is no plex.tv token of {person.user.title}")
    try:
        return await discover.friends_watchlist(owner, person.uuid)
    except RemoteHidden as error:
        raise RemoteHidden(
            f"{error}: {person.user.title} can show it to friends (Account visibility), or a feed that holds it "
            "can be named in watchlist.rss"
        ) from None
