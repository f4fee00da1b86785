"""A simulated Trakt: its list of movies that many people watch, and how it refuses and fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from daemon.demo.faults import Faults, HttpFault
from daemon.demo.media import Node
from daemon.demo.render import external_ids
from daemon.demo.sockets import reset

_HOST = "127.0.0.1"
_USUAL_LIMIT = 10
_NEEDED = {"content-type": "application/json", "trakt-api-version": "2"}


def movie(title: str, year: int, **ids: str | int | None) -> dict[str, Any]:
    """Return a movie as Trakt describes one; `ids` are ``imdb``, ``tmdb`` and so on."""
    return {"title": title, "year": year, "ids": {"trakt": 1, "slug": f"m{year}", "imdb": None, "tmdb": None, **ids}}


def movie_of(node: Node) -> dict[str, Any]:
    """Return a movie of a simulated library as Trakt describes it."""
    pairs = (name.split("://") for name in external_ids(node))
    ids = {base: int(value) if value.isdigit() else value for base, value in pairs if base != "tvdb"}
    return movie(node.title, node.year, **ids)


class DemoTrakt:
    """A Trakt that is none, as an async context manager. `movies` is its list, the most watched first.

    It knows the client id `client` alone. `faults` are those of the simulated Plex server; `paging_headers` False
    leaves out what says how many pages there are. `requests` are the queries that came in, `headers` those of the
    latest.
    """

    def __init__(self, movies: Sequence[dict[str, Any]] = (), *, client: str = "demo-client") -> None:
        self.movies = list(movies)
        self.client = client
        self.faults = Faults()
        self.paging_headers = True
        self.requests: list[dict[str, str]] = []
        self.headers: dict[str, str] = {}
        self.url = ""
        app = web.Application()
        app.router.add_get("/movies/trending", self._trending)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, 0).start()
        self.url = f"http://{_HOST}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def limit_rate(self, seconds: int, times: int = 1) -> HttpFault:
        """Answer so many requests with a 429, as one who has asked a thousand times in five minutes gets it."""
        bucket = {"name": "UNAUTHED_API_GET_LIMIT", "period": 300, "limit": 1000, "remaining": 0}
        headers = {"Retry-After": str(seconds), "X-Ratelimit": json.dumps(bucket)}
        return self.faults.http(status=429, headers=headers, times=times, body="", content_type="text/plain")

    async def _trending(self, request: web.Request) -> web.Response:
        self.requests.append(dict(request.query))
        self.headers = {name.casefold(): value for name, value in request.headers.items()}
        fault = self.faults.for_request(request.path_qs)
        if fault is not None and fault.reset:
            reset(request)
        if fault is not None and (fault.status is not None or fault.body is not None):
            body = fault.body.encode() if isinstance(fault.body, str) else fault.body or b""
            headers = {"Content-Type": fault.content_type, **fault.headers}
            return web.Response(body=body, status=fault.status or 200, headers=headers)
        if any(self.headers.get(name) != value for name, value in _NEEDED.items()):
            return web.Response(status=412)
        if self.headers.get("trakt-api-key") != self.client:
            return web.Response(status=403)
        answer = self._page(request)
        if fault is not None and fault.mangle is not None and isinstance(answer.body, bytes):
            return web.Response(body=fault.mangle(answer.body), headers=answer.headers)
        return answer

    def _page(self, request: web.Request) -> web.Response:
        page, limit = (int(request.query.get(name, usual)) for name, usual in (("page", 1), ("limit", _USUAL_LIMIT)))
        rows = [
            {"watchers": 1_000_000 - place, "movie": one}
            for place, one in enumerate(self.movies)
            if (page - 1) * limit <= place < page * limit
        ]
        told = {
            "X-Pagination-Page": page,
            "X-Pagination-Limit": limit,
            "X-Pagination-Page-Count": -(-len(self.movies) // limit),
            "X-Pagination-Item-Count": len(self.movies),
        }
        headers = {name: str(value) for name, value in told.items()} if self.paging_headers else {}
        body = json.dumps(rows).encode()
        return web.Response(body=body, headers={"Content-Type": "application/json; charset=utf-8", **headers})
