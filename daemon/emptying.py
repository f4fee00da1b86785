"""Everything off the cache at once, by the daemon's own queue."""

from __future__ import annotations

from daemon.errors import TargetBusy
from daemon.model import TaskKind
from daemon.state import demands, ledger, plays, tasks
from daemon.state.store import Connection

PRIORITY = 100
"""Before all that is planned: a person waits for it."""


def empty(connection: Connection, now: float) -> tuple[list[int], list[str]]:
    """Have everything leave but what plays; return the tasks for that, and the array paths of what plays.

    TargetBusy if something plays of which it is not known which files it is.
    """
    playing = {play.rating_key for play in plays.open_plays(connection)}
    if any(demands.item(connection, key) is None for key in playing):
        raise TargetBusy("something plays of which Plex has not said yet which file it is; try again in a moment")
    entries = {entry.file.array_path: entry for entry in ledger.all_entries(connection)}
    ids, stay = [], []
    for path, entry in entries.items():
        if entry.parent in entries:
            continue  # it goes with its video
        if playing and playing & _keys(connection, entry.file.plex_path):
            stay.append(path)
        else:
            new = tasks.NewTask(TaskKind.EVICT, entry.file, PRIORITY, "everything goes back", forced=True)
            ids.append(tasks.put(connection, new, now))
    return ids, stay


def _keys(connection: Connection, plex_path: str) -> set[str]:
    try:
        return set(demands.keys_of_file(connection, plex_path))
    except UnicodeEncodeError:
        return set()  # Plex knows no such name
