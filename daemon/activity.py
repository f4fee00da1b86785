"""When people last played anything, where this daemon has not seen it itself: from Plex's history."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from daemon.config import Settings
from daemon.errors import PlexError
from daemon.model import Person, User
from daemon.plex.library import PlexLibrary
from daemon.state import demands, sources
from daemon.state.store import Connection, Store

log = structlog.get_logger()


class Activity:
    """Learns it once for each user, and only where ``users.inactive_after`` asks for it."""

    def __init__(self, store: Store, library: PlexLibrary, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._library = library
        self._settings = settings
        self._asked: set[str] = set()

    async def learn(self, people: Sequence[Person]) -> None:
        """Ask about those of whom no play is known. What cannot be read now is asked again at the next refresh."""
        if not self._settings().users.inactive_after:
            return
        known = await self._store.run(sources.last_plays)
        found: list[tuple[User, float]] = []
        for user in (person.user for person in people):
            if user.id in known or user.id in self._asked:
                continue
            try:
                at = await self._library.latest_history(user.id)
            except PlexError as error:
                log.debug("history_unreadable", user=user.title, why=str(error))
                break
            self._asked.add(user.id)
            if at:
                found.append((user, at))

        def work(connection: Connection) -> None:
            for user, at in found:
                demands.put_user(connection, user, played_at=at)

        if found:
            await self._store.run(work)
