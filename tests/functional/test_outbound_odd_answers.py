"""Answers from outside that no sane service sends: each is an error that the sources know, or does no harm."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from daemon.clock import Clock
from daemon.errors import RemoteBusy, RemoteUnavailable
from daemon.outbound import Outbound
from daemon.plex.rss import FeedReader

ODD_ZONE = "Mon, 01 Jan 2024 00:00:00 +99999999999999999999"


@asynccontextmanager
async def answering(status: int, body: bytes, headers: Mapping[str, str]) -> AsyncIterator[tuple[Outbound, str]]:
    """Run a service that always answers so, and a client; yield the client and the address."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server, Outbound(Clock()) as outbound:
        yield outbound, str(server.make_url("/"))


async def test_an_encoding_that_nobody_knows_is_an_answer_that_cannot_be_read() -> None:
    async with answering(200, b"<a/>", {"Content-Type": "text/xml; charset=bogus"}) as (outbound, url):
        with pytest.raises(RemoteUnavailable, match="encoding"):
            await outbound.ask(url)


@pytest.mark.parametrize("after", [ODD_ZONE, "²", "soon", "9" * 500])
async def test_whatever_a_service_asks_patience_for_is_patience(after: str) -> None:
    async with answering(429, b"", {"Retry-After": after}) as (outbound, url):
        with pytest.raises((RemoteBusy, RemoteUnavailable)):
            await outbound.ask(url)


async def test_an_entry_with_an_impossible_moment_is_one_without() -> None:
    item = f"<item><title>One</title><category>movie</category><pubDate>{ODD_ZONE}</pubDate></item>"
    feed = f"<rss><channel>{item}</channel></rss>".encode()
    async with answering(200, feed, {"Content-Type": "text/xml"}) as (outbound, url):
        (entry,) = await FeedReader(outbound).read(url)
        assert (entry.title, entry.at) == ("One", 0.0)
