"""A look into the database for commands that run beside the daemon, or without it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from daemon.state.ledger import by_mapping
from daemon.state.store import NAME


def mappings_in_use(directory: Path) -> dict[str, int]:
    """Return how many files of each mapping are recorded as cached; none where that cannot be read.

    Changes nothing.
    """
    try:
        with closing(sqlite3.connect(f"{(directory / NAME).absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return by_mapping(connection)
    except sqlite3.Error:
        return {}
