"""The hourly batch: what a program does that looks at On Deck and the watchlists every hour, and at nothing between.

Modelled on PlexCache-R with its defaults: days to monitor 183, watchlist episodes 3, move watched files back, at
least 12 hours on the cache, no smart eviction, backups on (so that moving back is a rename). Of its three defaults for
the number of episodes after the one on deck (10 in its core, 5 in its forms, 6 in its wizard) that of the forms is
taken, which is ondeckd's own as well, so that both look equally far ahead.

In its favour: a run looks at nothing on the array but what it moves, everybody's sources always answer, nothing that
plays is moved, "watched" on a watchlist is that of its owner, and candidates are taken in a sensible order (each user's
items on deck first, then what follows them), where the original takes them in any. Left out: recently added and pinned
items, several copies at once, watchlists by RSS with their titles.
"""

from __future__ import annotations

from typing import ClassVar

from daemon.simulation.engine import Stage
from daemon.simulation.history import Title
from daemon.simulation.household_view import OnDeck, PlexView
from daemon.simulation.idle import Idle

DAY = 86_400.0


class Batch(Idle):
    """Every hour: move back what is no longer needed, then copy what is, first come first served, while it fits.

    A run does not begin while the one before still copies.
    """

    name: ClassVar[str] = "batch"
    next_episodes: ClassVar[int] = 5
    watchlist_episodes: ClassVar[int] = 3
    days_to_monitor: ClassVar[float] = 183 * DAY
    min_stay: ClassVar[float] = 12 * 3600.0

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._queue: list[Title] = []

    def tick(self) -> None:
        """Run, unless the last run is still at it."""
        if self._queue or self.stage.disks.copying:
            return
        decks = self._decks()
        needed = self._needed(decks)
        self._move_back(needed, _earliest(decks))
        self._queue = self._fitting(needed)

    def next_copy(self) -> Title | None:
        """Take the next of this run."""
        while self._queue:
            title = self._queue.pop(0)
            if title.key not in self.stage.disks.held:
                return title
        return None

    def _decks(self) -> list[list[OnDeck]]:
        plex = self.stage.plex
        return [plex.on_deck(user, self.stage.now - self.days_to_monitor) for user in plex.users]

    def _needed(self, decks: list[list[OnDeck]]) -> dict[str, Title]:
        """Return all that is wanted, in the order in which it is taken."""
        plex = self.stage.plex
        first = [one.title for deck in decks for one in deck]
        following = [title for one in first if one.show for title in plex.after(one)[: self.next_episodes]]
        listed = [title for user in plex.users for title in self._listed(plex, user)]
        return {title.key: title for title in (*first, *following, *listed)}

    def _listed(self, plex: PlexView, user: str) -> list[Title]:
        """Return the unwatched among the first episodes of each show on the watchlist, and the movies on it."""
        finished = plex.finished(user)
        found = []
        for key, _ in plex.watchlist(user):
            movie = plex.title(key)
            candidates = [movie] if movie else list(plex.episodes(key)[: self.watchlist_episodes])
            found += [title for title in candidates if not finished[title.key]]
        return found

    def _move_back(self, needed: dict[str, Title], earliest: dict[str, tuple[int, int]]) -> None:
        """Move back what is not needed; an episode from the earliest one on deck of its show on stays."""
        stage = self.stage
        for held in list(stage.disks.held.values()):
            title = held.title
            if title.key in needed or stage.is_playing(title.key) or held.cached_at + self.min_stay > stage.now:
                continue
            if title.show in earliest and (title.season, title.episode) >= earliest[title.show]:
                continue
            stage.evict(title.key)

    def _fitting(self, needed: dict[str, Title]) -> list[Title]:
        room = self.stage.disks.free
        chosen = []
        for title in needed.values():
            if title.key in self.stage.disks.held or self.stage.is_playing(title.key) or title.size > room:
                continue
            room -= title.size
            chosen.append(title)
        return chosen


def _earliest(decks: list[list[OnDeck]]) -> dict[str, tuple[int, int]]:
    """Return the place of the earliest episode on deck of each show."""
    earliest: dict[str, tuple[int, int]] = {}
    for deck in decks:
        for one in deck:
            place = (one.title.season, one.title.episode)
            earliest[one.title.show] = min(place, earliest.get(one.title.show, place))
    earliest.pop("", None)
    return earliest
