"""Who watches which show, by the rows: the demands and the plays of its episodes, and what was finished."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable

from daemon.model import DemandKind
from daemon.state.rows import marks, select

_WATCHING = (DemandKind.PLAYING, DemandKind.NEXT_UP, DemandKind.ON_DECK)


def followers(connection: sqlite3.Connection, since: float) -> dict[str, set[str]]:
    """Return for each show (by rating key) the ids of those who have watched any of it since then."""
    sql = (
        "SELECT show, user FROM demands WHERE show <> '' AND user <> '' AND since >= ? "
        f"AND kind IN ({marks(len(_WATCHING))}) "
        "UNION SELECT i.show, p.user FROM plays AS p JOIN items AS i USING (rating_key) "
        "WHERE i.show <> '' AND (p.stopped_at IS NULL OR p.last_seen >= ?) "
        "UNION SELECT i.show, w.user FROM watched AS w JOIN items AS i USING (rating_key) "
        "WHERE i.show <> '' AND w.at >= ?"
    )
    found: dict[str, set[str]] = defaultdict(set)
    for show, user in select(connection, sql, since, *_WATCHING, since, since):
        found[show].add(user)
    return dict(found)


def finished(connection: sqlite3.Connection, rating_keys: Iterable[str]) -> dict[str, set[str]]:
    """Return for each of these items the ids of those who are known to have finished it."""
    sql = "SELECT user FROM watched WHERE rating_key = ?"
    return {key: {user for (user,) in select(connection, sql, key)} for key in rating_keys}
