"""What a source suddenly leaves out: a server that rebuilds its database answers too, but that there is nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from daemon.model import Demand

Key = tuple[str, str]
"""A kind of demand and a user."""

BELIEVED_AFTER = 3600.0
"""Seconds for which it must have been left out in every answer."""
GONE_AFTER = 86_400.0
"""Seconds for which plex.tv must have said nothing of a user."""
_FEW = 4
_SHARE = 3
"""Up to so many demands, or one in so many, may go at once: that is how people watch."""


class Doubts:
    """Remembers since when more was left out than people are likely to have changed. `sure`: the settings did it."""

    def __init__(self) -> None:
        self.sure = False
        self._since: dict[Key, float] = {}
        self._absent: dict[str, float] = {}

    @property
    def next(self) -> float | None:
        """When the first doubt can be settled by another answer."""
        return min(self._since.values()) + BELIEVED_AFTER if self._since else None

    def due(self, now: float) -> set[Key]:
        """Return what has to be read once more now."""
        return {key for key, since in self._since.items() if since + BELIEVED_AFTER <= now}

    def standing(self, key: Key, known: Sequence[Demand], new: Sequence[Demand], now: float) -> tuple[Demand, ...]:
        """Return which of the demands that a source made before stand though it leaves them out now."""
        listed = {demand.rating_key for demand in new}
        lost = tuple(demand for demand in known if demand.rating_key not in listed)
        if self.sure or len(lost) < _FEW or len(lost) * _SHARE <= len(known):
            self._since.pop(key, None)
            return ()
        if now - self._since.setdefault(key, now) >= BELIEVED_AFTER:
            del self._since[key]
            return ()
        return lost

    def gone(self, users: Collection[str], here: Collection[str], now: float) -> set[str]:
        """Return which of these users are gone for good; `here` are those who are known now."""
        self._absent = {user: self._absent.get(user, now) for user in users if user not in here}
        return {user for user, since in self._absent.items() if now - since >= GONE_AFTER}
