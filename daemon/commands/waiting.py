"""Waits until tasks have ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from daemon.client import Client, DaemonUnreachable
from daemon.feed import RESYNC
from daemon.model import TaskState

Row = dict[str, Any]

_OPEN = {TaskState.QUEUED, TaskState.RUNNING}


async def follow(client: Client, ask: Callable[[], Awaitable[list[int]]], show: Callable[[Row], None]) -> list[Row]:
    """Ask for tasks and return their rows once all have ended; `show` is given each row as it changes.

    Listening begins before asking, so that no task can end unseen.
    """
    async with client.events() as events:
        ids = await ask()
        rows = await _read(client, ids, show)
        if not _any_open(rows):
            return list(rows.values())
        async for kind, data in events:
            task_id = data.get("id")
            if kind == "progress" and task_id in rows:
                rows[task_id] |= data
                show(rows[task_id])
            elif kind == RESYNC or (kind == "task" and task_id in rows):
                rows = await _read(client, ids, show)
                if not _any_open(rows):
                    return list(rows.values())
    raise DaemonUnreachable("the daemon ended before the tasks did; they go on when it runs again")


async def _read(client: Client, ids: list[int], show: Callable[[Row], None]) -> dict[int, Row]:
    if not ids:
        return {}
    listing = await client.get("tasks", {"sort": "-id", "limit": "1000"})
    rows = {row["id"]: row for row in listing["items"] if row["id"] in ids}
    for row in rows.values():
        show(row)
    return rows


def _any_open(rows: dict[int, Row]) -> bool:
    return any(row["state"] in _OPEN for row in rows.values())
