"""For monitors: is the process alive, does everything work, what are the figures."""

from __future__ import annotations

from aiohttp import web

from daemon.metrics import CONTENT_TYPE
from daemon.web.answers import answer
from daemon.web.context import WebContext
from daemon.web.security import Gate


class Health:
    """Handles ``/healthz``, ``/readyz`` and ``/metrics``."""

    def __init__(self, context: WebContext, gate: Gate) -> None:
        self._service = context.service
        self._metrics = context.metrics
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/healthz", self.alive),
            web.get("/readyz", self.ready),
            web.get("/metrics", self.metrics),
        ]

    async def alive(self, _request: web.Request) -> web.Response:
        """Answer at all."""
        return answer({"alive": True})

    async def ready(self, request: web.Request) -> web.Response:
        """List the checks; strangers see names only, for the texts hold paths."""
        checks = self._service.readiness()
        known = self._gate.allows(request)
        rows = [{"name": check.name, "ok": check.ok} | ({"text": check.text} if known else {}) for check in checks]
        return answer(rows, status=200 if all(check.ok for check in checks) else 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        """Return the figures."""
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})
