"""What follows changes of the library, wired together."""

from __future__ import annotations

from daemon.arrchanges import ArrChanges
from daemon.dispatch import Dispatcher
from daemon.feed import Feed
from daemon.given import Given
from daemon.keeping import Keeping
from daemon.librarychanges import LibraryChanges, Wakes
from daemon.live import Live
from daemon.model import DemandKind
from daemon.plex.library import PlexLibrary
from daemon.plex.listener import Listener
from daemon.sourcing import Sourcing

_OF_ANYTHING = frozenset({DemandKind.PINNED, DemandKind.RECENT, DemandKind.WATCHLIST})
_OF_SHOWS = frozenset({DemandKind.ON_DECK})


class Following:
    """Hears what Plex, Sonarr and Radarr say of the library; `run` acts on it."""

    def __init__(
        self,
        given: Given,
        live: Live,
        feed: Feed,
        dispatcher: Dispatcher,
        library: PlexLibrary,
        listener: Listener,
        keeping: Keeping,
        sourcing: Sourcing,
    ) -> None:
        self._refresher = sourcing.refresher
        self.arr = ArrChanges(
            given.store,
            live,
            given.clock,
            feed,
            keeping.custody,
            change=dispatcher.change,
            dry_run=given.dry_run,
        )
        self.library = LibraryChanges(
            given.store,
            given.clock,
            library,
            self.arr,
            change=dispatcher.change,
            wakes=Wakes(
                brought=keeping.brought,
                copies_soon=keeping.reconcile.soon,
                sources_soon=self._sources_soon,
                everything_soon=self._refresher.everything_soon,
                plays_again=listener.look_ahead,
                tasks_added=dispatcher.tasks_added.ring,
            ),
            index=sourcing.index.note_changed,
            dry_run=given.dry_run,
        )
        listener.news.on_change = self.library.note

    async def run(self) -> None:
        """Act on whatever changes. Never returns."""
        await self.library.run()

    def _sources_soon(self, shows: frozenset[str]) -> None:
        self._refresher.soon(_OF_ANYTHING | (_OF_SHOWS if shows else frozenset()))
