"""The durable queue: at most one waiting and one running row per file."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from daemon.model import File, Task, TaskKind, TaskState
from daemon.state.rows import TASK, from_db, marks, select, task, to_db

_KEEP_FINISHED = 2_000
"""Finished rows beyond so many are forgotten, oldest first."""
_ORDER = "urgent DESC, priority DESC, id"
_QUEUED_AT = "max(created_at, not_before)"
"""Since when a task that is not urgent waits for the array: a failure puts it off anew."""


class Merge(Enum):
    """What becomes of a new task, given what waits and runs for the same file."""

    ADD = "add"
    RAISE = "raise the waiting one's priority"
    REPLACE = "cancel the waiting one, then add"
    DROP = "the running one already does it"
    CANCEL_WAITING = "cancel the waiting one, the running one already does it"


def merge(new: TaskKind, waiting: TaskKind | None, running: TaskKind | None) -> Merge:
    """Decide how a new task meets the waiting and the running task of its file. Pure."""
    if waiting is new:
        return Merge.RAISE
    if running is new:
        return Merge.DROP if waiting is None else Merge.CANCEL_WAITING
    return Merge.ADD if waiting is None else Merge.REPLACE


@dataclass(frozen=True, slots=True)
class NewTask:
    """What is asked of the queue. `priority`: higher is claimed first, and what is urgent before all that is not.

    What is not `urgent` waits for a moment when the array is awake; what is `forced` is urgent in any case.
    """

    kind: TaskKind
    file: File
    priority: int
    why: str
    forced: bool = False
    urgent: bool = True


def put(connection: sqlite3.Connection, new: NewTask, now: float) -> int:
    """Bring a task onto the queue and return the id of the row that now stands for it."""
    key = to_db(new.file.array_path)
    waiting = _one(connection, key, TaskState.QUEUED)
    running = _one(connection, key, TaskState.RUNNING)
    decision = merge(new.kind, waiting.kind if waiting else None, running.kind if running else None)
    if decision is Merge.RAISE and waiting:
        connection.execute(
            "UPDATE tasks SET priority = ?, why = ?, urgent = max(?, forced, ?), forced = max(forced, ?), "
            "not_before = iif(?, 0, not_before) WHERE id = ?",
            (new.priority, new.why, new.urgent, new.forced, new.forced, new.forced, waiting.id),
        )
        return waiting.id
    if waiting:
        finish(connection, waiting.id, TaskState.CANCELLED, now, error=f"replaced by {new.kind}")
    if running and decision in {Merge.DROP, Merge.CANCEL_WAITING}:
        return running.id
    return _insert(connection, new, now)


def _insert(connection: sqlite3.Connection, new: NewTask, now: float) -> int:
    file = new.file
    cursor = connection.execute(
        "INSERT INTO tasks (kind, state, array_path, plex_path, cache_path, mapping, size, priority, why, forced, "
        "urgent, bytes_total, created_at) VALUES (?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new.kind,
            to_db(file.array_path),
            to_db(file.plex_path),
            to_db(file.cache_path),
            file.mapping,
            file.size,
            new.priority,
            new.why,
            new.forced,
            new.urgent or new.forced,
            file.size,
            now,
        ),
    )
    assert cursor.lastrowid is not None, "an INSERT always has a row id"
    return cursor.lastrowid


def claim(
    connection: sqlite3.Connection,
    kind: TaskKind,
    now: float,
    *,
    held: Collection[str] = (),
    ripe: float = math.inf,
    along: Mapping[str, float] = MappingProxyType({}),
) -> Task | None:
    """Take the first waiting task of a kind, leaving out mappings that are held. A file that is busy waits.

    One that is not urgent is taken if it was queued, or put off, until `ripe`; or if it goes `along` with the array of
    its mapping, which is awake since a moment for which the task is not put off: what failed is not tried again and
    again on disks that only its own tries keep awake.
    """
    goes = " OR ".join(["(mapping = ? AND not_before <= ?)"] * len(along)) or "FALSE"
    sql = (
        f"SELECT {TASK} FROM tasks AS t WHERE state = 'queued' AND kind = ? AND not_before <= ? "
        f"AND (urgent OR {_QUEUED_AT} <= ? OR {goes}) AND mapping NOT IN ({marks(len(held))}) AND NOT EXISTS "
        "(SELECT 1 FROM tasks AS r WHERE r.state = 'running' AND r.array_path = t.array_path) "
        f"ORDER BY {_ORDER} LIMIT 1"
    )
    since = [value for pair in along.items() for value in pair]
    rows = select(connection, sql, kind, now, ripe, *since, *held)
    if not rows:
        return None
    found = task(rows[0])
    connection.execute(
        "UPDATE tasks SET state = 'running', started_at = ?, attempts = attempts + 1, bytes_done = 0, error = '' "
        "WHERE id = ?",
        (now, found.id),
    )
    return get(connection, found.id)


def finish(
    connection: sqlite3.Connection,
    task_id: int,
    state: TaskState,
    now: float,
    *,
    error: str = "",
    again_after: float = 0.0,
) -> None:
    """Record how a task ended. After a failure the planner leaves the file alone until `again_after`."""
    connection.execute(
        "UPDATE tasks SET state = ?, finished_at = ?, error = ?, not_before = ?, "
        "bytes_done = iif(? = 'succeeded', bytes_total, bytes_done) WHERE id = ?",
        (state, now, error, again_after, state, task_id),
    )
    connection.execute(
        "DELETE FROM tasks WHERE id IN (SELECT id FROM tasks WHERE finished_at IS NOT NULL "
        "ORDER BY finished_at DESC LIMIT -1 OFFSET ?)",
        (_KEEP_FINISHED,),
    )


def arriving(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the size of each file that is being brought in, by array path; what has its entry already is left out."""
    sql = (
        "SELECT array_path, size FROM tasks AS t WHERE state = 'running' AND kind = 'cache_in' "
        "AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.array_path = t.array_path)"
    )
    return {from_db(path): size for path, size in select(connection, sql)}


