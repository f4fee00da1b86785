"""Rows of plays: the open ones survive a restart, the ended ones are the history."""

from __future__ import annotations

import sqlite3

from daemon.model import Play
from daemon.state.rows import PLAY, play, select

REST = 0.25
"""A play of a smaller share of the item is only the rest of one before: nobody has watched it again."""


def put_play(connection: sqlite3.Connection, new: Play, *, stopped_at: float | None = None) -> None:
    """Record a play as it is now; `stopped_at` ends it."""
    connection.execute(
        f"INSERT OR REPLACE INTO plays ({PLAY}, stopped_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            new.id,
            new.session_key,
            new.rating_key,
            new.user.id,
            new.user.title,
            new.client,
            new.player,
            new.state,
            new.started_at,
            new.last_seen,
            new.view_offset,
            new.duration,
            new.confirmed,
            new.watched,
            stopped_at,
        ),
    )


def open_plays(connection: sqlite3.Connection) -> list[Play]:
    """Return the plays that have not ended."""
    return [play(row) for row in select(connection, f"SELECT {PLAY} FROM plays WHERE stopped_at IS NULL")]


def last_watched(connection: sqlite3.Connection, rating_key: str, before: float) -> float | None:
    """Return when anybody last played an item to its end and stopped before that moment; None: nobody has."""
    sql = "SELECT max(stopped_at) FROM plays WHERE rating_key = ? AND watched AND stopped_at < ?"
    (moment,) = select(connection, sql, rating_key, before)[0]
    return None if moment is None else float(moment)


def watched_lately(connection: sqlite3.Connection, user: str, since: float, before: float) -> list[str]:
    """Return the rating key of each play of a user that came to the item's end and ended within that time.

    Without those that were too short to be more than the rest of one before.
    """
    sql = (
        "SELECT rating_key FROM plays WHERE user = ? AND watched AND stopped_at >= ? AND stopped_at < ? "
        "AND stopped_at - started_at >= duration * ?"
    )
    return [key for (key,) in select(connection, sql, user, since, before, REST)]


def forget_before(connection: sqlite3.Connection, moment: float) -> None:
    """Delete plays that ended before `moment`."""
    connection.execute("DELETE FROM plays WHERE stopped_at < ?", (moment,))
