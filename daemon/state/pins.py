"""Rows of what people have pinned: movies, shows, seasons and episodes that stay on the cache."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from daemon.model import Demand, ItemType
from daemon.state.rows import DEMAND, demand, from_db, select

_PIN = "rating_key, type, title, since, guids, season, episode"
_COVERS = (
    "(p.rating_key IN (d.rating_key, d.show) OR (p.type = 'season' AND d.show <> '' "
    "AND (s.rating_key IS NULL OR (s.show = e.show AND s.season = e.season))))"
)
"""Whether the pin `p` is why there is the demand `d`; `s` and `e` are their items.

A season whose item is not known covers every episode: what is not known keeps.
"""
_ITEMS = "LEFT JOIN items AS s ON s.rating_key = p.rating_key LEFT JOIN items AS e ON e.rating_key = d.rating_key"
_PINNED = "d.kind = 'pinned' AND d.user = '' AND d.play = ''"


@dataclass(frozen=True, slots=True)
class Pin:
    """Something that stays on the cache whatever happens, with all that is below it, since then.

    `guids` (in their one form) name the movie, or the show that it is or belongs to; `season` and `episode` say which
    of its it is. By these it is found again where Plex has given it another rating key.
    """

    rating_key: str
    type: ItemType
    title: str
    since: float
    guids: tuple[str, ...] = ()
    season: int = 0
    episode: int = 0


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a pin holds: files and their bytes, and how many of them are on the cache."""

    files: int
    size: int
    cached: int


def put(connection: sqlite3.Connection, new: Pin) -> Pin:
    """Record a pin and return it as it stands now: one that was there keeps its time."""
    _put(connection, new)
    return next(pin for pin in all_pins(connection) if pin.rating_key == new.rating_key)


def remove(connection: sqlite3.Connection, keys: Collection[str]) -> list[str]:
    """Delete the pins under these rating keys; return the titles of those that there were."""
    gone = [
        title for key in keys for (title,) in select(connection, "SELECT title FROM pins WHERE rating_key = ?", key)
    ]
    connection.executemany("DELETE FROM pins WHERE rating_key = ?", [(key,) for key in keys])
    return gone


def all_pins(connection: sqlite3.Connection) -> list[Pin]:
    """Return every pin, the oldest first."""
    rows = select(connection, f"SELECT {_PIN} FROM pins ORDER BY since, rating_key")
    return [
        Pin(key, ItemType(kind), title, since, tuple(json.loads(guids)), season, episode)
        for key, kind, title, since, guids, season, episode in rows
    ]


def replace_all(connection: sqlite3.Connection, new: Iterable[Pin]) -> None:
    """Put pins in place of all there are. Of several with one rating key the first one's time counts."""
    connection.execute("DELETE FROM pins")
    for pin in new:
        _put(connection, pin)


def covering(connection: sqlite3.Connection, rating_key: str) -> list[Pin]:
    """Return the pins because of which a movie or an episode is demanded."""
    sql = (
        f"SELECT p.rating_key FROM pins AS p, demands AS d {_ITEMS} WHERE d.rating_key = ? AND {_PINNED} AND {_COVERS}"
    )
    found = {key for (key,) in select(connection, sql, rating_key)}
    return [pin for pin in all_pins(connection) if pin.rating_key in found]


def uncovered(connection: sqlite3.Connection) -> list[Demand]:
    """Return the demands for which there is no pin any more."""
    sql = (
        f"SELECT {DEMAND} FROM demands AS d WHERE {_PINNED} "
        f"AND NOT EXISTS (SELECT 1 FROM pins AS p {_ITEMS} WHERE {_COVERS})"
    )
    return [demand(row) for row in select(connection, sql)]


def extent(connection: sqlite3.Connection, rating_key: str) -> Extent:
    """Return how much a pin holds, by what Plex said last."""
    sql = (
        "SELECT count(*), ifnull(sum(size), 0), ifnull(sum(cached), 0) FROM (SELECT DISTINCT f.plex_path, f.size, "
        "EXISTS (SELECT 1 FROM entries WHERE entries.plex_path = f.plex_path) AS cached "
        f"FROM pins AS p, demands AS d JOIN item_files AS f ON f.rating_key = d.rating_key {_ITEMS} "
        f"WHERE p.rating_key = ? AND {_PINNED} AND {_COVERS})"
    )
    return Extent(*select(connection, sql, rating_key)[0])


def files(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return path (as Plex sees it) and size of every pinned file, once each."""
    sql = (
        f"SELECT DISTINCT f.plex_path, f.size FROM demands AS d JOIN item_files AS f USING (rating_key) WHERE {_PINNED}"
    )
    return [(from_db(path), size) for path, size in select(connection, sql)]


def known_files(connection: sqlite3.Connection, keys: Collection[str]) -> set[str]:
    """Return the files (as Plex sees them) that these movies and episodes are known to have had."""
    sql = "SELECT plex_path FROM item_files WHERE rating_key = ?"
    return {from_db(path) for key in keys for (path,) in select(connection, sql, key)}


def _put(connection: sqlite3.Connection, new: Pin) -> None:
    connection.execute(
        f"INSERT INTO pins ({_PIN}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rating_key) DO UPDATE SET "
        "type = excluded.type, title = excluded.title, guids = excluded.guids, season = excluded.season, "
        "episode = excluded.episode",
        (new.rating_key, new.type, new.title, new.since, json.dumps(new.guids), new.season, new.episode),
    )
