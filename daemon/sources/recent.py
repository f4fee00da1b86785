"""What was added to the library lately."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from daemon.clock import Clock
from daemon.config import Settings
from daemon.errors import PlexUnavailable
from daemon.model import Demand, DemandKind, Fetched, Item, ItemType, User
from daemon.plex.elements import Section
from daemon.plex.library import PlexLibrary
from daemon.state import demands, followers
from daemon.state.store import Store

MOST = 200
"""So many of the newest count: whoever imports a library of thousands wants not all of it on the cache."""
_PAGE, _MOST_READ = 200, 10_000
_DAY = 86_400.0


class Recent:
    """Reads the newest of each selected library until what comes is older than ``recent.max_age``.

    With a `max_age` of 0 nothing is too old, and the `MOST` newest count. With ``watched_shows_only`` only episodes
    count, of shows of which somebody has begun an episode within ``on_deck.max_age``, and only until everybody who
    follows the show has watched them. What Plex says to have been added in the future is left out: it never ages.
    """

    kind = DemandKind.RECENT

    def __init__(self, library: PlexLibrary, store: Store, settings: Callable[[], Settings], clock: Clock) -> None:
        self._library = library
        self._store = store
        self._settings = settings
        self._clock = clock

    async def fetch(self) -> Fetched:
        """Return the demands of what is new. Raises PlexError; then what was known stands."""
        shows = await self._followed() if self._settings().recent.watched_shows_only else None
        now = self._clock.now()
        found: dict[str, Item] = {}
        sections = await self._library.sections()
        if not sections:
            raise PlexUnavailable("Plex lists no libraries")
        for section in sections:
            kind = _kind(section, shows)
            if kind is not None and self._library.selects(section.id, section.title):
                newest = await self._newest(section, kind, now)
                found |= {item.rating_key: item for item in newest if shows is None or item.show in shows}
        if shows:
            found = await self._unseen(found, shows)
        items = sorted(found.values(), key=lambda item: (-item.added_at, item.rating_key))
        chosen, left = items[:MOST], len(items) - MOST
        unmatched = (f"{left} more, added before the newest {MOST}",) if left > 0 else ()
        wishes = (Demand(one.rating_key, DemandKind.RECENT, "", one.added_at, show=one.show) for one in chosen)
        return Fetched(tuple(wishes), tuple(chosen), unmatched)

    async def _newest(self, section: Section, kind: ItemType, now: float) -> list[Item]:
        """Return what was added within the age, and is credible to have been."""
        age = self._settings().recent.max_age
        found: list[Item] = []
        for start in range(0, _MOST_READ, _PAGE):
            page = await self._library.newest(section.id, kind, start, _PAGE)
            young = [item for item in page if item.added_at and (not age or item.added_at >= now - age)]
            found += [item for item in young if item.added_at <= now + _DAY]
            if not page or len(young) < len(page):
                break
        return found

    async def _followed(self) -> dict[str, set[str]]:
        """Return the shows that somebody who counts watches, each with those who do."""
        settings = self._settings()
        since = self._clock.now() - settings.on_deck.max_age if settings.on_deck.max_age else 0.0
        shows, titles = await self._store.run(
            lambda connection: (followers.followers(connection, since), demands.users(connection))
        )
        excluded = {user for user, title in titles.items() if settings.users.excludes(User(user, title))}
        counted = {show: users - excluded for show, users in shows.items()}
        return {show: users for show, users in counted.items() if users}

    async def _unseen(self, found: Mapping[str, Item], shows: Mapping[str, set[str]]) -> dict[str, Item]:
        """Return those that not everybody who follows their show has watched."""
        seen = await self._store.run(lambda connection: followers.finished(connection, found))
        return {key: item for key, item in found.items() if not shows[item.show] <= seen[key]}


def _kind(section: Section, shows: Mapping[str, set[str]] | None) -> ItemType | None:
    """Return what to read of a library; None: nothing."""
    if section.type == "show":
        return None if shows is not None and not shows else ItemType.EPISODE
    return ItemType.MOVIE if section.type == "movie" and shows is None else None
