"""Daily spans of local time, as instants: no night with a change of the clocks is lost or counted twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo

from daemon.units import Window

_AROUND = (-1, 0, 1, 2)
"""The days, counted from now's, whose spans may be open or change next."""


def is_open(window: Window, now: float, tz: tzinfo | None = None) -> bool:
    """Say whether `now` lies in the span. `tz` None: the machine's own local time."""
    return any(opens <= now < closes for opens, closes in _spans(window, now, tz))


def next_opening(window: Window, now: float, tz: tzinfo | None = None) -> float:
    """Return when the span opens next after `now`, whether or not it is open. `tz`: see `is_open`."""
    return min(opens for opens, _ in _spans(window, now, tz) if opens > now)


def _spans(window: Window, now: float, tz: tzinfo | None) -> Iterator[tuple[float, float]]:
    today = datetime.fromtimestamp(now, tz).date()
    for days in _AROUND:
        yield _span(window, today + timedelta(days=days), tz)


def _span(window: Window, day: date, tz: tzinfo | None) -> tuple[float, float]:
    last = day if window.start < window.end else day + timedelta(days=1)
    opens = datetime.combine(day, window.start, tz).timestamp()
    closes = datetime.combine(last, window.end, tz).timestamp()
    if closes <= opens:
        # The clocks skip this hour: it is made up for by the one that follows.
        closes = opens + (datetime.combine(last, window.end) - datetime.combine(day, window.start)).total_seconds()
    return opens, closes
