"""Rows of who wants what: users, items and their files, demands, retentions, what was watched."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from daemon.model import Changes, Demand, DemandKind, Item, ItemType, MediaFile, Retention, User
from daemon.state import ledger, retentions
from daemon.state.retentions import RETENTION
from daemon.state.rows import DEMAND, demand, from_db, marks, select, to_db

COUNTS = "(counts_until IS NULL OR counts_until > ?)"
"""Of the table `demands`; takes the moment."""

_AT_ONCE = 500


def put_user(connection: sqlite3.Connection, user: User, *, played_at: float | None = None) -> None:
    """Record a user's title, and when they last played something."""
    connection.execute(
        "INSERT INTO users (id, title, last_played_at) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "title = iif(excluded.title = '', title, excluded.title), "
        # Of whom no play is known, none is known: 0 would be a play long ago.
        "last_played_at = nullif(max(ifnull(last_played_at, 0), ifnull(excluded.last_played_at, 0)), 0)",
        (user.id, user.title, played_at),
    )


def users(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the title of each user by id."""
    return dict(select(connection, "SELECT id, title FROM users"))


def put_items(connection: sqlite3.Connection, items: Iterable[Item]) -> None:
    """Record items with all their files, in place of what was known of them; most are as they were."""
    for item in items:
        values = (
            item.rating_key,
            item.type,
            item.title,
            item.guid,
            item.library,
            item.duration,
            item.show,
            item.show_title,
            item.season,
            item.episode,
        )
        if select(connection, "SELECT * FROM items WHERE rating_key = ?", item.rating_key) != [values]:
            _put_item(connection, values)
        files = [(item.rating_key, file.plex_path, file.size, file.part_id) for file in item.files]
        known = select(connection, "SELECT * FROM item_files WHERE rating_key = ?", item.rating_key)
        # Plex lists none for a moment while a file is replaced; what was known still holds.
        if files and sorted(files) != sorted(known):
            connection.execute("DELETE FROM item_files WHERE rating_key = ?", (item.rating_key,))
            connection.executemany("INSERT OR REPLACE INTO item_files VALUES (?, ?, ?, ?)", files)


def _put_item(connection: sqlite3.Connection, values: tuple[object, ...]) -> None:
    connection.execute(
        # To replace the row would take its files along.
        "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rating_key) DO UPDATE SET "
        "type = excluded.type, title = excluded.title, guid = excluded.guid, library = excluded.library, "
        "duration = excluded.duration, show = excluded.show, show_title = excluded.show_title, "
        "season = excluded.season, episode = excluded.episode",
        values,
    )


def item(connection: sqlite3.Connection, rating_key: str) -> Item | None:
    """Return a recorded item."""
    rows = select(connection, "SELECT * FROM items WHERE rating_key = ?", rating_key)
    if not rows:
        return None
    key, kind, title, guid, library, duration, show, show_title, season, episode = rows[0]
    files = select(connection, "SELECT plex_path, size, part_id FROM item_files WHERE rating_key = ?", key)
    return Item(
        key,
        ItemType(kind),
        title,
        guid,
        library,
        duration,
        tuple(MediaFile(*file) for file in files),
        show,
        show_title,
        season,
        episode,
    )


def files_that_matter(connection: sqlite3.Connection) -> list[tuple[str, str, int]]:
    """Return rating key, Plex path and size of each file of what is demanded."""
    sql = "SELECT rating_key, plex_path, size FROM item_files WHERE rating_key IN (SELECT rating_key FROM demands)"
    return [(key, from_db(path), size) for key, path, size in select(connection, sql)]


def files_of(connection: sqlite3.Connection, keys: Iterable[str]) -> list[tuple[str, str, int]]:
    """Return rating key, Plex path and size of each known file of these items."""
    sql = "SELECT rating_key, plex_path, size FROM item_files WHERE rating_key = ?"
    return [(key, from_db(path), size) for each in keys for key, path, size in select(connection, sql, each)]


def keys_of_file(connection: sqlite3.Connection, plex_path: str) -> list[str]:
    """Return the rating keys that a file belongs to (several for a multi-episode file)."""
    rows = select(connection, "SELECT rating_key FROM item_files WHERE plex_path = ?", to_db(plex_path))
    return [key for (key,) in rows]


def apply(connection: sqlite3.Connection, changes: Changes) -> None:
    """Carry out a handler's changes: drops first, then puts."""
    connection.executemany(
        "DELETE FROM demands WHERE rating_key = ? AND kind = ? AND user = ? AND play = ?",
        [(gone.rating_key, gone.kind, gone.user, gone.play) for gone in changes.drop_demands],
    )
    connection.executemany(
        f"INSERT OR REPLACE INTO demands ({DEMAND}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (new.rating_key, new.kind, new.user, new.since, new.until, new.position, new.show, new.play)
            for new in changes.put_demands
        ],
    )
    connection.executemany("DELETE FROM retentions WHERE rating_key = ? AND user = ?", changes.drop_retentions)
    connection.executemany(
        "INSERT OR REPLACE INTO retentions (rating_key, user, until, why) VALUES (?, ?, ?, ?)",
        [(new.rating_key, new.user, new.until, new.why) for new in changes.put_retentions],
    )
    connection.executemany(
        "UPDATE entries SET waived = 1 WHERE plex_path IN (SELECT plex_path FROM item_files WHERE rating_key = ?) "
        "AND cached_at >= ?",
        changes.waived,
    )


