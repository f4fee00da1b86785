"""The HTTP server from start to stop."""

from __future__ import annotations

import errno
import logging
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.http import HttpProcessingError

from daemon.errors import OndeckdError
from daemon.web.address import url_for
from daemon.web.answers import Refusal, foreseen_errors
from daemon.web.api import Api
from daemon.web.audit import Audit
from daemon.web.auth import Sessions
from daemon.web.context import WebContext
from daemon.web.events import Events
from daemon.web.health import Health
from daemon.web.login import Login
from daemon.web.page import Page
from daemon.web.pins import Pins
from daemon.web.security import Gate, guard_headers
from daemon.web.webhook import Webhook

__all__ = ["WebContext", "WebServer"]

_LARGEST_BODY = 64 << 10
_SHUTDOWN_SECONDS = 2.0

_LINGER_SECONDS = 1.0
"""How long the rest of a refused request is read, so that its sender gets to see the refusal."""

_STATIC = {
    "ondeckd.css": "text/css",
    "ondeckd.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


class WebServer:
    """Serves while its context is entered, at ``web.listen``.

    Raises OndeckdError where it cannot listen. On leaving, streams of events end first; what else still
    runs has two seconds.
    """

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._events = Events(context)
        app = build_app(context, self._events)
        # No access log: it would hold the webhook's secret, and nobody reads it.
        self._runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            logger=_logger(),
            shutdown_timeout=_SHUTDOWN_SECONDS,
            lingering_time=_LINGER_SECONDS,
        )
        self.url = ""
        """How the server is reached from this machine."""

    async def __aenter__(self) -> Self:
        settings = self._context.settings().web
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, settings.host, settings.port).start()
        except OSError as error:
            await self._runner.cleanup()
            # asyncio's own text says the address once more. It names no number where no address of the host is ours.
            known = isinstance(error, socket.gaierror)
            why = error.strerror if known else os.strerror(error.errno or errno.EADDRNOTAVAIL)
            raise OndeckdError(f"web.listen: cannot listen on {settings.listen}: {why}") from error
        self.url = url_for(settings.host, self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()
        await self._runner.cleanup()


def build_app(context: WebContext, events: Events) -> web.Application:
    """Return the application with all its routes."""
    sessions = Sessions()
    gate = Gate(context, sessions)
    app = web.Application(middlewares=[foreseen_errors, gate.middleware], client_max_size=_LARGEST_BODY)
    app.on_response_prepare.append(guard_headers)
    for room in (
        Health(context, gate),
        Webhook(context),
        Api(context),
        Audit(context),
        events,
        Page(context, gate),
        Login(gate, sessions),
    ):
        app.add_routes(room.routes())
    if context.pinner:
        app.add_routes(Pins(context.pinner).routes())
    app.add_routes([_static_route()])
    return app


def _static_route() -> web.RouteDef:
    """Serve the few files that there are, from memory: no name can lead anywhere else."""
    folder = Path(__file__).parent / "static"
    files = {name: (folder / name).read_bytes() for name in _STATIC}

    async def static(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in files:
            raise Refusal(404, "not_found", "There is no such file.")
        return web.Response(
            body=files[name],
            content_type=_STATIC[name],
            charset="utf-8",
            headers={"Cache-Control": "no-cache"},
        )

    return web.get("/static/{name}", static)


def _logger() -> logging.Logger:
    logger = logging.getLogger("daemon.web")
    if not any(isinstance(known, _NoRequests) for known in logger.filters):
        logger.addFilter(_NoRequests())
    return logger


class _NoRequests(logging.Filter):
    """Leaves out what aiohttp says of senders that break off or speak no HTTP: it quotes their secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | web.RequestPayloadError | ConnectionError)
