"""Rows that follow what happened to files: other paths of items, files that are gone, items that matter."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from daemon.model import Entry, Item, TaskState
from daemon.state import announced, demands, ledger
from daemon.state.rows import from_db, select, to_db

_MATTER = (
    "SELECT rating_key FROM items WHERE type IN ('movie', 'episode') AND rating_key IN (SELECT rating_key FROM demands "
    "UNION SELECT rating_key FROM retentions UNION SELECT rating_key FROM pins "
    "UNION SELECT f.rating_key FROM item_files AS f JOIN entries USING (plex_path))"
)


def that_matter(connection: sqlite3.Connection, keys: Iterable[str] | None = None) -> list[str]:
    """Return which of these movies and episodes (None: which of all) anybody wants or has on the cache."""
    if keys is None:
        return [key for (key,) in select(connection, _MATTER)]
    sql = f"{_MATTER} AND rating_key = ?"
    return [key for key in keys if select(connection, sql, key)]


def others(connection: sqlite3.Connection, items: Iterable[Item]) -> list[Item]:
    """Return those of which other files are recorded, or other copies are on the cache, than they list now."""
    return [item for item in items if _is_other(connection, item)]


def kept_copies(connection: sqlite3.Connection, keys: Iterable[str]) -> set[str]:
    """Return the files (as Plex sees them) of these items that are cached, and whose originals stand where they were.

    The others' originals would be put back where a copy is gone, and who deleted it may still be about to say so.
    """
    known = (demands.item(connection, key) for key in keys)
    files = {file.plex_path for item in known if item for file in item.files}
    return {entry.file.plex_path for entry in ledger.of_plex_paths(connection, files) if entry.keeps_original}


def _is_other(connection: sqlite3.Connection, item: Item) -> bool:
    known = demands.item(connection, item.rating_key)
    return known is None or {*known.files} != {*item.files} or bool(_stale(connection, item))


def _stale(connection: sqlite3.Connection, item: Item) -> list[Entry]:
    sizes = {one.plex_path: one.size for one in item.files}
    videos = [one for one in ledger.of_plex_paths(connection, sizes) if not one.parent]
    return [one for one in videos if sizes.get(one.file.plex_path) not in (0, None, one.file.size)]


def played_of_shows(connection: sqlite3.Connection, shows: Iterable[str]) -> list[str]:
    """Return what is being played of these shows."""
    sql = "SELECT p.rating_key FROM plays AS p JOIN items USING (rating_key) WHERE stopped_at IS NULL AND show = ?"
    return [key for show in shows for (key,) in select(connection, sql, show)]


def relist(connection: sqlite3.Connection, item: Item, *, settled_before: float, expected_until: float) -> list[Entry]:
    """Record an item as Plex lists it now; return the entries of files whose content is another by now.

    A copy that was made before a moment, and whose file another one has replaced, need not stay for ``min_stay``; one
    whose original was put aside stays until another moment, for that who replaced it says so.
    """
    before = {one.plex_path for one in known.files} if (known := demands.item(connection, item.rating_key)) else set()
    after = {one.plex_path for one in item.files}
    demands.put_items(connection, [item])
    left = [path for path in before - after if not demands.keys_of_file(connection, path)] if after - before else []
    for entry in ledger.of_plex_paths(connection, left):
        if entry.keeps_original and entry.cached_at < settled_before:
            connection.execute("UPDATE entries SET waived = 1 WHERE array_path = ?", (to_db(entry.file.array_path),))
        elif not entry.keeps_original and not entry.parent:
            # Who replaced it may say so in a moment; till then it must not get its name back.
            announced.expect(connection, entry.file.array_path, expected_until)
    return _stale(connection, item)


def put_in_place(connection: sqlite3.Connection, old: str, new: str, size: int) -> None:
    """Have all items list a file (as Plex sees it) in place of another. `size` 0: it is as large as that."""
    connection.execute(
        "UPDATE OR REPLACE item_files SET plex_path = ?, size = iif(? > 0, ?, size), part_id = '' WHERE plex_path = ?",
        (to_db(new), size, size, to_db(old)),
    )


def unlist(connection: sqlite3.Connection, plex_path: str) -> None:
    """Have no item list a file any more; the items themselves stay as they are."""
    connection.execute("DELETE FROM item_files WHERE plex_path = ?", (to_db(plex_path),))


def forget_item(connection: sqlite3.Connection, rating_key: str) -> None:
    """Forget an item that Plex no longer has, with all that anybody wanted of it."""
    for table in ("demands", "retentions", "items"):
        connection.execute(f"DELETE FROM {table} WHERE rating_key = ?", (rating_key,))


def is_running(connection: sqlite3.Connection, array_path: str) -> bool:
    """Say whether a file is being copied or evicted."""
    sql = "SELECT 1 FROM tasks WHERE array_path = ? AND state = ?"
    return bool(select(connection, sql, to_db(array_path), TaskState.RUNNING))


def videos_below(connection: sqlite3.Connection, folder: str) -> list[str]:
    """Return the array paths of all videos below a folder that are cached, or of which a sidecar is."""
    above = f"{folder.rstrip('/')}/"
    found = {from_db(parent or path) for path, parent in connection.execute("SELECT array_path, parent FROM entries")}
    return sorted(path for path in found if path.startswith(above))
