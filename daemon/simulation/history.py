"""What a household has, and what it watched: the input of every simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Title:
    """A movie or an episode. `size` in bytes, `duration` in seconds; `show` is empty for a movie.

    `added_at` is when it came into the library (seconds since the epoch); 0.0: it was always there.
    """

    key: str
    size: int
    duration: float
    show: str = ""
    season: int = 0
    episode: int = 0
    added_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Viewing:
    """One play: `user` starts `key` at `at` (seconds since the epoch).

    It begins at the share `begin` of it and stops at the share `end`; from 0.9 on Plex counts it as watched.
    """

    at: float
    user: str
    key: str
    begin: float = 0.0
    end: float = 1.0


@dataclass(frozen=True, slots=True)
class Listing:
    """A user puts a movie, or a show by its key, on the watchlist at `at`."""

    at: float
    user: str
    key: str


@dataclass(frozen=True, slots=True)
class Household:
    """A library and a history of it, both in order of time. `kind` names the way these people watch."""

    kind: str
    titles: Mapping[str, Title]
    viewings: tuple[Viewing, ...]
    listings: tuple[Listing, ...] = ()

    @property
    def bytes(self) -> int:
        """Return how large the whole library is."""
        return sum(title.size for title in self.titles.values())
