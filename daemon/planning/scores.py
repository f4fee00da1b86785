"""The one score: how much a file deserves its place on the cache, 0 to 100.

=============  ====  ===================================  =====================================================
kind           base  position in the show                 age of the wish
=============  ====  ===================================  =====================================================
playing         100
pinned           95
next_up          93  -3 for each episode ahead, to -33
on_deck          70  -3 for each episode ahead, to -20    -0.7 for each day since it was last watched, to -25
watchlist        45  -2 for each episode ahead, to -10    -0.1 for each day since it was listed, to -10
recent           30                                       -0.5 for each day since it was added, to -5
trending         25
=============  ====  ===================================  =====================================================

Each further user who wants it adds 1, at most 4. Of several demands the best one counts. What nobody wants any more and
is retained has 20, less 2 for each doubling of its gigabytes times the days since it was of use, at least 1: the longer
and the larger, the less. What nothing keeps has 0.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from daemon.model import Demand, DemandKind, Holding

_DAY = 86_400.0
_GIGABYTE = 1e9
_RETAINED, _LESS = 20, 2
_FURTHER_USERS = 4


@dataclass(frozen=True, slots=True)
class _Worth:
    """`step` less for each position, `most_ahead` at most; `daily` less for each day of age, `most_aged` at most."""

    base: int
    step: int = 0
    most_ahead: int = 0
    daily: float = 0.0
    most_aged: int = 0


_WORTH = {
    DemandKind.PLAYING: _Worth(100),
    DemandKind.PINNED: _Worth(95),
    DemandKind.NEXT_UP: _Worth(93, 3, 33),
    DemandKind.ON_DECK: _Worth(70, 3, 20, 0.7, 25),
    DemandKind.WATCHLIST: _Worth(45, 2, 10, 0.1, 10),
    DemandKind.RECENT: _Worth(30, daily=0.5, most_aged=5),
    DemandKind.TRENDING: _Worth(25),
}


@dataclass(frozen=True, slots=True)
class Score:
    """A score and how it came about, in words."""

    value: int
    why: str


def score(demands: Collection[Demand], now: float) -> Score:
    """Return the score of a file from its demands."""
    if not demands:
        return Score(0, "nobody wants it")
    best = max(demands, key=lambda demand: _of(demand, now))
    # What is recent, trending or pinned speaks for nobody in particular.
    further = len({demand.user for demand in demands} - {"", best.user})
    value = min(100, _of(best, now) + min(_FURTHER_USERS, further))
    return Score(value, _breakdown(best, further, now))


def score_held(holding: Holding, now: float) -> Score:
    """Return the score of a file that is on the cache."""
    if holding.demands or (holding.keep_until or 0.0) <= now:
        return score(holding.demands, now)
    value = max(1, round(_RETAINED - _LESS * math.log2(1 + burden(holding, now))))
    days = max(0.0, now - holding.used_at) / _DAY
    return Score(value, f"retained {value}: {holding.bytes / _GIGABYTE:.1f} GB, of use {days:.0f} days ago")


def burden(holding: Holding, now: float) -> float:
    """Return what it costs to keep: its gigabytes times the days since it was of use, and one."""
    return (1 + max(0.0, now - holding.used_at) / _DAY) * holding.bytes / _GIGABYTE


def _of(demand: Demand, now: float) -> int:
    worth = _WORTH[demand.kind]
    return worth.base - _ahead(worth, demand) - _aged(worth, demand, now)


def _ahead(worth: _Worth, demand: Demand) -> int:
    return min(worth.most_ahead, worth.step * demand.position)


def _aged(worth: _Worth, demand: Demand, now: float) -> int:
    return min(worth.most_aged, int(worth.daily * max(0.0, now - demand.since) / _DAY))


def _breakdown(demand: Demand, further: int, now: float) -> str:
    worth = _WORTH[demand.kind]
    parts = [f"{demand.kind} {worth.base}"]
    if ahead := _ahead(worth, demand):
        parts.append(f"{demand.position} ahead -{ahead}")
    if aged := _aged(worth, demand, now):
        parts.append(f"{(now - demand.since) / _DAY:.0f} days old -{aged}")
    if further > 0:
        parts.append(f"{further} more {'user' if further == 1 else 'users'} +{min(_FURTHER_USERS, further)}")
    return ", ".join(parts)
