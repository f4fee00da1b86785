"""Rows of what the sources said last, and how each of them is."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from daemon.model import Changes, Demand, DemandKind, Fetched, SourceState, User
from daemon.state import demands
from daemon.state.rows import DEMAND, demand, select

_STATE = "kind, user, read_at, failed_since, problem, found, unmatched"
_MOST_UNMATCHED = 100


def put_fetched(connection: sqlite3.Connection, kind: DemandKind, user: str, new: Fetched, now: float) -> None:
    """Put what a source says in place of what it said before; plays' own demands are not touched."""
    before = state(connection, kind, user)
    if new.unchanged:
        _put(connection, replace(before, read_at=now, failed_since=None, problem=new.note))
        return
    old = said(connection, kind, user)
    demands.put_items(connection, new.items)
    # What nobody dates counts from when it was seen first.
    seen = {one.rating_key: one.since for one in old}
    put = [one if one.since else replace(one, since=seen.get(one.rating_key, now)) for one in new.demands]
    # Most are as they were.
    gone, come = set(old).difference(put), set(put).difference(old)
    changes = Changes(
        drop_demands=tuple(one for one in old if one in gone), put_demands=tuple(one for one in put if one in come)
    )
    demands.apply(connection, changes)
    unmatched = new.unmatched[:_MOST_UNMATCHED]
    _put(connection, SourceState(kind, user, now, None, new.note, len(new.demands), unmatched))


def said(connection: sqlite3.Connection, kind: DemandKind, user: str) -> tuple[Demand, ...]:
    """Return the demands that a source has made."""
    # Without the +, SQLite takes the index of plays, in which the demands of all sources are one heap.
    sql = f"SELECT {DEMAND} FROM demands WHERE kind = ? AND user = ? AND +play = ''"
    return tuple(demand(row) for row in select(connection, sql, kind, user))


def put_failure(connection: sqlite3.Connection, kind: DemandKind, user: str, problem: str, now: float) -> None:
    """Record that a source cannot be read; what it said last stands."""
    before = state(connection, kind, user)
    since = now if before.failed_since is None else before.failed_since
    _put(connection, replace(before, failed_since=since, problem=problem))


def state(connection: sqlite3.Connection, kind: DemandKind, user: str) -> SourceState:
    """Return how a source is; one that was never read has only its names."""
    rows = select(connection, f"SELECT {_STATE} FROM sources WHERE kind = ? AND user = ?", kind, user)
    return _state(rows[0]) if rows else SourceState(kind, user)


def states(connection: sqlite3.Connection) -> list[SourceState]:
    """Return how every source is that was ever read, or tried to be."""
    return [_state(row) for row in select(connection, f"SELECT {_STATE} FROM sources ORDER BY user, kind")]


def failing(connection: sqlite3.Connection) -> list[tuple[str, SourceState]]:
    """Return the sources that cannot be read now, each with its user's title (empty: of nobody in particular)."""
    titles = demands.users(connection)
    return [(titles.get(one.user, one.user), one) for one in states(connection) if one.failed_since is not None]


def forget(connection: sqlite3.Connection, kind: DemandKind, user: str) -> None:
    """Drop all that a source said, because it is switched off or the user is gone for good."""
    connection.execute("DELETE FROM demands WHERE kind = ? AND user = ? AND +play = ''", (kind, user))
    connection.execute("DELETE FROM sources WHERE kind = ? AND user = ?", (kind, user))


def put_people(connection: sqlite3.Connection, people: Iterable[tuple[User, str]]) -> None:
    """Record titles and roles of users."""
    for user, role in people:
        demands.put_user(connection, user)
        connection.execute("UPDATE users SET role = ? WHERE id = ?", (role, user.id))


def decline(connection: sqlite3.Connection, keys: Iterable[str], now: float) -> None:
    """Record that somebody does not want these items on the cache, whatever was wished so far."""
    connection.executemany("INSERT OR REPLACE INTO declined VALUES (?, ?)", [(key, now) for key in keys])


def accept(connection: sqlite3.Connection, keys: Iterable[str]) -> None:
    """Take that back."""
    connection.executemany("DELETE FROM declined WHERE rating_key = ?", [(key,) for key in keys])


def declined(connection: sqlite3.Connection) -> dict[str, float]:
    """Return what was declined, and when, by rating key."""
    return dict(select(connection, "SELECT rating_key, at FROM declined"))


def last_plays(connection: sqlite3.Connection) -> dict[str, float]:
    """Return when each user last played anything, where that is known."""
    return dict(select(connection, "SELECT id, last_played_at FROM users WHERE last_played_at IS NOT NULL"))


def finished(connection: sqlite3.Connection, user: str, keys: Iterable[str]) -> dict[str, float]:
    """Return which of these items a user (empty: anybody) has finished, and when last, by rating key."""
    sql = "SELECT rating_key, max(at) FROM watched WHERE rating_key = ? AND ? IN ('', user) GROUP BY rating_key"
    return dict(row for key in keys for row in select(connection, sql, key, user))


def _put(connection: sqlite3.Connection, new: SourceState) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO sources ({_STATE}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            new.kind,
            new.user,
            new.read_at,
            new.failed_since,
            new.problem,
            new.found,
            json.dumps(new.unmatched),
        ),
    )


def _state(row: tuple[str, str, float | None, float | None, str, int, str]) -> SourceState:
    kind, user, read_at, failed_since, problem, found, unmatched = row
    return SourceState(DemandKind(kind), user, read_at, failed_since, problem, found, tuple(json.loads(unmatched)))
