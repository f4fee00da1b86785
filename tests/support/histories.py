"""Small hand-made households for tests of the simulation: one show, a few films, whole hours."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from daemon.config import Settings, build
from daemon.simulation.history import Household, Listing, Title, Viewing

HOUR = 3600.0
ZERO = 472_222 * HOUR
"""When every story begins: on the hour, for then the batch runs."""

SIZE = 1_500_000_000
"""Of every file: at 150 MB a second it takes ten seconds to copy."""

COPY = 10.0


def episode(number: int, *, show: str = "show", season: int = 1, added: float | None = None) -> Title:
    """Return an episode of one hour, that was always there, or comes `added` hours after the beginning."""
    at = 0.0 if added is None else ZERO + added * HOUR
    return Title(f"{show} {season}x{number}", SIZE, HOUR, show, season, number, at)


def film(name: str) -> Title:
    """Return a film of two hours."""
    return Title(name, SIZE, 2 * HOUR)


def play(hours: float, title: Title, *, user: str = "Ann", begin: float = 0.0, end: float = 1.0) -> Viewing:
    """Return a play so many hours after the beginning."""
    return Viewing(ZERO + hours * HOUR, user, title.key, begin, end)


def wish(hours: float, key: str, *, user: str = "Ann") -> Listing:
    """Return a wish so many hours after the beginning."""
    return Listing(ZERO + hours * HOUR, user, key)


def home(titles: list[Title], *viewings: Viewing, wishes: tuple[Listing, ...] = ()) -> Household:
    """Return a household that has these titles and watched so."""
    return Household("hand-made", {title.key: title for title in titles}, viewings, wishes)


def whole(tables: Mapping[str, object] = MappingProxyType({})) -> Settings:
    """Return settings that fill the cache to its brim, with these tables in place of the defaults."""
    space = {"limit": "100%", "evict_to": "100%", "min_free": "0"}
    return build({"space": space, **tables})
