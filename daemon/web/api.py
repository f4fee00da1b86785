"""The API: lists, documents and requests, all answered by the service."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from daemon.web.answers import Refusal, answer, arriving
from daemon.web.context import WebContext
from daemon.web.openapi import document
from daemon.web.service import SORT_KEYS, Listing, Query

MOST_ITEMS = 1_000
"""The largest `limit`."""

_NATURAL = Query()
_LONGEST_SEARCH = 200
_LONGEST_TARGET = 8_192
_LARGEST_OFFSET = 1_000_000_000


class Api:
    """Handles everything under ``/api/v1/`` but the events."""

    def __init__(self, context: WebContext) -> None:
        self._service = context.service
        self._household = context.household

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        service = self._service
        users = [web.get("/api/v1/users", self._listing("users", self._household.users))] if self._household else []
        return [
            *users,
            web.get("/api/v1/status", self._document(service.status)),
            web.get("/api/v1/plan", self._document(service.plan)),
            web.get("/api/v1/files", self._listing("files", service.files)),
            web.get("/api/v1/tasks", self._listing("tasks", service.tasks)),
            web.get("/api/v1/sessions", self._listing("sessions", service.sessions)),
            web.get("/api/v1/demands", self._listing("demands", service.demands)),
            web.get("/api/v1/openapi.json", self._openapi),
            web.post("/api/v1/cache", self._on_target(service.cache)),
            web.post("/api/v1/evict", self._on_target(service.evict)),
            web.post("/api/v1/restore", self._restore),
            web.post("/api/v1/pause", self._request(service.pause)),
            web.post("/api/v1/resume", self._request(service.resume)),
            web.post("/api/v1/stop", self._request(service.stop)),
            web.post("/api/v1/refresh", self._request(service.refresh)),
        ]

    async def _openapi(self, _request: web.Request) -> web.Response:
        return answer(document())

    async def _restore(self, _request: web.Request) -> web.Response:
        tasks, playing = await self._service.restore()
        return answer({"tasks": tasks, "playing": playing}, status=202)

    def _document(self, ask: Callable[[], Awaitable[dict[str, Any]]]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            _only(request, ())
            return answer(await ask())

        return handle

    def _listing(self, name: str, ask: Callable[[Query], Awaitable[Listing]]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            found = await ask(parse_query(request, SORT_KEYS[name]))
            return answer({"items": found.items, "total": found.total})

        return handle

    def _on_target(self, ask: Callable[[str], Awaitable[list[int]]]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            return answer({"tasks": await ask(await target_of(request))}, status=202)

        return handle

    def _request(self, ask: Callable[[], Awaitable[None]]) -> Handler:
        async def handle(_request: web.Request) -> web.Response:
            await ask()
            return answer({"tasks": []}, status=202)

        return handle


def parse_query(request: web.Request, sort_keys: tuple[str, ...], *, more: tuple[str, ...] = ()) -> Query:
    """Return which part of a list is asked for. Raises a refusal that names every fault; `more` is known as well."""
    _only(request, ("limit", "offset", "q", "sort", *more))
    faults: dict[str, str] = {}
    limit = _number(request, "limit", _NATURAL.limit, range(1, MOST_ITEMS + 1), faults)
    offset = _number(request, "offset", _NATURAL.offset, range(_LARGEST_OFFSET + 1), faults)
    search = request.query.get("q", "")
    if len(search) > _LONGEST_SEARCH:
        faults["q"] = f"at most {_LONGEST_SEARCH} characters"
    sort = request.query.get("sort", "")
    if sort and sort.removeprefix("-") not in sort_keys:
        faults["sort"] = f"one of {', '.join(sort_keys)}, with - before it for the largest first"
    if faults:
        raise _bad_query(faults)
    return Query(limit, offset, search, sort)


def _number(request: web.Request, name: str, default: int, allowed: range, faults: dict[str, str]) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    digits = len(str(allowed.stop))
    if text.isascii() and text.isdigit() and len(text) <= digits and int(text) in allowed:
        return int(text)
    faults[name] = f"a whole number from {allowed.start} to {allowed.stop - 1}"
    return default


def _only(request: web.Request, known: tuple[str, ...]) -> None:
    faults = {name: "not known here" for name in request.query if name not in known}
    faults |= {name: "given more than once" for name in known if len(request.query.getall(name, [])) > 1}
    if faults:
        raise _bad_query(faults)


def _bad_query(faults: dict[str, str]) -> Refusal:
    return Refusal(400, "bad_query", "The address has values that mean nothing here.", faults)


async def target_of(request: web.Request) -> str:
    """Return the target that the request's body names."""
    async with arriving():
        raw = await request.read()
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "bad_body", 'The body must be JSON: {"target": "…"}.') from error
    if not isinstance(body, dict) or body.keys() != {"target"}:
        raise Refusal(400, "bad_body", 'The body must be a JSON object with "target" and nothing else.')
    target = body["target"]
    if isinstance(target, int) and not isinstance(target, bool):
        target = str(target)
    if not isinstance(target, str) or not target.strip() or "\0" in target or len(target) > _LONGEST_TARGET:
        raise Refusal(400, "bad_target", "A target is a rating key, a Plex URL or a path.")
    return target