def all_demands(connection: sqlite3.Connection) -> list[Demand]:
    """Return every demand."""
    return [demand(row) for row in select(connection, f"SELECT {DEMAND} FROM demands")]


def counted_demands(connection: sqlite3.Connection, now: float) -> list[Demand]:
    """Return every demand that counts now; its `until` is also when it ceases to count."""
    columns = DEMAND.replace("until", "coalesce(min(until, counts_until), until, counts_until)")
    return [demand(row) for row in select(connection, f"SELECT {columns} FROM demands WHERE {COUNTS}", now)]


def missing_wishes(connection: sqlite3.Connection, now: float) -> list[tuple[Demand, str, int]]:
    """Return the demands that count and of which a file is not on the cache; each with that file's path and size."""
    columns = ", ".join(f"d.{name}" for name in DEMAND.split(", "))
    sql = (
        f"SELECT {columns}, f.plex_path, f.size FROM demands AS d JOIN item_files AS f USING (rating_key) "
        f"WHERE {COUNTS} AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.plex_path = f.plex_path)"
    )
    return [(demand(row[:-2]), from_db(row[-2]), row[-1]) for row in select(connection, sql, now)]


def wishes_for(
    connection: sqlite3.Connection, plex_paths: Sequence[str], now: float
) -> tuple[dict[str, list[Demand]], dict[str, float]]:
    """Return, of each of these files, the demands that count, and until when it is retained."""
    columns = ", ".join(f"d.{name}" for name in DEMAND.split(", "))
    wishes: dict[str, list[Demand]] = defaultdict(list)
    kept: dict[str, float] = {}
    for start in range(0, len(plex_paths), _AT_ONCE):
        asked = [to_db(path) for path in plex_paths[start : start + _AT_ONCE]]
        among = f"f.plex_path IN ({marks(len(asked))})"
        sql = f"SELECT {columns}, f.plex_path FROM item_files AS f JOIN demands AS d USING (rating_key) WHERE {among}"
        for row in select(connection, f"{sql} AND {COUNTS}", *asked, now):
            wishes[from_db(row[-1])].append(demand(row[:-1]))
        kept |= retentions.retained(connection, now, among=asked)
    return wishes, kept


def recount(
    connection: sqlite3.Connection,
    until: Callable[[Demand | Retention], float | None],
    *,
    kind: DemandKind | None = None,
    user: str | None = None,
) -> None:
    """Record anew until when demands and retentions count; those of one user, or all; demands of one `kind` alone."""
    if kind is None:
        retentions.recount(connection, until, user=user)
    rows = select(
        connection,
        f"SELECT counts_until, {DEMAND} FROM demands WHERE ifnull(kind = ?, 1) AND ifnull(user = ?, 1)",
        kind,
        user,
    )
    judged = ((before, until(one), one) for before, one in ((row[0], demand(row[1:])) for row in rows))
    connection.executemany(
        "UPDATE demands SET counts_until = ? WHERE rating_key = ? AND kind = ? AND user = ? AND play = ?",
        [(end, one.rating_key, one.kind, one.user, one.play) for before, end, one in judged if end != before],
    )


