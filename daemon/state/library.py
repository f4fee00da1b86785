"""Rows of the own library by what other services call its movies and shows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.model import DemandKind, ItemType
from daemon.state.demands import get_meta, put_meta
from daemon.state.rows import marks, select

_AT_ONCE = 500
_IDS, _FEED = "ids-of-", "feed-"


@dataclass(frozen=True, slots=True)
class Shelved:
    """A movie or a show of the own library; `guids` in their one form."""

    rating_key: str
    type: ItemType
    section: str
    title: str
    guids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """When a section was last read whole: its `stamp` then, and the latest change that any of its items had."""

    stamp: str
    newest: int


def put(connection: sqlite3.Connection, shelved: Iterable[Shelved]) -> None:
    """Record movies and shows, in place of what was known of them."""
    for one in shelved:
        connection.execute(
            "INSERT INTO library (rating_key, type, section, title) VALUES (?, ?, ?, ?) ON CONFLICT (rating_key) "
            "DO UPDATE SET type = excluded.type, section = excluded.section, title = excluded.title",
            (one.rating_key, one.type, one.section, one.title),
        )
        connection.execute("DELETE FROM guids WHERE rating_key = ?", (one.rating_key,))
        connection.executemany(
            "INSERT OR IGNORE INTO guids (guid, rating_key) VALUES (?, ?)",
            [(guid, one.rating_key) for guid in one.guids],
        )


def drop(connection: sqlite3.Connection, keys: Iterable[str]) -> None:
    """Forget these movies and shows."""
    connection.executemany("DELETE FROM library WHERE rating_key = ?", [(key,) for key in keys])


def knows(connection: sqlite3.Connection, key: str) -> bool:
    """Say whether a movie or show is known."""
    return bool(select(connection, "SELECT 1 FROM library WHERE rating_key = ?", key))


def keys_of_section(connection: sqlite3.Connection, section: str) -> set[str]:
    """Return the rating keys of all that a section holds."""
    return {key for (key,) in select(connection, "SELECT rating_key FROM library WHERE section = ?", section)}


def count_of_section(connection: sqlite3.Connection, section: str) -> int:
    """Return how much a section holds."""
    (found,) = select(connection, "SELECT count(*) FROM library WHERE section = ?", section)[0]
    return int(found)


def keep_sections(connection: sqlite3.Connection, sections: Collection[str]) -> None:
    """Forget everything of all other sections."""
    for (section,) in select(connection, "SELECT DISTINCT section FROM library"):
        if section not in sections:
            connection.execute("DELETE FROM library WHERE section = ?", (section,))
            connection.execute("DELETE FROM meta WHERE key = ?", (_place(section),))


def reading(connection: sqlite3.Connection, section: str) -> Reading | None:
    """Return how a section was when it was last read whole; None: it never was."""
    said = get_meta(connection, _place(section))
    return Reading(**json.loads(said)) if said else None


def put_reading(connection: sqlite3.Connection, section: str, new: Reading) -> None:
    """Record that a section has been read whole."""
    put_meta(connection, _place(section), json.dumps({"stamp": new.stamp, "newest": new.newest}))


def find(connection: sqlite3.Connection, guids: Sequence[str]) -> list[tuple[str, ItemType]]:
    """Return rating key and type of everything that has one of these guids."""
    found: dict[str, ItemType] = {}
    for start in range(0, len(guids), _AT_ONCE):
        asked = guids[start : start + _AT_ONCE]
        sql = f"SELECT rating_key, type FROM library JOIN guids USING (rating_key) WHERE guid IN ({marks(len(asked))})"
        found.update((key, ItemType(kind)) for key, kind in select(connection, sql, *asked))
    return sorted(found.items())


def guids(connection: sqlite3.Connection, key: str) -> list[str]:
    """Return what other services call a movie or show."""
    return [guid for (guid,) in select(connection, "SELECT guid FROM guids WHERE rating_key = ?", key)]


def any_without(connection: sqlite3.Connection, kind: ItemType, prefix: str) -> bool:
    """Say whether something of this type has guids, but none that begins so."""
    sql = (
        "SELECT 1 FROM library AS l WHERE type = ? AND EXISTS (SELECT 1 FROM guids AS g WHERE g.rating_key = "
        "l.rating_key) AND NOT EXISTS (SELECT 1 FROM guids AS g WHERE g.rating_key = l.rating_key AND guid GLOB ?) "
        "LIMIT 1"
    )
    return bool(select(connection, sql, kind, f"{prefix}*"))


def listed_since(connection: sqlite3.Connection, user: str) -> dict[str, float]:
    """Return since when a user's watchlist (empty: the feeds) holds what it demands; shows by their own key."""
    sql = (
        "SELECT iif(show = '', rating_key, show), min(since) FROM demands WHERE kind = ? AND user = ? AND +play = '' "
        "GROUP BY 1"
    )
    return dict(select(connection, sql, DemandKind.WATCHLIST, user))


def ids(connection: sqlite3.Connection, identifier: str) -> tuple[str, ...]:
    """Return what is remembered of how other services call what plex.tv calls so."""
    said = get_meta(connection, f"{_IDS}{identifier}")
    return tuple(json.loads(said)) if said else ()


def put_ids(connection: sqlite3.Connection, identifier: str, found: Sequence[str]) -> None:
    """Remember how other services call what plex.tv calls so: that does not change."""
    put_meta(connection, f"{_IDS}{identifier}", json.dumps(found))


def feed(connection: sqlite3.Connection, name: str) -> list[list[Any]]:
    """Return what is remembered of a feed."""
    said = get_meta(connection, f"{_FEED}{name}")
    return list(json.loads(said)) if said else []


def put_feed(connection: sqlite3.Connection, name: str, entries: Sequence[Sequence[Any]]) -> None:
    """Remember what a feed held, for when it is too long to hold it any more."""
    put_meta(connection, f"{_FEED}{name}", json.dumps(entries))


def keep_feeds(connection: sqlite3.Connection, names: Collection[str]) -> None:
    """Forget all other feeds."""
    for (key,) in select(connection, "SELECT key FROM meta WHERE key GLOB ?", f"{_FEED}*"):
        if key.removeprefix(_FEED) not in names:
            connection.execute("DELETE FROM meta WHERE key = ?", (key,))


def _place(section: str) -> str:
    return f"library-index-of-section-{section}"
