"""The sources, wired together: who there is, what each of them wants, and what reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from daemon.activity import Activity
from daemon.census import Census
from daemon.config import Settings
from daemon.dispatch import Dispatcher
from daemon.feed import Feed
from daemon.given import Given
from daemon.live import Live
from daemon.model import DemandKind
from daemon.outbound import Outbound
from daemon.pinning import Pinning
from daemon.plex.accounts import Accounts
from daemon.plex.discover import Discover
from daemon.plex.library import PlexLibrary
from daemon.plex.rss import FeedReader
from daemon.refreshing import Refresher
from daemon.rooms import Rooms
from daemon.sources.feeds import Feeds
from daemon.sources.index import LibraryIndex
from daemon.sources.on_deck import OnDeck
from daemon.sources.pins import Pins
from daemon.sources.recent import Recent
from daemon.sources.shelf import Shelf
from daemon.sources.trending import Trending
from daemon.sources.watchlist import Watchlist
from daemon.state.store import Connection
from daemon.users import Users


class Sourcing:
    """Everything that asks who wants what. `outbound` has to be entered before anything is read."""

    def __init__(
        self,
        given: Given,
        live: Live,
        feed: Feed,
        dispatcher: Dispatcher,
        library: PlexLibrary,
        rooms: Rooms,
        *,
        look: Callable[[Iterable[str]], Awaitable[None]],
        also: Callable[[], Awaitable[None]],
        begin: Callable[[], None],
    ) -> None:
        self._live = live
        self._begin = begin
        store, clock, settings = given.store, given.clock, self._settings
        self.outbound = Outbound(clock)
        self.accounts = Accounts(settings, self.outbound, library, clock, given.directory)
        self._activity = Activity(store, library, settings)
        self.index = LibraryIndex(library, store, clock)
        self.users = Users(store, settings, clock, self.accounts.known, lambda: self.accounts.problem)
        self._pins = Pins(library, store, self.index)
        self.refresher = self._make_refresher(given, feed, dispatcher, library, also)
        self.pinning = Pinning(
            store,
            live,
            clock,
            dispatcher,
            library,
            measure=rooms.measure,
            look=look,
            changed=self._pins_changed,
        )

    def _pins_changed(self) -> None:
        self._begin()
        self.refresher.soon({DemandKind.PINNED}, "")

    def _make_refresher(
        self,
        given: Given,
        feed: Feed,
        dispatcher: Dispatcher,
        library: PlexLibrary,
        also: Callable[[], Awaitable[None]],
    ) -> Refresher:
        store, clock, settings = given.store, given.clock, self._settings
        discover = Discover(self.outbound, settings, clock)
        shelf = Shelf(library, clock)
        feeds = Feeds(FeedReader(self.outbound), library, self.index, shelf, store, settings, clock)
        return Refresher(
            store,
            self._live,
            clock,
            feed,
            dispatcher,
            people=self._people,
            refused=self.accounts.refused,
            personal=[
                OnDeck(library, settings),
                Watchlist(discover, self.index, shelf, store, settings, clock, self._owner_token, feeds.cover),
            ],
            common=[
                self._pins,
                feeds,
                Recent(library, store, settings, clock),
                Trending(library, self.index, store, self.outbound, settings, clock),
            ],
            also=also,
            seed=lambda: library.machine_identifier,
            is_current=self._is_current,
        )

    def _settings(self) -> Settings:
        return self._live.settings

    def _owner_token(self) -> str:
        return self._live.settings.plex.token.get_secret_value()

    async def _people(self) -> Census:
        people = await self.accounts.people()
        await self._activity.learn(people)
        return Census(people, self.accounts.problem, self.accounts.may_pass)

    def _is_current(self, connection: Connection, kind: DemandKind) -> bool:
        """Say whether what a source has read may be recorded: not if somebody has pinned something meanwhile."""
        return kind is not DemandKind.PINNED or self._pins.is_current(connection)
