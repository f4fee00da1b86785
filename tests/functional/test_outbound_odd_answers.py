"""Answers from outside that no sane service sends: each is an error that the sources know, or does no harm."""

from __future__ import annotations

import asyncio
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


@asynccontextmanager
async def half_silent() -> AsyncIterator[tuple[Outbound, str, list[str], asyncio.Event]]:
    """Run a service of which one page never answers; yield an impatient client, the address, and what is asked.

    The event is set once anything is.
    """
    asked: list[str] = []
    begun, end = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        begun.set()
        if request.path == "/never":
            await end.wait()
        return web.Response(text="{}")

    app = web.Application()
    app.router.add_get("/{page}", answer)
    async with TestServer(app) as server, Outbound(Clock(), patience=0.5) as outbound:
        yield outbound, str(server.make_url("/")), asked, begun
        end.set()


async def test_a_service_that_does_not_answer_keeps_nobody_else_waiting() -> None:
    async with half_silent() as (outbound, url, asked, _):
        for page in ("never", "never", "fine"):
            with pytest.raises(RemoteUnavailable, match="does not answer in time"):
                await outbound.ask(url + page)
        assert asked == ["/never"]


async def test_one_page_that_does_not_answer_is_not_the_whole_service() -> None:
    async with half_silent() as (outbound, url, _, begun):
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(_refused(outbound, url + "never"))
            await begun.wait()
            await outbound.ask(url + "fine")
        assert slow.result()
        await outbound.ask(url + "fine")


async def _refused(outbound: Outbound, url: str) -> bool:
    with pytest.raises(RemoteUnavailable):
        await outbound._once("GET", url, {}, None, None)
    return True


async def test_an_entry_with_an_impossible_moment_is_one_without() -> None:
    item = f"<item><title>One</title><category>movie</category><pubDate>{ODD_ZONE}</pubDate></item>"
    feed = f"<rss><channel>{item}</channel></rss>".encode()
    async with answering(200, feed, {"Content-Type": "text/xml"}) as (outbound, url):
        (entry,) = await FeedReader(outbound).read(url)
        assert (entry.title, entry.at) == ("One", 0.0)
