"""The one score: how much a file deserves its place on the cache, 0 to 100.

====================  =========================================================
playing               100
pinned                 95
next_up                90, less 3 for each further episode, at least 60
on_deck                70, less 3 for each further episode, at least 50
watchlist              45, less 2 for each further episode, at least 35
recent                 30
trending               25
each further user      +1, at most +4
retained only          1 to 20, by how much of seven days is left
nothing                 0
====================  =========================================================
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from daemon.model import Demand, DemandKind

_WEEK = 7 * 86_400.0
_RETAINED = 20
_FURTHER_USERS = 4


@dataclass(frozen=True, slots=True)
class _Worth:
    base: int
    step: int = 0
    least: int = 0

    def at(self, position: int) -> int:
        return max(self.least, self.base - self.step * position)


_WORTH = {
    DemandKind.PLAYING: _Worth(100, least=100),
    DemandKind.PINNED: _Worth(95, least=95),
    DemandKind.NEXT_UP: _Worth(93, 3, 60),
    DemandKind.ON_DECK: _Worth(70, 3, 50),
    DemandKind.WATCHLIST: _Worth(45, 2, 35),
    DemandKind.RECENT: _Worth(30, least=30),
    DemandKind.TRENDING: _Worth(25, least=25),
}


@dataclass(frozen=True, slots=True)
class Score:
    """A score and how it came about, in words."""

    value: int
    why: str


def score(demands: Collection[Demand], keep_until: float | None, now: float) -> Score:
    """Return the score of a file from its demands and its retention."""
    if demands:
        best = max(demands, key=_worth)
        users = len({demand.user for demand in demands})
        extra = min(_FURTHER_USERS, users - 1)
        ahead = f" {best.position} ahead" if best.position else ""
        also = f", and {users - 1} more" if users > 1 else ""
        return Score(min(100, _worth(best) + extra), f"{best.kind}{ahead}{also}")
    left = (keep_until or 0.0) - now
    if left > 0:
        return Score(max(1, round(_RETAINED * min(1.0, left / _WEEK))), "retained")
    return Score(0, "nobody wants it")


def _worth(demand: Demand) -> int:
    return _WORTH[demand.kind].at(demand.position)
