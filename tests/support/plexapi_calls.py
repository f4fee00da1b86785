"""plexapi, unpatched, in a thread: what tests ask a server by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import requests
from plexapi.myplex import MyPlexAccount
from plexapi.playqueue import PlayQueue
from plexapi.server import PlexServer

from daemon.demo.server import DemoServer

T = TypeVar("T")

# plexapi carries some annotations, but not enough for strict checking.
connect: Callable[..., Any] = PlexServer
sign_in: Callable[..., Any] = MyPlexAccount
queue_of: Callable[..., Any] = PlayQueue.get


async def ask(plex: DemoServer, what: Callable[[Any], T], who: str = "Ann") -> T:
    """Run some plexapi calls as one of the users."""

    def run() -> T:
        with requests.Session() as session:
            return what(connect(plex.url, plex.people[who].token, session=session))

    return await asyncio.to_thread(run)


class Redirected(requests.Session):
    """Sends what is meant for plex.tv to the simulated server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.base = url

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **more: Any) -> requests.Response:
        return super().request(method, str(url).replace("https://plex.tv", self.base), *args, **more)
