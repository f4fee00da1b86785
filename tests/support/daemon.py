"""The real daemon against the simulated Plex server, on real folders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from daemon.app import App
from daemon.clock import Clock
from daemon.config import Loaded, Settings, build
from daemon.demo.files import all_files, intact, local_path, write
from daemon.demo.library import Library
from daemon.demo.server import USERS, DemoServer
from daemon.model import Entry, Task, TaskState
from daemon.state import ledger, plays, tasks
from daemon.state.store import Connection

PATIENCE = 60.0
"""Seconds after which something that was waited for counts as never happening."""
_NOW_AND_THEN = 0.25
"""Seconds after which to look again, for what the feed says nothing of."""


def merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with the tables of `more` laid over it, table by table."""
    result = dict(base)
    for key, value in more.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


class Server(Protocol):
    """A simulated Plex, in this process or in another."""

    @property
    def url(self) -> str: ...
    @property
    def token(self) -> str: ...


def configuration(library: Library, plex: Server, folder: Path) -> dict[str, Any]:
    """Return a configuration that maps each section onto two folders below `folder`."""
    mappings = []
    for section in library.sections.values():
        array = local_path(library, folder / "array", section.root)
        cache = local_path(library, folder / "cache", section.root)
        array.mkdir(parents=True, exist_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        mappings.append({"name": section.title, "plex": section.root, "array": str(array), "cache": str(cache)})
    services = ("tv_url", "clients_url", "discover_url", "metadata_url", "community_url")
    return {
        "plex": {"url": plex.url, "token": plex.token, **dict.fromkeys(services, plex.url)},
        "mapping": mappings,
        # Most tests are about plays alone.
        "on_deck": {"enabled": False},
        "watchlist": {"enabled": False},
        # Nor do most wait for an array to be awake: their clocks are fast, or their folders on one disk.
        "schedule": {"spin_down": "0"},
        "space": {"limit": "100%", "evict_to": "100%", "min_free": "0"},
        "state": {"directory": str(folder / "state")},
        "web": {"listen": "127.0.0.1:0"},
        "log": {"level": "warning", "format": "json"},
    }


@dataclass
class House:
    """A household's Plex, storage and daemon."""

    library: Library
    plex: DemoServer
    folder: Path
    clock: Clock
    settings: dict[str, Any]
    app: App

    def array(self, key: str) -> list[Path]:
        """Return where an item's files lie on the array."""
        return [local_path(self.library, self.folder / "array", part.file) for part in self.library[key].parts]

    def cache(self, key: str) -> list[Path]:
        """Return where an item's files lie on the cache, if they are there."""
        return [local_path(self.library, self.folder / "cache", part.file) for part in self.library[key].parts]

    def is_cached(self, *keys: str) -> bool:
        """Say whether all files of all these items are on the cache."""
        return all(path.exists() for key in keys for path in self.cache(key))

    def damaged(self) -> list[Path]:
        """Return every file of either tier that is not whole and right; an original that is missing counts."""
        found = []
        for plex_path, size in all_files(self.library):
            original = local_path(self.library, self.folder / "array", plex_path)
            copy = local_path(self.library, self.folder / "cache", plex_path)
            found += [
                path
                for path in (original, copy)
                if path == original or copy.exists()
                if not (path.exists() and intact(self.library, plex_path, size, path))
            ]
        return found

    def set(self, **settings: Any) -> None:
        """Lay changes over the settings, for the next reload or start."""
        self.settings = merged(self.settings, settings)

    def build(self) -> Settings:
        """Return the settings as they would be loaded now."""
        return build(self.settings)

    async def entries(self) -> list[Entry]:
        """Return the ledger."""
        return await self.app.core.store.run(ledger.all_entries)

    async def tasks(self, *states: TaskState) -> list[Task]:
        """Return the tasks in these states (none: in any)."""
        return await self.app.core.store.run(lambda c: tasks.in_state(c, *(states or tuple(TaskState))))

    async def until(self, holds: Callable[[], bool | Awaitable[bool]]) -> None:
        """Wait until something holds; look whenever the daemon says that anything happened, and now and then."""
        async with asyncio.timeout(PATIENCE), self.app.core.feed.subscribe() as notices:
            while True:
                answer = holds()
                if answer if isinstance(answer, bool) else await answer:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(anext(notices), _NOW_AND_THEN)

    async def quiet(self) -> None:
        """Wait until all that is known of plays is recorded, with what follows from it, and no task waits or runs."""

        def read(connection: Connection) -> tuple[list[Task], set[str]]:
            busy = tasks.in_state(connection, TaskState.QUEUED, TaskState.RUNNING)
            return busy, {play.id for play in plays.open_plays(connection)}

        async def idle() -> bool:
            busy, recorded = await self.app.core.store.run(read)
            return not busy and recorded == {play.id for play in self.app.core.listener.plays()}

        await self.until(idle)

    async def get(self, path: str) -> Any:
        """Return the JSON that the daemon's HTTP server answers."""
        async with aiohttp.ClientSession() as client, client.get(self.app.url + path) as answer:
            return await answer.json()

    async def post(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Post JSON to the daemon's HTTP server; return status and answer."""
        headers = {"Origin": self.app.url}
        async with (
            aiohttp.ClientSession() as client,
            client.post(self.app.url + path, json=body or {}, headers=headers) as answer,
        ):
            return answer.status, await answer.json()


@asynccontextmanager
async def daemon_running(house: House) -> AsyncIterator[App]:
    """Run the daemon for the length of the block."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(house.app.run(), name="daemon")
        ready = group.create_task(house.app.ready.wait(), name="ready")
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        try:
            yield house.app
        finally:
            house.app.stop.set()


def new_app(house: House, **more: Any) -> App:
    """Return a daemon on this house's folders and settings, as after a restart."""
    loaded = Loaded(build(house.settings), None, (), {})
    house.app = App(loaded, {}, clock=house.clock, **more)
    return house.app


@asynccontextmanager
async def at_home(
    folder: Path,
    library: Library,
    *,
    clock: Clock | None = None,
    start: bool = True,
    titles: Sequence[str] = USERS,
    **settings: Any,
) -> AsyncIterator[House]:
    """Write the library's files, start the simulated Plex and (unless told otherwise) the daemon."""
    clock = clock or Clock()
    await asyncio.to_thread(write, library, folder / "array")
    async with DemoServer(library, clock=clock, users=titles) as plex:
        whole = merged(configuration(library, plex, folder), settings)
        house = House(library, plex, folder, clock, whole, app=None)  # type: ignore[arg-type]  # set in the next line
        new_app(house)
        if not start:
            yield house
            return
        async with daemon_running(house):
            await plex.frames.wait_for_listeners()
            yield house
