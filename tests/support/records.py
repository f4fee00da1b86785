"""Tells when the daemon has recorded what its sources said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from daemon.app import App
from daemon.readers import Key
from tests.support.daemon_process import DaemonProcess


class Records:
    """Refreshes, each counted once its transaction is committed."""

    def __init__(self) -> None:
        self._committed = asyncio.Semaphore(0)

    def note(self) -> None:
        self._committed.release()

    async def one(self) -> None:
        """Wait for the next one that nobody has waited for."""
        await self._committed.acquire()


@contextmanager
def recording(app: App) -> Iterator[Records]:
    """Watch the refresher for the length of the block; what takes long is recorded after the rest."""
    records, refresher = Records(), app.core.sourcing.refresher
    read_all = refresher._read_all

    async def read(*args: Any) -> set[Key]:
        asked = await read_all(*args)
        records.note()
        return asked

    with patch.object(refresher, "_read_all", new=read):
        yield records


def everything(trakt: str) -> dict[str, Any]:
    """Return settings with every source switched on."""
    return {
        "on_deck": {"enabled": True},
        "watchlist": {"enabled": True},
        "recent": {"enabled": True, "watched_shows_only": False},
        "trending": {"enabled": True, "url": trakt, "client_id": "demo-client", "movies": 20},
        "users": {"inactive_after": "90d"},
        "transfer": {"to_cache": 4},
    }


async def reading(daemon: DaemonProcess, since: str = "") -> str:
    """Wait until a daemon in another process has recorded a refresh after this moment; return its moment."""
    while (at := _read_at(await daemon.get("/api/v1/users?limit=1000"))) <= since:  # noqa: ASYNC110 - nothing tells it
        await asyncio.sleep(0.1)
    return at


def _read_at(users: dict[str, Any]) -> str:
    """Return when all sources have been read last: those that take long are recorded after the others."""
    sources = [one for row in users["items"] for one in row["sources"] if one["on"]]
    return min((one["read_at"] or "" for one in sources), default="")
