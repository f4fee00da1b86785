"""Which demands count: by the switches and the ages of their kind, and by how their user is. Pure.

A demand that does not count stays a row: a setting that is taken back, or a user who comes back, counts at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType

from daemon.config import Settings
from daemon.model import Demand, DemandKind, Retention, User
from daemon.settings.models import UserSettings

NEVER = 0.0
"""The end of a demand that does not count at all."""

_ALWAYS = {DemandKind.PLAYING, DemandKind.PINNED}


def active_until(settings: Settings, last_play: float | None) -> float:
    """Return when somebody who played last then counts no more. Somebody of whom no play is known may be new."""
    age = settings.users.inactive_after
    return last_play + age if age and last_play is not None else inf


class Counting:
    """Says until when a demand counts. `titles` and `last_plays` are those of the users, by id.

    `declined` says when somebody evicted an item by hand, by rating key: what was wished before counts no more.
    """

    def __init__(
        self,
        settings: Settings,
        titles: Mapping[str, str],
        last_plays: Mapping[str, float],
        declined: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self._declined = declined
        self._settings = settings
        self._titles = titles
        self._last_plays = last_plays
        self._people: dict[str, UserSettings | None] = {}

    def until(self, demand: Demand | Retention) -> float | None:
        """Return when a demand or a retention ceases to count, in seconds since the epoch; None: not by itself."""
        if isinstance(demand, Retention):
            return NEVER if self._person(demand.user) is None else None
        if demand.kind in _ALWAYS:
            return None
        if demand.since <= self._declined.get(demand.rating_key, -inf):
            return NEVER
        if demand.user not in self._people:
            self._people[demand.user] = self._person(demand.user)
        person = self._people[demand.user]
        if person is None:
            return NEVER
        end = min(self._of_kind(demand, person), self._of_user(demand.user))
        return None if end == inf else end

    def _person(self, identifier: str) -> UserSettings | None:
        """Return a user's own settings; None: the user counts for nothing."""
        user = User(identifier, self._titles.get(identifier, ""))
        return None if identifier and self._settings.users.excludes(user) else self._settings.users.of(user)

    def _of_user(self, user: str) -> float:
        return active_until(self._settings, self._last_plays.get(user))

    def _of_kind(self, demand: Demand, person: UserSettings) -> float:
        settings = self._settings
        match demand.kind:
            case DemandKind.ON_DECK:
                on = settings.on_deck.enabled and person.on_deck and demand.position <= settings.on_deck.episodes
                age = settings.on_deck.max_age if person.on_deck_max_age is None else person.on_deck_max_age
            case DemandKind.WATCHLIST:
                on = settings.watchlist.enabled and person.watchlist
                # A movie has no position but the first, however many episodes of a show are wanted.
                on = on and (demand.position < settings.watchlist.episodes or not demand.show)
                age = settings.watchlist.max_age if person.watchlist_max_age is None else person.watchlist_max_age
            case DemandKind.RECENT:
                on, age = settings.recent.enabled, settings.recent.max_age
            case DemandKind.TRENDING:
                on, age = settings.trending.enabled and demand.position < settings.trending.movies, 0.0
            case _:
                on, age = True, 0.0
        if not on:
            return NEVER
        return demand.since + age if age else inf
