"""What a source suddenly leaves out: a server that rebuilds its database answers too, but that there is nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from daemon.model import Demand

Key = tuple[str, str]
"""A kind of demand and a user."""

BELIEVED_AFTER = 3600.0
"""Seconds for which much must have been left out in every answer."""
EMPTY_AFTER = 300.0
"""Seconds for which every answer must have been empty where there was little: the last of it goes often."""
GONE_AFTER = 86_400.0
"""Seconds for which plex.tv must have said nothing of a user."""
_FEW = 4
_SHARE = 3
"""Up to so many demands, or one in so many, may go at once: that is how people watch."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    since: float
    due: float | None


class Doubts:
    """Remembers since when more was left out than people are likely to have changed."""

    def __init__(self) -> None:
        self._open: dict[Key, _Doubt] = {}
        self._absent: dict[str, float] = {}

    @property
    def next(self) -> float | None:
        """When the first doubt can be settled by another answer; None: none can."""
        return min((one.due for one in self._open.values() if one.due is not None), default=None)

    def take(self, now: float) -> set[Key]:
        """Return what has to be read once more by now. None of it is named again before it has been read."""
        due = {key for key, one in self._open.items() if one.due is not None and one.due <= now}
        for key in due:
            self._open[key] = replace(self._open[key], due=None)
        return due

    def standing(
        self,
        key: Key,
        known: Sequence[Demand],
        new: Sequence[Demand],
        now: float,
        finished: Callable[[Collection[str]], Mapping[str, float]],
        *,
        sure: bool,
    ) -> tuple[Demand, ...]:
        """Return which of the demands that a source made before stand though it leaves them out now.

        `finished` says which of some items the user is known to have watched to their ends, and when: that explains why
        they are gone. `sure`: the settings did it.
        """
        listed = {demand.rating_key for demand in new}
        lost = [demand for demand in known if demand.rating_key not in listed]
        if lost and not sure:
            ends = finished([demand.rating_key for demand in lost])
            lost = [demand for demand in lost if ends.get(demand.rating_key, demand.since - 1.0) < demand.since]
        wait = _wait(len(lost), len(known), len(new))
        doubt = self._open.pop(key, _Doubt(now, None))
        if sure or now - doubt.since >= wait:
            return ()
        self._open[key] = replace(doubt, due=doubt.since + wait)
        return tuple(lost)

    def gone(self, users: Collection[str], here: Collection[str], now: float) -> set[str]:
        """Return which of these users are gone for good; `here` are those who are known now."""
        self._absent = {user: self._absent.get(user, now) for user in users if user not in here}
        return {user for user, since in self._absent.items() if now - since >= GONE_AFTER}


def _wait(lost: int, known: int, new: int) -> float:
    """Return for how many seconds a loss has to last before it is believed."""
    if lost >= _FEW and lost * _SHARE > known:
        return BELIEVED_AFTER
    return EMPTY_AFTER if lost and not new else 0.0
