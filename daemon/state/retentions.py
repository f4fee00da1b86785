"""Rows of what is kept for a while, because of what somebody did with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection

from daemon.model import HALF_WAY, Retention
from daemon.state.rows import from_db, marks, select, to_db

RETENTION = "rating_key, user, until, why"
LASTS = "min(r.until, ifnull(r.counts_until, r.until))"
"""Of the table `retentions` as `r`: until when a retention keeps anything."""

_RETAINED = (
    f"SELECT f.plex_path, max({LASTS}) FROM retentions AS r JOIN item_files AS f USING (rating_key) WHERE {LASTS} > ?"
)


def retained(
    connection: sqlite3.Connection, now: float, *, among: Collection[str | bytes] | None = None
) -> dict[str, float]:
    """Return until when each retained file (as Plex sees it) stays; of all, or of those `among` these."""
    only = "" if among is None else f"AND f.plex_path IN ({marks(len(among))})"
    rows = connection.execute(f"{_RETAINED} {only} GROUP BY f.plex_path", (now, *(among or ())))
    return {from_db(path): until for path, until in rows}


def is_retained(connection: sqlite3.Connection, plex_path: str, now: float, *, half_way: bool = False) -> bool:
    """Say whether this one file is retained; `half_way`: because its play was stopped there."""
    only = f"AND r.why = '{HALF_WAY}'" if half_way else ""
    sql = f"{_RETAINED} AND f.plex_path = ? {only} GROUP BY f.plex_path"
    return bool(select(connection, sql, now, to_db(plex_path)))


def recount(
    connection: sqlite3.Connection, until: Callable[[Retention], float | None], *, user: str | None = None
) -> None:
    """Record anew until when retentions count; those of one user, or all."""
    sql = f"SELECT counts_until, {RETENTION} FROM retentions WHERE ifnull(user = ?, 1)"
    judged = ((before, Retention(*row)) for before, *row in select(connection, sql, user))
    connection.executemany(
        "UPDATE retentions SET counts_until = ? WHERE rating_key = ? AND user = ?",
        [(end, one.rating_key, one.user) for before, one in judged if (end := until(one)) != before],
    )
