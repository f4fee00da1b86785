"""Rows of what ondeckd placed on the cache."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from daemon.model import Entry
from daemon.state.rows import ENTRY, entry, entry_values, select, to_db


def put_entries(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Record placed files."""
    connection.executemany(
        f"INSERT OR REPLACE INTO entries ({ENTRY}) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        [entry_values(new) for new in entries],
    )


def drop_entry(connection: sqlite3.Connection, array_path: str) -> None:
    """Forget a file that is no longer on the cache."""
    connection.execute("DELETE FROM entries WHERE array_path = ?", (to_db(array_path),))


def all_entries(connection: sqlite3.Connection) -> list[Entry]:
    """Return every entry, sidecars included."""
    return [entry(row) for row in select(connection, f"SELECT {ENTRY} FROM entries")]


def get_entry(connection: sqlite3.Connection, array_path: str) -> Entry | None:
    """Return the entry of one file."""
    rows = select(connection, f"SELECT {ENTRY} FROM entries WHERE array_path = ?", to_db(array_path))
    return entry(rows[0]) if rows else None


def has_entries(connection: sqlite3.Connection, mapping: str) -> bool:
    """Say whether anything of a mapping is recorded."""
    return bool(select(connection, "SELECT 1 FROM entries WHERE mapping = ? LIMIT 1", mapping))


def family(connection: sqlite3.Connection, array_path: str) -> list[Entry]:
    """Return the entry of a video, if there is one, and those of its sidecars."""
    key = to_db(array_path)
    sql = f"SELECT {ENTRY} FROM entries WHERE array_path = ?1 OR parent = ?1 ORDER BY parent"
    return [entry(row) for row in select(connection, sql, key)]


def is_cached(connection: sqlite3.Connection, plex_paths: Iterable[str]) -> bool:
    """Say whether all these files (as Plex sees them) are on the cache; no files: no."""
    answers = [
        bool(select(connection, "SELECT 1 FROM entries WHERE plex_path = ?", to_db(path))) for path in plex_paths
    ]
    return bool(answers) and all(answers)


def mark_played(connection: sqlite3.Connection, plex_paths: Iterable[str], at: float) -> None:
    """Record that files were played at `at`."""
    connection.executemany(
        "UPDATE entries SET last_played_at = ? WHERE plex_path = ?",
        [(at, to_db(path)) for path in plex_paths],
    )


def totals(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return how many files and bytes ondeckd holds on the cache."""
    files, size = select(connection, "SELECT count(*), ifnull(sum(size), 0) FROM entries")[0]
    return int(files), int(size)
