"""Reads the history of Plex from where it was read last: who finished what, also without any playing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from daemon.plex.elements import HistoryRow
from daemon.plex.library import PlexLibrary

_OVERLAP = 600.0
"""Rows may be written late and out of order by so many seconds."""


class HistoryReader:
    """Returns each row once. Times are the server's: its clock may differ from ours.

    `since` is the mark of the last reading, None before the first: then what is there already is old.
    `on_mark` is told each new mark, to be kept; after a restart rows of the overlap come once more.
    """

    def __init__(
        self, library: PlexLibrary, *, since: float | None, on_mark: Callable[[float], Awaitable[None]]
    ) -> None:
        self._library = library
        self._mark = since
        self._on_mark = on_mark
        self._seen: dict[str, float] = {}

    async def read(self) -> list[HistoryRow]:
        """Return the new rows, oldest first. Raises PlexError, and then misses nothing."""
        first = self._mark is None
        mark = await self._library.latest_history() if self._mark is None else self._mark
        rows = await self._library.history(max(0.0, mark - _OVERLAP))
        new = [row for row in rows if row.key not in self._seen]
        newest = max((row.at for row in rows), default=mark)
        self._seen = {row.key: row.at for row in rows if row.at >= newest - _OVERLAP}
        if first:
            new = [row for row in new if row.at > mark]
        if newest != self._mark:
            self._mark = max(newest, mark)
            await self._on_mark(self._mark)
        return sorted(new, key=lambda row: row.at)
