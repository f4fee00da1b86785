"""Rows of what ondeckd placed on the cache."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from daemon.model import Entry
from daemon.state.retentions import LASTS
from daemon.state.rows import ENTRY, ENTRY_MARKS, entry, entry_values, from_db, marks, select, to_db


def put_entries(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Record placed files, and how much their sidecars are, which is remembered when they have left."""
    placed = list(entries)
    connection.executemany(
        f"INSERT OR REPLACE INTO entries ({ENTRY}) VALUES ({ENTRY_MARKS})",
        [entry_values(new) for new in placed],
    )
    videos = [(path,) for path in dict.fromkeys(to_db(new.parent or new.file.array_path) for new in placed)]
    connection.executemany("DELETE FROM sidecars WHERE array_path = ?", videos)
    connection.executemany(
        "INSERT INTO sidecars SELECT parent, sum(size), max(cached_at) FROM entries WHERE parent = ? GROUP BY parent",
        videos,
    )


def drop_entry(connection: sqlite3.Connection, array_path: str) -> None:
    """Forget a file that is no longer on the cache."""
    connection.execute("DELETE FROM entries WHERE array_path = ?", (to_db(array_path),))


def all_entries(connection: sqlite3.Connection) -> list[Entry]:
    """Return every entry, sidecars included."""
    return list(each_entry(connection))


def each_entry(connection: sqlite3.Connection) -> Iterator[Entry]:
    """Yield every entry, sidecars included, without holding them all."""
    return (entry(row) for row in connection.execute(f"SELECT {ENTRY} FROM entries"))


