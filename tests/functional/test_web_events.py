from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse

from daemon.web.server import WebServer
from tests.support.web import Site, serving


@asynccontextmanager
async def _listening(site: Site, **headers: str) -> AsyncIterator[ClientResponse]:
    async with site.http.get("/api/v1/events", headers=headers) as response:
        assert response.content_type == "text/event-stream"
        assert await response.content.readline() == b"retry: 3000\n"
        assert await response.content.readline() == b"\n"
        yield response


async def _frame(response: ClientResponse) -> tuple[str, Any]:
    lines = (await response.content.readuntil(b"\n\n")).decode().splitlines()
    fields = dict(line.split(": ", 1) for line in lines if line)
    return fields["event"], json.loads(fields["data"])


async def test_what_is_published_arrives_in_order() -> None:
    async with serving() as site, _listening(site) as response:
        site.feed.publish("task", {"id": 1, "file": "two\nlines – ü \udce9"})
        site.feed.publish("progress", {"id": 1, "bytes_done": 5})
        assert await _frame(response) == ("task", {"id": 1, "file": "two\nlines – ü \udce9"})
        assert await _frame(response) == ("progress", {"id": 1, "bytes_done": 5})


async def test_a_reader_that_was_away_is_told_to_read_again() -> None:
    async with serving() as site, _listening(site, **{"Last-Event-ID": "17"}) as response:
        assert await _frame(response) == ("resync", {})


async def test_a_silent_stream_is_kept_alive_and_loses_nothing() -> None:
    async with serving(keep_alive=0.01) as site, _listening(site) as response:
        assert await response.content.readuntil(b"\n\n") == b": still here\n\n"
        site.feed.publish("task", {"id": 1})
        while (line := await response.content.readline()).startswith((b":", b"\n")):
            pass
        assert line == b"id: 1\n"


async def test_a_slow_reader_gets_a_resync_and_nobody_waits_for_it() -> None:
    loop = asyncio.get_running_loop()
    async with serving(feed_size=8) as site, _listening(site) as quick:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 << 10)
            slow.setblocking(False)
            await loop.sock_connect(slow, ("127.0.0.1", int(site.url.rsplit(":", 1)[1])))
            await loop.sock_sendall(slow, b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            heard = b""
            while b"retry" not in heard:
                heard += await loop.sock_recv(slow, 10_000)
            for number in range(200):
                site.feed.publish("notice", {"text": "x" * 60_000, "id": number})
                kind, data = await _frame(quick)
                assert (kind, data["id"]) == ("notice", number)
            while b"event: resync" not in heard:
                heard = heard[-100:] + await loop.sock_recv(slow, 1 << 20)


async def test_a_reader_that_goes_is_forgotten() -> None:
    async with serving(keep_alive=0.01) as site:
        async with _listening(site):
            assert site.feed.readers == 1
        while site.feed.readers:
            site.feed.publish("task", {"id": 1})
            await asyncio.sleep(0.001)


async def test_streams_end_when_the_server_stops() -> None:
    async with serving() as site:
        server = WebServer(site.context)
        async with server, site.http.get(f"{server.url}/api/v1/events") as response:
            assert await response.content.readuntil(b"\n\n") == b"retry: 3000\n\n"
            await server.__aexit__(None, None, None)
            assert await response.content.read() == b""
        assert site.feed.readers == 0


async def test_there_is_a_bound_on_readers_at_one_time() -> None:
    async with serving(keep_alive=0.01) as site:
        streams = [await site.http.get("/api/v1/events") for _ in range(64)]
        async with site.http.get("/api/v1/events") as response:
            assert response.status == 503
            assert (await response.json())["error"]["code"] == "too_many_readers"
        for stream in streams:
            stream.close()
        while site.feed.readers:
            site.feed.publish("task", {"id": 1})
            await asyncio.sleep(0.001)
        async with _listening(site):
            pass
