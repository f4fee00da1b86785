"""LRU: what was played stays, and what was not played for the longest time leaves first."""

from __future__ import annotations

from typing import ClassVar

from daemon.simulation.disks import Held
from daemon.simulation.engine import Playing, Stage
from daemon.simulation.history import Title
from daemon.simulation.idle import Idle


class LeastRecentlyUsed(Idle):
    """Copies what is played and is not on the cache yet, while the array is awake for the play."""

    name: ClassVar[str] = "lru"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._queue: list[Title] = []

    def started(self, play: Playing) -> None:
        """Copy it, if it has to be read from the array."""
        if not play.cached and play.title not in self._queue and play.title != self.stage.disks.copying:
            self._queue.append(play.title)

    def next_copy(self) -> Title | None:
        """Take the first that was played, with what must leave for it."""
        while self._queue:
            title = self._queue.pop(0)
            if self._make_room(title):
                return title
        return None

    def _make_room(self, title: Title) -> bool:
        disks = self.stage.disks
        idle = sorted((one for one in disks.held.values() if not self.stage.is_playing(one.title.key)), key=_last_use)
        if title.size > disks.free + sum(one.title.size for one in idle):
            return False
        while title.size > disks.free:
            self.stage.evict(idle.pop(0).title.key)
        return True


def _last_use(held: Held) -> tuple[float, str]:
    return max(held.cached_at, held.last_played_at or 0.0), held.title.key
