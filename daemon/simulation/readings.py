"""The sources of the daemon, as they would answer from what a household has done so far."""

from __future__ import annotations

from collections.abc import Iterator

from daemon.config import Settings
from daemon.model import Demand, DemandKind
from daemon.plex.episodes import following
from daemon.simulation.engine import Stage
from daemon.simulation.memory import Memory


class Readings:
    """On deck, watchlist and what was added lately, read into the memory of demands."""

    def __init__(self, stage: Stage, memory: Memory) -> None:
        self._stage = stage
        self._memory = memory
        self._read: dict[str, tuple[int, int]] = {}

    def refresh_all(self) -> None:
        """Read everything."""
        for user in self._stage.plex.users:
            self.refresh(user)
        if self._stage.settings.recent.enabled:
            self._memory.say(DemandKind.RECENT, "", self._recent())

    def refresh(self, user: str) -> None:
        """Read what one user wants, if anything of it may have changed. Whether it counts is said elsewhere."""
        version = self._stage.plex.version(user)
        if self._read.get(user) == version:
            return
        self._read[user] = version
        settings = self._stage.settings
        self._memory.say(DemandKind.ON_DECK, user, self._on_deck(user, settings))
        self._memory.say(DemandKind.WATCHLIST, user, self._watchlist(user, settings))

    def _on_deck(self, user: str, settings: Settings) -> Iterator[Demand]:
        plex = self._stage.plex
        for one in plex.on_deck(user):
            item = plex.item(one.title)
            times = plex.finished(user)[item.rating_key]
            seen = {key for key, number in plex.finished(user).items() if number > times}
            after = following(item, plex.items(item.show), seen, count=settings.on_deck.episodes) if item.show else []
            for position, wanted in enumerate([item, *after]):
                yield Demand(wanted.rating_key, DemandKind.ON_DECK, user, one.at, None, position, item.show)

    def _watchlist(self, user: str, settings: Settings) -> Iterator[Demand]:
        plex = self._stage.plex
        finished = plex.finished(user)
        for key, at in plex.watchlist(user):
            movie = plex.title(key)
            left = [movie] if movie else [one for one in plex.episodes(key) if one.season and not finished[one.key]]
            for position, title in enumerate(left[: None if movie else settings.watchlist.episodes]):
                yield Demand(title.key, DemandKind.WATCHLIST, user, at, None, position, title.show)

    def _recent(self) -> Iterator[Demand]:
        stage = self._stage
        watching = {one.title.show for user in stage.plex.users for one in stage.plex.on_deck(user)}
        oldest = stage.now - stage.settings.recent.max_age
        for title in stage.plex.added_since(oldest):
            if title.show in watching or not stage.settings.recent.watched_shows_only:
                yield Demand(title.key, DemandKind.RECENT, "", title.added_at, None, 0, title.show)
