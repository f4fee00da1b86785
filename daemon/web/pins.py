"""Pins over HTTP: the list, to pin and to unpin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from daemon.web.answers import answer
from daemon.web.api import parse_query, target_of
from daemon.web.service import SORT_KEYS, Pinner, Query

_Row = dict[str, Any]


class Pins:
    """Handles what is pinned."""

    def __init__(self, pinner: Pinner) -> None:
        self._pinner = pinner

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/api/v1/pins", self._list),
            web.post("/api/v1/pin", _on_target(self._pinner.pin)),
            web.post("/api/v1/unpin", _on_target(self._pinner.unpin)),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        query = parse_query(request, SORT_KEYS["pins"])
        return answer(_part(await self._pinner.pins(), query))


def _on_target(ask: Callable[[str], Awaitable[tuple[list[int], str]]]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        tasks, note = await ask(await target_of(request))
        return answer({"tasks": tasks, "note": note}, status=202)

    return handle


def _part(rows: list[_Row], query: Query) -> _Row:
    needle, key = query.q.casefold(), query.sort.removeprefix("-")
    found = [row for row in rows if not needle or needle in str(row.values()).casefold()]
    if key:
        found.sort(key=lambda row: row[key], reverse=query.sort.startswith("-"))
    return {"items": found[query.offset : query.offset + query.limit], "total": len(found)}
