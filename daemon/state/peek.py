"""A look into the database for commands that run beside the daemon, or without it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from daemon.model import Entry
from daemon.state.ledger import by_mapping, linked
from daemon.state.store import NAME


def mappings_in_use(directory: Path) -> dict[str, int]:
    """Return how many files of each mapping are recorded as cached; none where that cannot be read.

    Changes nothing.
    """
    try:
        with closing(_open(directory)) as connection:
            return by_mapping(connection)
    except sqlite3.Error:
        return {}


def served_by_links(directory: Path, mapping: str) -> list[tuple[Entry, str]]:
    """Return entries of a mapping that links lead to, each with the rating key of an item; none likewise."""
    try:
        with closing(_open(directory)) as connection:
            return linked(connection, mapping)
    except sqlite3.Error:
        return []


def _open(directory: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{(directory / NAME).absolute().as_uri()}?mode=ro", uri=True)
