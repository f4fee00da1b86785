"""Figures in the form that people read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

_STEP = 1000.0
_NAMED = 3
"""So many of the items that are not in the library are named."""

_WISHES = MappingProxyType(
    {
        "playing": ("playing", "for"),
        "next_up": ("next up", "for"),
        "on_deck": ("on deck", "for"),
        "watchlist": ("on the watchlist", "of"),
        "pinned": ("pinned", "by"),
        "recent": ("recently added", "for"),
        "trending": ("trending", "for"),
    }
)
"""For each kind of demand what people call it, and how the user's name follows."""

_FIRST = MappingProxyType({"next_up": 1, "on_deck": 0, "watchlist": 0})
"""The position that goes without saying; of other kinds no position says how far ahead a file is."""


def size(number: float) -> str:
    """Return bytes as ``1.5 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(number) < _STEP:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= _STEP
    return f"{number:.1f} TB"


def source(row: Mapping[str, Any]) -> str:
    """Return how a source of demand is: off, failing, or what it found and when."""
    if not row["on"]:
        return "off"
    found = f"{row['found']} read {moment(row['read_at'])}" if row["read_at"] else "not read yet"
    if missing := row["unmatched"]:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        found += f", not in the library: {', '.join(missing[:_NAMED])}{more}"
    if row["failing_since"]:
        return f"fails since {moment(row['failing_since'])}: {row['problem']}; {found}"
    if row.get("note"):
        return f"{row['note']}; {found}"
    return found


def moment(text: str | None) -> str:
    """Return an ISO 8601 moment as ``2025-03-01 20:15``, or nothing."""
    return (text or "")[:16].replace("T", " ")


def length(seconds: float) -> str:
    """Return a length of time as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def wish(demand: Mapping[str, Any]) -> str:
    """Return who wants a file and why: ``next up for Ann (2 ahead)``."""
    kind, user, position = str(demand.get("kind", "")), demand.get("user"), demand.get("position") or 0
    words, joint = _WISHES.get(kind, (kind.replace("_", " "), "for"))
    far = f" ({position} ahead)" if position > _FIRST.get(kind, position) else ""
    return f"{words} {joint} {user}{far}" if user else words + far


def wishes(demands: Iterable[Mapping[str, Any]]) -> str:
    """Return who wants a file and why: ``on deck for Ann, pinned``."""
    return ", ".join(dict.fromkeys(wish(demand) for demand in demands))


def counted(number: int, word: str = "file") -> str:
    """Return ``1 file``, ``2 files``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
