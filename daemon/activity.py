"""When people last played anything, where this daemon has not seen it itself: from Plex's history."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from daemon.config import Settings
from daemon.errors import PlexError
from daemon.model import Person
from daemon.plex import elements
from daemon.plex.library import PlexLibrary
from daemon.state import demands, sources
from daemon.state.store import Connection, Store

log = structlog.get_logger()


_HISTORY = "/status/sessions/history/all?sort=viewedAt:desc"
_NEWEST = 500
"""Rows of the history that are read once, in one request: whoever plays often is among them."""


class Activity:
    """Learns it once for each user: all from one look at the history, and of those who are not in it one by one.

    The latter only where ``users.inactive_after`` asks for it.
    """

    def __init__(self, store: Store, library: PlexLibrary, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._library = library
        self._settings = settings
        self._looked = False
        self._asked: set[str] = set()

    async def learn(self, people: Sequence[Person]) -> None:
        """Ask about those of whom no play is known. What cannot be read now is asked again at the next refresh."""
        known = await self._store.run(sources.last_plays)
        unknown = [person.user for person in people if person.user.id not in known | dict.fromkeys(self._asked)]
        found: dict[str, float] = {}
        try:
            if unknown and not self._looked:
                found = await self._newest()
            if self._settings().users.inactive_after:
                for user in unknown:
                    if user.id not in found:
                        found[user.id] = await self._library.latest_history(user.id)
                        self._asked.add(user.id)
        except PlexError as error:
            log.debug("history_unreadable", why=str(error))

        def work(connection: Connection) -> None:
            for user in unknown:
                if at := found.get(user.id):
                    demands.put_user(connection, user, played_at=at)

        if any(found.values()):
            await self._store.run(work)

    async def _newest(self) -> dict[str, float]:
        """Return the last play of each user of whom the newest rows of the history tell."""
        page = await self._library.reader().page("history", _HISTORY, 0, _NEWEST)
        self._looked = True
        latest: dict[str, float] = {}
        for row in page:
            user, at = row.get("accountID", ""), elements.viewed_at(row)
            latest[user] = max(at, latest.get(user, 0.0))
        return latest
