"""Figures in the form that people read."""

from __future__ import annotations

_STEP = 1000.0


def size(number: float) -> str:
    """Return bytes as ``1.5 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(number) < _STEP:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= _STEP
    return f"{number:.1f} TB"


def moment(text: str | None) -> str:
    """Return an ISO 8601 moment as ``2025-03-01 20:15``, or nothing."""
    return (text or "")[:16].replace("T", " ")


def length(seconds: float) -> str:
    """Return a length of time as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def wishes(demands: list[dict[str, str]]) -> str:
    """Return who wants a file and why: ``on deck for Ann, pinned``."""
    found = dict.fromkeys(
        f"{demand.get('kind', '')}".replace("_", " ") + (f" for {demand['user']}" if demand.get("user") else "")
        for demand in demands
    )
    return ", ".join(found)
