"""What the HTTP side asks of the daemon. Nothing in this package reaches past these names.

Every method answers from memory or from the store; none waits for Plex's playback or for a copy. Errors
are those of `daemon.errors`. Times are ISO 8601 in UTC with a ``Z``, sizes are bytes, durations seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

SORT_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "files": (
            "plex_path",
            "array_path",
            "cache_path",
            "size",
            "state",
            "score",
            "cached_at",
            "keep_until",
            "last_played_at",
        ),
        "tasks": (
            "id",
            "kind",
            "file",
            "state",
            "priority",
            "attempts",
            "created_at",
            "started_at",
            "finished_at",
        ),
        "sessions": ("id", "title", "user", "player", "state", "tier", "started_at"),
        "audit": ("name", "path", "mapping"),
        "users": ("place", "title", "id", "role", "state", "last_played_at"),
        "pins": ("title", "rating_key", "type", "since", "files", "size", "cached_files"),
        "demands": ("title", "rating_key", "kind", "user", "since", "until", "position"),
    }
)
"""By which fields each list may be sorted."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which part of a list is asked for.

    `q` is searched in all fields, whatever the case. `sort` is one of the list's `SORT_KEYS`, with a ``-``
    before it for the largest first, or empty for the list's natural order.
    """

    limit: int = 100
    offset: int = 0
    q: str = ""
    sort: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """One part of a list; `total` counts all that matches the query."""

    items: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold for the daemon to do its work; `text` says how it is, for a person."""

    name: str
    ok: bool
    text: str = ""


class Service(Protocol):
    """The daemon as the webhook, the API, the page and the commands see it."""

    async def status(self) -> dict[str, Any]:
        """Return one document that says how the daemon is."""

    async def files(self, query: Query) -> Listing:
        """Return the files on the cache and on their way."""

    async def tasks(self, query: Query) -> Listing:
        """Return the tasks that are remembered."""

    async def sessions(self, query: Query) -> Listing:
        """Return what plays now."""

    async def demands(self, query: Query) -> Listing:
        """Return who wants what."""

    async def plan(self) -> dict[str, Any]:
        """Return what would be cached and evicted now."""

    async def cache(self, target: str) -> list[int]:
        """Ask for a target's files on the cache; return the task ids. TargetNotFound, UnmappedPath."""

    async def evict(self, target: str) -> list[int]:
        """Ask for a target's files off the cache; return the task ids. TargetNotFound, TargetBusy."""

    async def restore(self) -> tuple[list[int], list[str]]:
        """Take all off the cache but what plays, and stay paused; return task ids, and what plays. TargetBusy."""

    async def pause(self) -> None:
        """Start no new task."""

    async def resume(self) -> None:
        """Start tasks again."""

    async def stop(self) -> None:
        """End what runs, cleanly."""

    async def refresh(self) -> None:
        """Read Plex again and plan anew."""

    def readiness(self) -> list[Check]:
        """Return what works and what does not, without waiting."""

    async def webhook(self, payload: dict[str, Any]) -> bool:
        """Record a webhook's payload; say whether it concerns this server."""


class Pinner(Protocol):
    """Keeps what people want on the cache for good."""

    async def pin(self, target: str) -> tuple[list[int], str]:
        """Pin a target; return task ids, and what stands in the way. TargetNotFound, UnmappedPath, PlexError."""

    async def unpin(self, target: str) -> tuple[list[int], str]:
        """Take a pin back; return task ids, and why nothing was done, if so. TargetNotFound, UnmappedPath."""

    async def pins(self) -> list[dict[str, Any]]:
        """Return the pins, the oldest first."""


class Household(Protocol):
    """Knows who uses the server."""

    async def users(self, query: Query) -> Listing:
        """Return everybody, whether they count, and how what they want is read."""


class Auditor(Protocol):
    """Compares what is recorded with what stands on the disks. A walk may take as long as the library is large."""

    async def report(self, *, array: bool) -> list[dict[str, Any]]:
        """Return what is found; nothing on the array is touched unless `array`. TargetBusy while another runs."""

    async def repair(self, wanted: Sequence[str], *, array: bool) -> tuple[list[dict[str, Any]], list[int]]:
        """Fix what is wanted (`daemon.storage.findings.FIXES`); return what became of each finding, and task ids."""
