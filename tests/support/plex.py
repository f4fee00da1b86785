"""The other ends of the simulated Plex server: somebody who listens, and somebody who gets its webhooks."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from daemon.clock import Clock
from daemon.demo.generate import Shape, generate
from daemon.demo.library import Library
from daemon.demo.people import Person
from daemon.demo.server import DemoServer

WEBSOCKET = "/:/websockets/notifications"


def small_library(**shape: Any) -> Library:
    """Return a library with plain names, small enough to look at."""
    return generate(Shape(awkward=False, **{"movies": 3, "shows": 2, "seasons": 2, "episodes": 4, **shape}))


class Ear:
    """A websocket that hears notifications."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def frame(self) -> Any:
        """Return the next message as data."""
        return json.loads(await self.socket.receive_str())

    async def entry(self, kind: str = "playing") -> dict[str, Any]:
        """Return the first entry of the next message of this kind; others are skipped."""
        while True:
            inner = (await self.frame())["NotificationContainer"]
            if inner["type"] == kind:
                (entry,) = next(value for value in inner.values() if isinstance(value, list))
                return dict(entry)


@asynccontextmanager
async def listening(
    plex: DemoServer, person: Person | None = None, query: str = "", path: str = WEBSOCKET
) -> AsyncIterator[Ear]:
    """Listen on the server's websocket until the end of the block."""
    headers = {"X-Plex-Token": (person or plex.people.owner).token}
    before = len(plex.frames.listeners)
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{plex.url}{path}{query}", headers=headers) as socket,
    ):
        await plex.frames.wait_for_listeners(before + 1)
        yield Ear(socket)


class Mailbox:
    """A web server that keeps the webhooks it gets."""

    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []
        self.requests: list[tuple[str, bytes]] = []
        """Content type and body of each."""
        self.url = ""

    @property
    def events(self) -> list[str]:
        return [payload["event"] for payload in self.payloads]

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((request.content_type, body))
        if request.content_type == "application/json":
            self.payloads.append(json.loads(body))
        elif request.content_type == "multipart/form-data":
            head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
            for part in message_from_bytes(head + body).walk():
                if part.get_param("name", header="Content-Disposition") == "payload":
                    data = part.get_payload(decode=True)
                    assert isinstance(data, bytes)
                    self.payloads.append(json.loads(data))
        return web.Response()


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """Receive webhooks until the end of the block."""
    box = Mailbox()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/hook", box._receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        box.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield box
    finally:
        await runner.cleanup()


def without_media(answer: bytes, key: str) -> bytes:
    """Return an answer in which this item has no ``Media``, as while its file is being replaced."""
    return re.sub(rb'(<Video [^>]*ratingKey="%s".*?)<Media.*?</Media>' % key.encode(), rb"\1", answer, flags=re.DOTALL)


async def get_json(plex: DemoServer, path: str, person: Person | None = None) -> Any:
    """Return the ``MediaContainer`` of a page as this person sees it."""
    headers = {"X-Plex-Token": (person or plex.people.owner).token, "Accept": "application/json"}
    async with aiohttp.ClientSession() as client, client.get(plex.url + path, headers=headers) as answer:
        answer.raise_for_status()
        return (await answer.json())["MediaContainer"]


async def sessions(plex: DemoServer) -> list[dict[str, Any]]:
    return list((await get_json(plex, "/status/sessions")).get("Metadata", []))


async def own(plex: DemoServer, key: str, who: str = "Ben") -> dict[str, Any]:
    """Return what one user's view of an item holds."""
    (item,) = (await get_json(plex, f"/library/metadata/{key}", plex.people[who]))["Metadata"]
    return {name: item[name] for name in ("viewCount", "viewOffset") if name in item}


async def get(client: aiohttp.ClientSession, path: str = "/", **headers: str) -> tuple[int, str]:
    async with client.get(path, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


@pytest.fixture
async def plex_server() -> AsyncIterator[DemoServer]:
    async with DemoServer(small_library()) as server:
        yield server


@pytest.fixture
async def fast_plex_server() -> AsyncIterator[DemoServer]:
    async with DemoServer(small_library(), clock=Clock(1000)) as server:
        yield server


@pytest.fixture
async def box(plex: DemoServer) -> AsyncIterator[Mailbox]:
    async with mailbox() as received:
        plex.webhooks.add(received.url)
        yield received


@pytest.fixture
async def client(plex: DemoServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(plex.url, headers={"X-Plex-Token": plex.token}) as session:
        yield session
