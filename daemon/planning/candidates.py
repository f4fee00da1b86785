"""What competes for room: what is on the cache, and what is wished there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from daemon.model import Demand, DemandKind, Holding, Want
from daemon.planning.scores import Score

_MAY_BREAK_MIN_STAY = {DemandKind.PLAYING, DemandKind.NEXT_UP}

_WHILE_PLAYING = {DemandKind.PLAYING, DemandKind.PINNED}
"""For what else is wanted of a file that plays from the array, a copy would come too late."""
_HYSTERESIS = 10
"""What is not needed before long takes another wish's place only if that is worth so much less; else they alternate."""
_UNDER_WAY = 7 * 86_400.0
"""Seconds for which what somebody has begun, or listed, is likely to be watched any evening."""
_NEAR = 3
"""So many episodes ahead are worth that something leaves for them; those after them take free room."""
_GONE_ON = 3 * 86_400.0
"""Seconds after which it is no longer sure that whoever has not gone on with a show since will do so before long."""
_SHOWS = {DemandKind.NEXT_UP, DemandKind.ON_DECK}
_AHEAD = {
    DemandKind.PLAYING: 0,
    DemandKind.PINNED: 0,
    DemandKind.NEXT_UP: 2,
    DemandKind.ON_DECK: 0,
}
"""Up to which position a demand is needed before long: an evening's next episodes."""
_WAKES = {
    DemandKind.PLAYING: 0,
    DemandKind.PINNED: 0,
    DemandKind.NEXT_UP: 1,
    DemandKind.ON_DECK: 0,
    DemandKind.WATCHLIST: 0,
}
"""Up to which position disks are woken for a demand. While the next episode is there those after it can wait."""
_AGES = {DemandKind.ON_DECK, DemandKind.WATCHLIST}


@dataclass(slots=True, eq=False)
class Held:
    """A cached file and what it is worth."""

    holding: Holding
    score: Score
    stays: bool
    """It may not leave at all now: it plays, or is pinned."""
    fresh: bool
    """``min_stay`` is not over."""
    burden: float
    """What it costs to keep; see `daemon.planning.scores.burden`."""

    @property
    def soon(self) -> bool:
        """Say whether it is next up, so that it would be brought in again at any price."""
        return any(demand.kind in _MAY_BREAK_MIN_STAY for demand in self.holding.demands)

    @property
    def rank(self) -> tuple[int, float]:
        """Return what sorts it: what leaves first comes first."""
        return self.score.value, -self.burden


@dataclass(eq=False)
class Wanted:
    """A file that somebody wants and that is not cached, and what it is worth.

    What decides about each victim in turn is found out once; slots would leave no place for that.
    """

    want: Want
    score: Score
    now: float

    @cached_property
    def needed(self) -> bool:
        """Say whether it is likely to be played before long, so that anything worth less leaves for it."""
        return self._is_soon(_AHEAD)

    @property
    def urgent(self) -> bool:
        """Say whether disks may be woken for it."""
        return self._is_soon(_WAKES)

    def _is_soon(self, positions: Mapping[DemandKind, int]) -> bool:
        return any(
            demand.position <= positions.get(demand.kind, -1)
            and (demand.kind not in _AGES or self.now - demand.since < _UNDER_WAY)
            for demand in self.want.demands
        )

    @cached_property
    def is_far(self) -> bool:
        """Say whether it comes so late in its show, or in one that nobody goes on with, that nothing leaves for it."""
        return all(self._is_late_in_show(demand) for demand in self.want.demands)

    def _is_late_in_show(self, demand: Demand) -> bool:
        if demand.kind is DemandKind.ON_DECK and demand.position and self.now - demand.since > _GONE_ON:
            return True
        return demand.kind in _SHOWS and demand.position > _NEAR

    @cached_property
    def since(self) -> float:
        """Return when it was wished last."""
        return max(demand.since for demand in self.want.demands)

    @property
    def reach(self) -> int:
        """Return the least score of what never leaves for it."""
        if self.is_far:
            return 0
        return self.score.value if self.needed else self.score.value - _HYSTERESIS + 1

    def displaces(self, victim: Held) -> bool:
        """Say whether it is worth so much more that the victim leaves for it."""
        if self.is_far or (victim.fresh and not self.breaks_min_stay):
            return False
        if self.needed:
            return victim.score.value < self.score.value
        if not victim.holding.demands:
            # What was of use since the wish came up may well be once more.
            return victim.score.value < self.score.value and victim.holding.used_at < self.since
        return victim.score.value + _HYSTERESIS <= self.score.value

    def is_late(self, playing: Collection[str]) -> bool:
        """Say whether it is read from the array at this moment, and nobody asked to have it cached all the same."""
        kinds = {demand.kind for demand in self.want.demands}
        return self.want.file.array_path in playing and not kinds & _WHILE_PLAYING

    @cached_property
    def breaks_min_stay(self) -> bool:
        """Say whether what has not been on the cache for ``min_stay`` leaves for it."""
        return any(demand.kind in _MAY_BREAK_MIN_STAY for demand in self.want.demands)

    @property
    def rank(self) -> tuple[int, float, str]:
        """Return what sorts it: what goes in first comes first."""
        return -self.score.value, -self.since, self.want.file.array_path
