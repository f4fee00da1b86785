"""What becomes of everything that is heard of playing: rows, looks at the copies, sources read anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from daemon.dispatch import Dispatcher
from daemon.given import HISTORY_MARK, SERVER
from daemon.model import (
    DemandKind,
    Event,
    Item,
    PlaybackChanged,
    PlaybackStarted,
    PlaybackStopped,
    Watched,
)
from daemon.plex.library import PlexLibrary
from daemon.reconcile import Reconcile
from daemon.state import demands
from daemon.state.store import Connection, Store

_CHANGED_BY_WATCHING = frozenset({DemandKind.ON_DECK, DemandKind.WATCHLIST})


class Hearing:
    """What the listener tells. `read_soon` has sources of one user read anew."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        reconcile: Reconcile,
        library: PlexLibrary,
        read_soon: Callable[[Collection[DemandKind], str], None],
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._reconcile = reconcile
        self._library = library
        self._read_soon = read_soon

    async def on_event(self, event: Event, item: Item | None = None, following: Sequence[Item] = ()) -> None:
        """Record an event and all that follows from it."""
        await self._dispatcher.on_event(event, item, following)
        if item is not None and isinstance(event, PlaybackStarted | PlaybackChanged):
            # Only after the event: a cache that hangs must not keep it waiting.
            self._reconcile.soon(file.plex_path for each in (item, *following) for file in each.files)
        if isinstance(event, PlaybackStopped | Watched):
            user = event.user if isinstance(event, Watched) else event.play.user
            self._read_soon(_CHANGED_BY_WATCHING, user.id)

    async def known_watched(self, user: str) -> dict[str, float]:
        """Return what a user is known to have finished, and when last, by rating key."""
        return await self._store.run(lambda connection: demands.watched_by(connection, user))

    async def remember_history(self, mark: float) -> None:
        """Remember up to where Plex's history has been read."""

        def work(connection: Connection) -> None:
            demands.put_meta(connection, HISTORY_MARK, repr(mark))
            # Rating keys mean nothing on another server: after a restart only the same one will do.
            demands.put_meta(connection, SERVER, self._library.machine_identifier)

        await self._store.run(work)
