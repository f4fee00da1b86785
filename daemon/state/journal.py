"""Rows of files whose names are about to be changed, written before each step: a crash loses track of none."""

from __future__ import annotations

import sqlite3

from daemon.model import Goal, Intent
from daemon.state.rows import ENTRY, ENTRY_MARKS, entry, entry_values, select, to_db

_COLUMNS = f"{ENTRY}, goal, step"


def begin(connection: sqlite3.Connection, new: Intent) -> None:
    """Note that this step is about to be done."""
    connection.execute(
        f"INSERT OR REPLACE INTO journal ({_COLUMNS}) VALUES ({ENTRY_MARKS},?,?)",
        (*entry_values(new.entry), new.goal, new.step),
    )


def end(connection: sqlite3.Connection, array_path: str) -> None:
    """Note that nothing is under way for this file any more."""
    connection.execute("DELETE FROM journal WHERE array_path = ?", (to_db(array_path),))


def rows(connection: sqlite3.Connection, array_path: str = "") -> list[Intent]:
    """Return what is under way: all, or of one video and its sidecars."""
    if not array_path:
        found = select(connection, f"SELECT {_COLUMNS} FROM journal")
    else:
        sql = f"SELECT {_COLUMNS} FROM journal WHERE ? IN (array_path, parent)"
        found = select(connection, sql, to_db(array_path))
    return [Intent(entry(row[:-2]), Goal(row[-2]), row[-1]) for row in found]
