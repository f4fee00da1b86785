"""Plex's library through our client, on the simulated server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from daemon.clock import Clock
from daemon.demo.server import DemoServer
from daemon.plex.library import PlexLibrary


@asynccontextmanager
async def connected(plex: DemoServer, **options: Any) -> AsyncIterator[PlexLibrary]:
    settings = {"url": plex.url, "token": plex.token, "clock": Clock(50.0), **options}
    async with PlexLibrary(**settings) as library:
        yield library
