"""How model types become rows and come back."""

from __future__ import annotations

import os
import sqlite3
from sys import intern
from typing import Any

from daemon.model import Demand, DemandKind, Entry, File, Play, PlayState, Task, TaskKind, TaskState, User


def to_db(path: str) -> str | bytes:
    """Return `path` as SQLite can hold it: names that are not valid Unicode become blobs."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def from_db(value: str | bytes) -> str:
    """Return the path that `to_db` stored."""
    return value if isinstance(value, str) else os.fsdecode(value)


def select(connection: sqlite3.Connection, sql: str, *values: object) -> list[Any]:
    """Return all rows of a query."""
    return connection.execute(sql, values).fetchall()


def marks(count: int) -> str:
    """Return so many question marks for an ``IN (…)``."""
    return ",".join("?" * count)


DEMAND = "rating_key, kind, user, since, until, position, show, play"


def demand(row: tuple[Any, ...]) -> Demand:
    """Build a demand from the columns `DEMAND`."""
    return Demand(row[0], DemandKind(row[1]), *row[2:])


ENTRY = (
    "plex_path, array_path, cache_path, mapping, size, mtime_ns, cached_at, last_played_at, checksum, parent, "
    "placement, waived, copy_mtime_ns, link"
)
ENTRY_MARKS = ",".join("?" * len(ENTRY.split(",")))


def entry_values(new: Entry) -> tuple[object, ...]:
    """Return the columns `ENTRY` of an entry."""
    return (
        to_db(new.file.plex_path),
        to_db(new.file.array_path),
        to_db(new.file.cache_path),
        new.file.mapping,
        new.file.size,
        new.mtime_ns,
        new.cached_at,
        new.last_played_at,
        new.checksum,
        to_db(new.parent),
        new.placement,
        new.waived,
        new.copy_mtime_ns,
        to_db(new.link),
    )


def entry(row: tuple[Any, ...]) -> Entry:
    """Build an entry from the columns `ENTRY`."""
    # Ten thousand entries share a few names of mappings and of placements.
    mapping, placement = intern(row[3]), intern(row[10])
    file = File(from_db(row[0]), from_db(row[1]), from_db(row[2]), mapping, row[4])
    return Entry(
        file, row[5], row[6], row[7], row[8], from_db(row[9]), placement, bool(row[11]), row[12], from_db(row[13])
    )


PLAY = (
    "id, session_key, rating_key, user, user_title, client, player, state, started_at, last_seen, view_offset, "
    "duration, confirmed, watched"
)


def play(row: tuple[Any, ...]) -> Play:
    """Build a play from the columns `PLAY`."""
    return Play(
        id=row[0],
        session_key=row[1],
        rating_key=row[2],
        user=User(row[3], row[4]),
        client=row[5],
        player=row[6],
        state=PlayState(row[7]),
        started_at=row[8],
        last_seen=row[9],
        view_offset=row[10],
        duration=row[11],
        confirmed=bool(row[12]),
        watched=bool(row[13]),
    )


TASK = (
    "id, kind, plex_path, array_path, cache_path, mapping, size, state, priority, why, created_at, attempts, "
    "not_before, error, bytes_done, bytes_total, started_at, finished_at, forced, urgent"
)


def task(row: tuple[Any, ...]) -> Task:
    """Build a task from the columns `TASK`."""
    return Task(
        id=row[0],
        kind=TaskKind(row[1]),
        file=File(from_db(row[2]), from_db(row[3]), from_db(row[4]), row[5], row[6]),
        state=TaskState(row[7]),
        priority=row[8],
        why=row[9],
        created_at=row[10],
        attempts=row[11],
        not_before=row[12],
        error=row[13],
        bytes_done=row[14],
        bytes_total=row[15],
        started_at=row[16],
        finished_at=row[17],
        forced=bool(row[18]),
        urgent=bool(row[19]),
    )
