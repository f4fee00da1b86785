"""Rows of copies that are about to get their final name, so that a crash in between loses no track of them."""

from __future__ import annotations

import sqlite3

from daemon.model import Entry
from daemon.state.rows import ENTRY, entry, entry_values, select, to_db


def begin(connection: sqlite3.Connection, new: Entry) -> None:
    """Note that this copy is about to get its final name."""
    connection.execute(f"INSERT OR REPLACE INTO journal ({ENTRY}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", entry_values(new))


def end(connection: sqlite3.Connection, array_path: str) -> None:
    """Note that nothing is under way for this file any more."""
    connection.execute("DELETE FROM journal WHERE array_path = ?", (to_db(array_path),))


def rows(connection: sqlite3.Connection, array_path: str = "") -> list[Entry]:
    """Return what is under way, as the ledger will record it: all, or of one video and its sidecars."""
    if not array_path:
        return [entry(row) for row in select(connection, f"SELECT {ENTRY} FROM journal")]
    sql = f"SELECT {ENTRY} FROM journal WHERE ? IN (array_path, parent)"
    return [entry(row) for row in select(connection, sql, to_db(array_path))]
