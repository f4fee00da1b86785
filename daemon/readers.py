"""Which sources are read at all, and which of them were asked for."""

from __future__ import annotations

from collections.abc import Collection

from daemon.config import Settings
from daemon.model import DemandKind, User

EVERYBODY = "*"
"""In place of a user's id: all of them."""


def asked_for(wanted: Collection[tuple[str, str]], kind: DemandKind, user: str) -> bool:
    """Say whether a source of a user is among those that were asked for."""
    return (kind, user) in wanted or (kind, EVERYBODY) in wanted


def enabled(settings: Settings, kind: DemandKind) -> bool:
    """Say whether a kind of demand is switched on."""
    switches = {
        DemandKind.ON_DECK: settings.on_deck.enabled,
        DemandKind.WATCHLIST: settings.watchlist.enabled,
        DemandKind.RECENT: settings.recent.enabled,
        DemandKind.TRENDING: settings.trending.enabled,
    }
    return switches.get(kind, True)


def reads(settings: Settings, kind: DemandKind, user: User) -> bool:
    """Say whether what this user wants by this kind is read at all."""
    own = settings.users.of(user)
    personally = {DemandKind.ON_DECK: own.on_deck, DemandKind.WATCHLIST: own.watchlist}
    return enabled(settings, kind) and personally.get(kind, True) and not settings.users.excludes(user)