def sidecar_sizes(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the bytes of the sidecars of each video that has any, by the video's array path."""
    rows = connection.execute(
        "SELECT s.parent, sum(s.size) FROM entries AS s JOIN entries AS v ON v.array_path = s.parent "
        "WHERE s.parent <> '' GROUP BY s.parent"
    )
    return {from_db(parent): size for parent, size in rows}


def remembered_sidecars(connection: sqlite3.Connection, array_paths: Iterable[str]) -> dict[str, int]:
    """Return the bytes of the sidecars that came with each of these videos last, also of those that have left."""
    sql = "SELECT array_path, size FROM sidecars WHERE array_path IN"
    found: dict[str, int] = {}
    for asked in _parts(array_paths):
        rows = select(connection, f"{sql} ({marks(len(asked))})", *asked)
        found |= {from_db(path): size for path, size in rows}
    return found


def forget_sidecars(connection: sqlite3.Connection, before: float) -> None:
    """Forget those of videos that were placed before a moment and have left."""
    sql = "DELETE FROM sidecars WHERE at < ? AND array_path NOT IN (SELECT array_path FROM entries)"
    connection.execute(sql, (before,))


_AT_ONCE = 500


def _parts(paths: Iterable[str]) -> Iterator[list[str | bytes]]:
    """Yield paths as the database has them, so many at a time."""
    asked = [to_db(path) for path in paths]
    return (asked[start : start + _AT_ONCE] for start in range(0, len(asked), _AT_ONCE))


_UNWANTED = (
    f"SELECT {ENTRY} FROM entries AS e WHERE (waived OR cached_at <= ?) "
    "AND NOT EXISTS (SELECT 1 FROM item_files AS f WHERE f.plex_path = e.plex_path AND ("
    "EXISTS (SELECT 1 FROM demands AS d WHERE d.rating_key = f.rating_key "
    "AND (d.counts_until IS NULL OR d.counts_until > ?)) "
    f"OR EXISTS (SELECT 1 FROM retentions AS r WHERE r.rating_key = f.rating_key AND {LASTS} > ?))) "
    "AND NOT EXISTS (SELECT 1 FROM entries AS p WHERE p.array_path = e.parent) "
    "AND NOT EXISTS (SELECT 1 FROM replacing AS r WHERE r.array_path = e.array_path)"
)


def unwanted(connection: sqlite3.Connection, cached_before: float, now: float) -> list[Entry]:
    """Return the entries that nobody demands, that are not retained, and that were cached before a moment.

    Sidecars go with their video; only one that its video has left behind is named by itself.
    """
    return [entry(row) for row in select(connection, _UNWANTED, cached_before, now, now)]


def entries_of(connection: sqlite3.Connection, array_paths: Iterable[str]) -> list[Entry]:
    """Return the entries of these videos and those of their sidecars."""
    found: list[Entry] = []
    for asked in _parts(array_paths):
        for column in ("array_path", "parent"):
            sql = f"SELECT {ENTRY} FROM entries WHERE {column} IN ({marks(len(asked))})"
            found += [entry(row) for row in select(connection, sql, *asked)]
    return found


def held(connection: sqlite3.Connection, array_paths: Iterable[str]) -> set[str]:
    """Return which of these files have an entry."""
    sql = "SELECT 1 FROM entries WHERE array_path = ?"
    return {path for path in array_paths if select(connection, sql, to_db(path))}


def sizes(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many bytes of each mapping are recorded."""
    return dict(select(connection, "SELECT mapping, sum(size) FROM entries GROUP BY mapping"))


def next_unfresh(connection: sqlite3.Connection, min_stay: float, now: float) -> float | None:
    """Return when the next entry has been on the cache for `min_stay` seconds."""
    sql = "SELECT min(cached_at) FROM entries WHERE cached_at > ? AND NOT waived"
    (moment,) = select(connection, sql, now - min_stay)[0]
    return None if moment is None else float(moment) + min_stay


def note_playing(connection: sqlite3.Connection, now: float) -> None:
    """Record that entries of open plays were played, which began before the copy was there."""
    connection.execute(
        "UPDATE entries SET last_played_at = ? WHERE last_played_at IS NULL AND plex_path IN (SELECT f.plex_path "
        "FROM plays AS p JOIN item_files AS f USING (rating_key) WHERE p.stopped_at IS NULL)",
        (now,),
    )


def entries_after(connection: sqlite3.Connection, array_path: str, count: int) -> list[Entry]:
    """Return at most so many entries, in the order of their array paths, from the one after `array_path` on."""
    sql = f"SELECT {ENTRY} FROM entries WHERE array_path > ? ORDER BY array_path LIMIT ?"
    return [entry(row) for row in select(connection, sql, to_db(array_path), count)]


def get_entry(connection: sqlite3.Connection, array_path: str) -> Entry | None:
    """Return the entry of one file."""
    rows = select(connection, f"SELECT {ENTRY} FROM entries WHERE array_path = ?", to_db(array_path))
    return entry(rows[0]) if rows else None


def of_plex_paths(connection: sqlite3.Connection, plex_paths: Iterable[str]) -> list[Entry]:
    """Return the entries of these files (as Plex sees them) and of their sidecars."""
    sql = "SELECT array_path FROM entries WHERE plex_path = ?"
    videos = [from_db(path) for each in plex_paths for (path,) in select(connection, sql, to_db(each))]
    return [one for video in videos for one in family(connection, video)]


def by_mapping(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many files of each mapping are recorded."""
    return dict(select(connection, "SELECT mapping, count(*) FROM entries GROUP BY mapping"))


def has_entries(connection: sqlite3.Connection, mapping: str) -> bool:
    """Say whether anything of a mapping is recorded."""
    return bool(select(connection, "SELECT 1 FROM entries WHERE mapping = ? LIMIT 1", mapping))


def family(connection: sqlite3.Connection, array_path: str) -> list[Entry]:
    """Return the entry of a video, if there is one, and those of its sidecars."""
    key = to_db(array_path)
    sql = f"SELECT {ENTRY} FROM entries WHERE array_path = ? OR parent = ? ORDER BY parent"
    return [entry(row) for row in select(connection, sql, key, key)]


def linked(connection: sqlite3.Connection, mapping: str) -> list[tuple[Entry, str]]:
    """Return the entries of a mapping that have a link and belong to an item, each with that item's rating key."""
    columns = ", ".join(f"e.{name}" for name in ENTRY.replace(" ", "").split(","))
    sql = (
        f"SELECT {columns}, min(f.rating_key) FROM entries AS e JOIN item_files AS f USING (plex_path) "
        "WHERE e.mapping = ? AND e.link <> '' GROUP BY e.array_path"
    )
    return [(entry(row[:-1]), row[-1]) for row in select(connection, sql, mapping)]


def keys_of_files(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Return by path (as Plex sees it) what names a file: the rating keys of its items and of their shows."""
    sql = "SELECT f.plex_path, f.rating_key, i.show FROM item_files AS f JOIN items AS i USING (rating_key)"
    found: dict[str, list[str]] = {}
    for path, key, show in select(connection, sql):
        found.setdefault(from_db(path), []).extend(one for one in (key, show) if one)
    return found


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
    """Return how many videos ondeckd holds on the cache, and the bytes of all their files."""
    files, size = select(connection, "SELECT ifnull(sum(parent = ''), 0), ifnull(sum(size), 0) FROM entries")[0]
    return int(files), int(size)