def demands_of_item(connection: sqlite3.Connection, rating_key: str) -> list[Demand]:
    """Return the demands of one item."""
    sql = f"SELECT {DEMAND} FROM demands WHERE rating_key = ?"
    return [demand(row) for row in select(connection, sql, rating_key)]


def demands_of_show(connection: sqlite3.Connection, user: str, show: str) -> list[Demand]:
    """Return a user's demands of one show."""
    sql = f"SELECT {DEMAND} FROM demands WHERE user = ? AND show = ?"
    return [demand(row) for row in select(connection, sql, user, show)]


def demands_leading_to(connection: sqlite3.Connection, user: str, rating_key: str) -> list[Demand]:
    """Return all that those plays of a user made which had this item come next."""
    plays = "SELECT play FROM demands WHERE user = ? AND rating_key = ? AND kind = 'next_up'"
    sql = f"SELECT {DEMAND} FROM demands WHERE user = ? AND kind = 'next_up' AND play IN ({plays})"
    return [demand(row) for row in select(connection, sql, user, user, rating_key)]


def demands_of_play(connection: sqlite3.Connection, play: str) -> list[Demand]:
    """Return the demands that one play made."""
    return [demand(row) for row in select(connection, f"SELECT {DEMAND} FROM demands WHERE play = ?", play)]


def retentions_of_item(connection: sqlite3.Connection, rating_key: str) -> list[Retention]:
    """Return the retentions of one item."""
    sql = f"SELECT {RETENTION} FROM retentions WHERE rating_key = ?"
    return [Retention(*row) for row in select(connection, sql, rating_key)]


def is_demanded(connection: sqlite3.Connection, plex_path: str, now: float) -> bool:
    """Say whether anybody who counts demands this one file (as Plex sees it)."""
    sql = f"SELECT 1 FROM demands JOIN item_files AS f USING (rating_key) WHERE f.plex_path = ? AND {COUNTS} LIMIT 1"
    return bool(select(connection, sql, to_db(plex_path), now))


def forget_idle(connection: sqlite3.Connection, before: float) -> None:
    """Delete items that nothing refers to any more, and what was watched before `before`."""
    tables = ("demands", "retentions", "plays", "pins")
    referred = " UNION ".join(f"SELECT rating_key FROM {table}" for table in tables)
    connection.execute(
        f"DELETE FROM items WHERE rating_key NOT IN ({referred} UNION SELECT f.rating_key FROM item_files AS f "
        "JOIN entries USING (plex_path))"
    )
    connection.execute("DELETE FROM watched WHERE at < ?", (before,))
    connection.execute("DELETE FROM declined WHERE at < ?", (before,))
    ledger.forget_sidecars(connection, before)


def due(connection: sqlite3.Connection, now: float) -> tuple[list[Demand], list[Retention]]:
    """Return the demands and retentions whose time is over."""
    over = [demand(row) for row in select(connection, f"SELECT {DEMAND} FROM demands WHERE until <= ?", now)]
    sql = f"SELECT {RETENTION} FROM retentions WHERE until <= ?"
    return over, [Retention(*row) for row in select(connection, sql, now)]


def next_due(connection: sqlite3.Connection, now: float) -> float | None:
    """Return when the next demand or retention ends, or ceases to count; in seconds since the epoch."""
    sql = (
        "SELECT min(until) FROM (SELECT min(until) AS until FROM demands UNION ALL SELECT min(until) FROM retentions "
        "UNION ALL SELECT min(counts_until) FROM demands WHERE counts_until > ?)"
    )
    (moment,) = select(connection, sql, now)[0]
    return None if moment is None else float(moment)


def put_watched(connection: sqlite3.Connection, rating_key: str, user: str, at: float) -> None:
    """Record that a user has finished an item."""
    connection.execute("INSERT OR REPLACE INTO watched VALUES (?, ?, ?)", (rating_key, user, at))


def watched_by(connection: sqlite3.Connection, user: str) -> dict[str, float]:
    """Return what a user is known to have finished, and when last, by rating key."""
    return dict(select(connection, "SELECT rating_key, at FROM watched WHERE user = ?", user))


def get_meta(connection: sqlite3.Connection, key: str) -> str:
    """Return a remembered value, or an empty string."""
    rows = select(connection, "SELECT value FROM meta WHERE key = ?", key)
    return rows[0][0] if rows else ""


def put_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Remember a value under a name."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