def waits(connection: sqlite3.Connection, array_path: str) -> bool:
    """Say whether a task waits for a file."""
    sql = "SELECT 1 FROM tasks WHERE array_path = ? AND state = 'queued'"
    return bool(select(connection, sql, to_db(array_path)))


def put_back(
    connection: sqlite3.Connection, task_id: int, now: float, *, error: str, spent: bool, not_before: float = 0.0
) -> None:
    """Return a running task to the queue; `spent` says whether the attempt counts.

    If another task for the same file waits meanwhile, that one stands and this one ends as cancelled.
    """
    found = get(connection, task_id)
    if found is None or found.state is not TaskState.RUNNING:
        return
    if _one(connection, to_db(found.file.array_path), TaskState.QUEUED):
        finish(connection, task_id, TaskState.CANCELLED, now, error=error or "replaced")
        return
    connection.execute(
        "UPDATE tasks SET state = 'queued', not_before = ?, error = ?, attempts = attempts - ?, "
        "started_at = NULL, bytes_done = 0 WHERE id = ?",
        (not_before, error, 0 if spent else 1, task_id),
    )


def requeue_running(connection: sqlite3.Connection, now: float) -> list[Task]:
    """Put back what a killed process left running. Done once at start, before any worker."""
    left = in_state(connection, TaskState.RUNNING)
    for one in left:
        put_back(connection, one.id, now, error="interrupted", spent=False)
    return left


def get(connection: sqlite3.Connection, task_id: int) -> Task | None:
    """Return one task."""
    rows = select(connection, f"SELECT {TASK} FROM tasks WHERE id = ?", task_id)
    return task(rows[0]) if rows else None


def in_state(connection: sqlite3.Connection, *states: TaskState) -> list[Task]:
    """Return the tasks in these states, in the order of the queue."""
    sql = f"SELECT {TASK} FROM tasks WHERE state IN ({marks(len(states))}) ORDER BY {_ORDER}"
    return [task(row) for row in select(connection, sql, *states)]


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many tasks are in each state."""
    return dict(select(connection, "SELECT state, count(*) FROM tasks GROUP BY state"))


def next_wait(connection: sqlite3.Connection, now: float) -> float | None:
    """Return when the next waiting task that is put off may be claimed."""
    sql = "SELECT min(not_before) FROM tasks WHERE state = 'queued' AND not_before > ?"
    (moment,) = select(connection, sql, now)[0]
    return None if moment is None else float(moment)


def next_ripe(connection: sqlite3.Connection, kind: TaskKind, ripe: float) -> float | None:
    """Return since when the first of the tasks waits that are not urgent and not `ripe` yet."""
    sql = f"SELECT min({_QUEUED_AT}) FROM tasks WHERE state = 'queued' AND kind = ? AND NOT urgent AND {_QUEUED_AT} > ?"
    (moment,) = select(connection, sql, kind, ripe)[0]
    return None if moment is None else float(moment)


def next_rested(connection: sqlite3.Connection, now: float) -> float | None:
    """Return when the next failed file may be tried again."""
    sql = "SELECT min(not_before) FROM tasks WHERE state = 'failed' AND not_before > ?"
    (moment,) = select(connection, sql, now)[0]
    return None if moment is None else float(moment)


def take_back_waiting(connection: sqlite3.Connection, array_path: str, now: float) -> list[int]:
    """Cancel the waiting cache-in of a file; return its id and that of the running one, which the caller ends."""
    key = to_db(array_path)
    found = [_one(connection, key, state) for state in (TaskState.QUEUED, TaskState.RUNNING)]
    ids = [one.id for one in found if one and one.kind is TaskKind.CACHE_IN]
    waiting = found[0]
    if waiting and waiting.id in ids:
        finish(connection, waiting.id, TaskState.CANCELLED, now, error="taken back by hand")
    return ids


def failed_until(connection: sqlite3.Connection, now: float) -> set[str]:
    """Return the array paths whose last task failed and that are to be left alone for now."""
    sql = "SELECT array_path FROM tasks WHERE state = 'failed' AND not_before > ?"
    return {from_db(path) for (path,) in select(connection, sql, now)}


def forgive(connection: sqlite3.Connection, plex_paths: Iterable[str]) -> None:
    """Let failed files be tried again at once."""
    connection.executemany(
        "UPDATE tasks SET not_before = 0 WHERE state = 'failed' AND plex_path = ?",
        [(to_db(path),) for path in plex_paths],
    )


def _one(connection: sqlite3.Connection, key: str | bytes, state: TaskState) -> Task | None:
    rows = select(connection, f"SELECT {TASK} FROM tasks WHERE array_path = ? AND state = ?", key, state)
    return task(rows[0]) if rows else None
