"""Answers of the simulated server in the shapes that Plex gives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web

from daemon.demo.markup import Child, Container, Value, container

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a list that was asked for; `size` None means all of it."""

    start: int = 0
    size: int | None = None

    @classmethod
    def of(cls, request: web.Request) -> Page:
        """Read it from the request's headers or its query."""
        start = _asked(request, "X-Plex-Container-Start")
        return cls(start or 0, _asked(request, "X-Plex-Container-Size"))

    def cut(self, items: Sequence[T], make: Callable[[T], Child], **fields: Value | None) -> Container:
        """Return an answer of this page; only what is on it is made."""
        end = len(items) if self.size is None else self.start + self.size
        shown = [make(item) for item in items[self.start : end]]
        if self.size is None:
            return container(shown, **fields)
        return container(shown, totalSize=len(items), offset=self.start, **fields)


def _asked(request: web.Request, name: str) -> int | None:
    text = request.headers.get(name) or request.query.get(name, "")
    return int(text) if text.isdecimal() else None


def wants_json(request: web.Request) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def respond(request: web.Request, answer: Container, status: int = 200) -> web.Response:
    """Return an answer as JSON to those who accept it, else as XML."""
    if wants_json(request):
        return web.Response(body=answer.json_text().encode(), status=status, content_type="application/json")
    headers = {"Content-Type": "text/xml;charset=utf-8"}
    return web.Response(body=answer.xml().encode(), status=status, headers=headers)


def done() -> web.Response:
    """Return the empty page that actions answer with."""
    return web.Response(body=b"", content_type="text/html")


def failure(status: int) -> web.Response:
    """Return the page that Plex answers an error with."""
    title = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    page = f"<html><head><title>{title}</title></head><body><h1>{status} {title}</h1></body></html>"
    return web.Response(text=page, status=status, content_type="text/html")


def maintenance(request: web.Request) -> web.Response:
    """Return what Plex answers on every path while it starts."""
    told: dict[str, Value] = {
        "code": 503,
        "title": "Maintenance",
        "status": "Plex Media Server is currently running startup maintenance tasks.",
    }
    if wants_json(request):
        return web.json_response(told, status=503)
    answer = Container([], told, tag="Response")
    return web.Response(body=answer.xml().encode(), status=503, headers={"Content-Type": "text/xml;charset=utf-8"})
