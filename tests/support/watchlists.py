"""A simulated household with watchlists, and what ondeckd reads of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from daemon.config import Settings, build
from daemon.demo.server import DemoServer
from daemon.model import DemandKind, Fetched, Item, Person, User
from daemon.outbound import Outbound
from daemon.plex.discover import Discover
from daemon.plex.library import PlexLibrary
from daemon.plex.rss import FeedReader
from daemon.sources.feeds import Feeds
from daemon.sources.index import LibraryIndex
from daemon.sources.shelf import Shelf
from daemon.sources.watchlist import Watchlist
from daemon.state import sources
from daemon.state.store import Store
from tests.support.daemon import merged
from tests.support.people import NOW, Patient
from tests.support.plex import small_library

LISTED = 1_700_000_000.0


@dataclass
class Lists:
    """The server, and everything that reads its people's watchlists."""

    plex: DemoServer
    clock: Patient
    store: Store
    library: PlexLibrary
    tables: dict[str, Any]
    index: LibraryIndex
    watchlist: Watchlist
    feeds: Feeds

    @property
    def settings(self) -> Settings:
        services = ("discover_url", "metadata_url", "community_url")
        return build(merged({"plex": dict.fromkeys(services, self.plex.url)}, self.tables))

    @property
    def movies(self) -> list[str]:
        return self.plex.library.movies

    @property
    def show(self) -> str:
        return self.plex.library.shows[0]

    @property
    def episodes(self) -> list[str]:
        """The regular episodes of the first show."""
        return self.plex.library.episodes(self.show)

    def person(self, title: str, **fields: Any) -> Person:
        """Return somebody with both tokens."""
        one = self.plex.people[title]
        made = Person(User(one.id, title), one.role, one.token, one.account_token, one.uuid)
        return replace(made, **fields)

    def friend(self, title: str) -> Person:
        """Return somebody of whom no token for plex.tv is known."""
        return self.person(title, account_token="")

    async def read(self, title: str = "Ann") -> Fetched:
        """Read a person's list and remember what it demands, as the daemon does."""
        person = self.person(title)
        fetched = await self.watchlist.fetch(person)
        await self.keep(person.user.id, fetched)
        return fetched

    async def read_feeds(self) -> Fetched:
        """Read the feeds and remember what they demand."""
        fetched = await self.feeds.fetch()
        await self.keep("", fetched)
        return fetched

    async def keep(self, user: str, fetched: Fetched) -> None:
        now = self.clock.now()
        await self.store.run(lambda c: sources.put_fetched(c, DemandKind.WATCHLIST, user, fetched, now))

    def later(self, seconds: float = 3600.0) -> None:
        """Let time pass."""
        self.clock.turn(self.clock.now() + seconds)

    def asked(self, part: str) -> int:
        """Return how many requests came whose path holds this."""
        return sum(part in one.path for one in self.plex.requests)


def wanted(fetched: Fetched) -> dict[str, list[str]]:
    """Return what is demanded: of each movie or show its own key, and the keys of its items in their order."""
    found: dict[str, list[str]] = {}
    for one in sorted(fetched.demands, key=lambda demand: demand.position):
        found.setdefault(one.show or one.rating_key, []).append(one.rating_key)
    return found


def files(items: Sequence[Item]) -> Mapping[str, int]:
    """Return how many files each item has."""
    return {item.rating_key: len(item.files) for item in items}


@asynccontextmanager
async def lists(folder: Path, plex: DemoServer | None = None, /, **tables: Any) -> AsyncIterator[Lists]:
    """Ann owns the server, Ben and Cleo are friends; nobody has listed anything."""
    async with AsyncExitStack() as stack:
        clock = Patient(NOW)
        server = await stack.enter_async_context(plex or DemoServer(small_library(), clock=clock))
        store = await stack.enter_async_context(Store(folder))
        outbound = await stack.enter_async_context(Outbound(clock))
        library = await stack.enter_async_context(PlexLibrary(url=server.url, token=server.token, clock=clock))
        made = Lists(server, clock, store, library, dict(tables), *(None,) * 3)  # type: ignore[arg-type]  # set below
        made.index = LibraryIndex(library, store, clock)
        shelf = Shelf(library, clock)
        discover = Discover(outbound, lambda: made.settings, clock)
        reader = FeedReader(outbound)
        made.feeds = Feeds(reader, library, made.index, shelf, store, lambda: made.settings, clock)
        made.watchlist = Watchlist(
            discover,
            made.index,
            shelf,
            store,
            lambda: made.settings,
            clock,
            lambda: server.people.owner.account_token,
            made.feeds.cover,
        )
        yield made
