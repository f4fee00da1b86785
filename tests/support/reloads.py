"""A daemon that was started with a configuration file, and changes to that file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from daemon.app import App
from daemon.clock import Clock
from daemon.config import load
from daemon.demo.library import Library
from tests.support.command_line import config_file
from tests.support.daemon import House, at_home, daemon_running, merged
from tests.support.plex import small_library

_READ = {"configuration reloaded", "configuration read: nothing changed"}


@asynccontextmanager
async def from_file(
    folder: Path, *, clock: Clock | None = None, library: Library | None = None, **settings: Any
) -> AsyncIterator[House]:
    """Have a daemon run that was started with a configuration file."""
    async with at_home(folder, library or small_library(), clock=clock, start=False, **settings) as house:
        path = config_file(folder / "etc", house.settings)
        house.app = App(load(path, {}), {}, clock=house.clock)
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            yield house


async def change(house: House, **settings: Any) -> None:
    """Write changed settings to the file and wait until they are in force."""
    house.settings = merged(house.settings, settings)
    async with house.app.core.feed.subscribe() as notices:
        wanted = load(config_file(house.folder / "etc", house.settings), {}).settings
        async for notice in notices:
            if notice.data.get("text") in _READ and house.app.core.live.settings == wanted:
                return
