"""What the rooms are built on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from daemon.clock import Clock
from daemon.config import Loaded
from daemon.model import Play
from daemon.sdnotify import Notifier
from daemon.state import demands, plays
from daemon.state.store import Connection, Store

HISTORY_MARK = "history_since"
SERVER = "machine_identifier"


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the rows know about the time before this process."""

    plays: list[Play]
    paused: bool
    history_since: float | None
    machine_identifier: str

    @classmethod
    def read(cls, connection: Connection) -> Self:
        """Read it."""
        since = demands.get_meta(connection, HISTORY_MARK)
        paused = bool(demands.get_meta(connection, "paused"))
        server = demands.get_meta(connection, SERVER)
        return cls(plays.open_plays(connection), paused, float(since) if since else None, server)


@dataclass(frozen=True, slots=True)
class Given:
    """What the rooms are built on."""

    loaded: Loaded
    env: Mapping[str, str]
    store: Store
    clock: Clock
    notifier: Notifier
    executor: ThreadPoolExecutor
    directory: Path
    reload_wanted: asyncio.Event
    remembered: Remembered
    dry_run: bool
