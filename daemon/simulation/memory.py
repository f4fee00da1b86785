"""Demands and retentions in memory, as the daemon keeps them in rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from math import inf

from daemon.model import Changes, Demand, DemandKind, Retention

_Key = tuple[str, DemandKind, str, str]


class Memory:
    """Who wants what. `until` says when a demand ceases to count; `changed`: since it was last set to False."""

    def __init__(self, until: Callable[[Demand], float | None]) -> None:
        self._until = until
        self._ends: dict[_Key, float] = {}
        self._demands: dict[str, dict[_Key, Demand]] = defaultdict(dict)
        self._retentions: dict[str, dict[str, Retention]] = defaultdict(dict)
        self._said: dict[tuple[DemandKind, str], tuple[Demand, ...]] = {}
        self._first_due = inf
        self.changed = False

    def apply(self, changes: Changes) -> None:
        """Carry out a handler's changes: drops first, then puts."""
        self.changed |= changes != Changes()
        for gone in changes.drop_demands:
            self._demands[gone.rating_key].pop(_key(gone), None)
            self._ends.pop(_key(gone), None)
        for new in changes.put_demands:
            self._demands[new.rating_key][_key(new)] = new
            self._count(new)
        for key, user in changes.drop_retentions:
            self._retentions[key].pop(user, None)
        for retention in changes.put_retentions:
            self._retentions[retention.rating_key][retention.user] = retention
            self._first_due = min(self._first_due, retention.until)

    def recount(self, user: str) -> None:
        """Ask anew until when this user's demands count."""
        for demand in self.all():
            if demand.user == user:
                self._count(demand)

    def _count(self, demand: Demand) -> None:
        counts = self._until(demand)
        self._ends[_key(demand)] = inf if counts is None else counts
        self._first_due = min(self._first_due, demand.until or inf, self._ends[_key(demand)] or inf)

    def say(self, kind: DemandKind, user: str, demands: Iterable[Demand]) -> None:
        """Put what a source says in place of what it said before."""
        new, old = tuple(demands), self._said.get((kind, user), ())
        if new != old:
            self._said[kind, user] = new
            self.apply(Changes(drop_demands=old, put_demands=new))

    def of_item(self, key: str) -> tuple[Demand, ...]:
        """Return the demands of one item, whether they count or not."""
        return tuple(self._demands[key].values()) if key in self._demands else ()

    def counted(self, key: str, now: float) -> tuple[Demand, ...]:
        """Return the demands of one item that count."""
        return tuple(one for one in self.of_item(key) if self._ends[_key(one)] > now)

    def of_show(self, user: str, show: str) -> list[Demand]:
        """Return a user's demands of one show."""
        return [one for one in self.all() if one.user == user and one.show == show]

    def of_play(self, play: str) -> list[Demand]:
        """Return the demands that one play made."""
        return [one for one in self.all() if one.play == play]

    def all(self) -> Iterable[Demand]:
        """Return every demand."""
        return (one for demands in self._demands.values() for one in demands.values())

    def wanted(self) -> list[str]:
        """Return the rating keys of all that is demanded."""
        return [key for key, demands in self._demands.items() if demands]

    def keep_until(self, key: str) -> float | None:
        """Return until when an item is retained."""
        found = self._retentions.get(key)
        return max((one.until for one in found.values()), default=None) if found else None

    def is_due(self, now: float) -> bool:
        """Say whether anything has changed since it was looked at, or is over."""
        return self.changed or self._first_due <= now

    def due(self, now: float) -> tuple[list[Demand], list[Retention]]:
        """Return the demands and retentions whose time is over."""
        if self._first_due > now:
            return [], []
        self.changed = True
        retentions = [one for found in self._retentions.values() for one in found.values()]
        endings = [one for one in self.all() if one.until is not None]
        ends = [*(one.until for one in retentions), *(one.until or inf for one in endings), *self._ends.values()]
        self._first_due = min((end for end in ends if end > now), default=inf)
        return (
            [one for one in endings if one.until is not None and one.until <= now],
            [one for one in retentions if one.until <= now],
        )


def _key(demand: Demand) -> _Key:
    return demand.rating_key, demand.kind, demand.user, demand.play
