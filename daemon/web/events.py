"""Server-sent events: the feed, for browsers and the command line."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from daemon.feed import RESYNC, Notice, Subscription
from daemon.web.answers import Refusal
from daemon.web.context import WebContext

_MOST_READERS = 64
_PATIENCE = 30.0
"""Seconds after which a reader whose connection takes nothing more is given up."""


class Events:
    """Handles ``GET /api/v1/events``."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._readers: set[Subscription] = set()
        self._closed = False

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/api/v1/events", self.stream, allow_head=False)]

    def close(self) -> None:
        """End every stream, and begin none."""
        self._closed = True
        for reader in self._readers:
            reader.close()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send what happens, as it happens, until the reader goes or the server stops."""
        if self._closed or len(self._readers) >= _MOST_READERS:
            raise Refusal(503, "too_many_readers", "No more readers now.", headers={"Retry-After": "5"})
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        async with self._context.feed.subscribe() as reader:
            self._readers.add(reader)
            try:
                await response.prepare(request)
                await _send(response, b"retry: 3000\n\n")
                if "Last-Event-ID" in request.headers:
                    await _send(response, _frame(Notice(0, RESYNC)))
                await self._relay(reader, response)
            except (ConnectionError, TimeoutError):
                # The reader has gone or takes nothing any more: an orderly end would wait for it.
                if request.transport:
                    request.transport.abort()
            finally:
                self._readers.discard(reader)
        return response

    async def _relay(self, reader: Subscription, response: web.StreamResponse) -> None:
        while True:
            try:
                async with asyncio.timeout(self._context.keep_alive):
                    notice = await anext(reader, None)
            except TimeoutError:
                await _send(response, b": still here\n\n")
                continue
            if notice is None:
                return
            await _send(response, _frame(notice))


async def _send(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(_PATIENCE):
        await response.write(data)


def _frame(notice: Notice) -> bytes:
    return f"id: {notice.id}\nevent: {notice.kind}\ndata: {json.dumps(dict(notice.data))}\n\n".encode()
