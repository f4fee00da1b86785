"""Rows of what other programs have announced and nobody has acted on yet: they will not say it again."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from daemon.state.rows import select, to_db

_MOST = 10_000
"""Rows beyond which nothing more is taken: somebody sends nonsense."""


@dataclass(frozen=True, slots=True)
class Announced:
    """Something that `app` announced `at`, as text; tried so many times, and not to be tried again before a moment."""

    id: int
    app: str
    text: str
    at: float
    tries: int = 0
    not_before: float = 0.0


def put(connection: sqlite3.Connection, app: str, text: str, at: float) -> bool:
    """Record an announcement; return whether there was room for it."""
    connection.execute(
        "INSERT INTO announced (app, text, at) SELECT ?, ?, ? WHERE (SELECT count(*) FROM announced) < ?",
        (app, text, at, _MOST),
    )
    return bool(select(connection, "SELECT changes()")[0][0])


def due(connection: sqlite3.Connection, now: float) -> list[Announced]:
    """Return what may be tried now, in the order in which it was announced."""
    sql = "SELECT id, app, text, at, tries, not_before FROM announced WHERE not_before <= ? ORDER BY id"
    return [Announced(*row) for row in select(connection, sql, now)]


def next_due(connection: sqlite3.Connection) -> float | None:
    """Return when the next one may be tried, or a file is no longer expected to be replaced."""
    sql = "SELECT min(at) FROM (SELECT min(not_before) AS at FROM announced UNION ALL SELECT min(until) FROM replacing)"
    (moment,) = select(connection, sql)[0]
    return None if moment is None else float(moment)


def expect(connection: sqlite3.Connection, array_path: str, until: float) -> None:
    """Record that a cached file is being replaced: nothing is put back under its name until that is over."""
    connection.execute("INSERT OR REPLACE INTO replacing VALUES (?, ?)", (to_db(array_path), until))


def is_expected(connection: sqlite3.Connection, array_path: str) -> bool:
    """Say whether a file is being replaced."""
    return bool(select(connection, "SELECT 1 FROM replacing WHERE array_path = ?", to_db(array_path)))


def expect_no_more(connection: sqlite3.Connection, now: float, array_path: str = "") -> bool:
    """Forget that a file is being replaced, and all of which that has taken too long; return whether there was any."""
    connection.execute("DELETE FROM replacing WHERE until <= ? OR array_path = ?", (now, to_db(array_path)))
    return bool(select(connection, "SELECT changes()")[0][0])


def put_off(connection: sqlite3.Connection, number: int, not_before: float) -> None:
    """Record that one was tried in vain."""
    connection.execute("UPDATE announced SET tries = tries + 1, not_before = ? WHERE id = ?", (not_before, number))


def end(connection: sqlite3.Connection, number: int) -> None:
    """Forget one."""
    connection.execute("DELETE FROM announced WHERE id = ?", (number,))
