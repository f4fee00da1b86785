"""The policy that knows the future: no real one at the same capacity can expect to do much better."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import ClassVar

from daemon.simulation.engine import Playing, Stage
from daemon.simulation.history import Title
from daemon.simulation.idle import Idle


class Clairvoyant(Idle):
    """At each play that misses it fills the cache with what is played next, in that order, as far as it fits.

    It copies only then, so that the array never wakes for it. What is played latest leaves first (Belady's rule).
    Where plays do not overlap and copies are done before the next play, it never misses more than LRU, and where all
    files are of one size no policy that copies only at misses misses less.
    """

    name: ClassVar[str] = "clairvoyant"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._viewings = sorted(stage.household.viewings, key=lambda one: one.at)
        self._times: dict[str, list[float]] = defaultdict(list)
        for viewing in self._viewings:
            self._times[viewing.key].append(viewing.at)
        self._at = [viewing.at for viewing in self._viewings]
        self._queue: list[Title] = []

    def started(self, play: Playing) -> None:
        """Choose anew what the cache should hold, if the array is awake for this play."""
        if not play.cached:
            self._queue = self._choose()

    def next_copy(self) -> Title | None:
        """Take what is needed first, with what must leave for it."""
        disks = self.stage.disks
        while self._queue:
            title = self._queue.pop(0)
            if title.key not in disks.held and self._make_room(title):
                return title
        return None

    def _choose(self) -> list[Title]:
        """Return what is played next and fits together, without what is there already."""
        room = self.stage.disks.capacity
        chosen: dict[str, Title] = {}
        for viewing in self._viewings[bisect_right(self._at, self.stage.now) :]:
            title = self.stage.plex.title(viewing.key)
            if title is None or title.key in chosen or title.size > self.stage.disks.capacity:
                continue
            if title.size > room:
                break
            room -= title.size
            chosen[title.key] = title
        return list(chosen.values())

    def _make_room(self, title: Title) -> bool:
        disks = self.stage.disks
        while title.size > disks.free:
            idle = [key for key in disks.held if not self.stage.is_playing(key)]
            latest = max(idle, key=self._next_play, default=None)
            if latest is None or self._next_play(latest) <= self._next_play(title.key):
                return False
            self.stage.evict(latest)
        return True

    def _next_play(self, key: str) -> float:
        times = self._times[key]
        place = bisect_right(times, self.stage.now)
        return times[place] if place < len(times) else float("inf")
