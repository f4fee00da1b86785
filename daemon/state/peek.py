"""A look into the database for commands that run beside the daemon, or without it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from daemon.state.store import NAME


def mappings_in_use(directory: Path) -> set[str]:
    """Return the mappings of which something is recorded as cached; none where that cannot be read.

    Changes nothing.
    """
    try:
        with closing(sqlite3.connect(f"{(directory / NAME).absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return {mapping for (mapping,) in connection.execute("SELECT DISTINCT mapping FROM entries")}
    except sqlite3.Error:
        return set()
