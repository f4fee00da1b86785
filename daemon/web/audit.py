"""The audit over HTTP: what is found, and what is fixed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from aiohttp import web

from daemon.storage.findings import FIXES, UNFIXED
from daemon.web.answers import Refusal, answer, arriving
from daemon.web.api import parse_query
from daemon.web.context import WebContext
from daemon.web.service import SORT_KEYS, Query

_Row = dict[str, Any]

_YES_NO = {"1": True, "true": True, "0": False, "false": False}


class Audit:
    """Answers when the audit has ended: its walk is done by threads, and holds up nobody else."""

    def __init__(self, context: WebContext) -> None:
        self._auditor = context.auditor

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/api/v1/audit", self._look), web.post("/api/v1/audit/fix", self._fix)]

    async def _look(self, request: web.Request) -> web.Response:
        query = parse_query(request, SORT_KEYS["audit"], more=("array", "all"))
        array, everything = _flag(request, "array"), _flag(request, "all")
        rows = await self._auditor.report(array=array)
        # Each page would be an audit of its own.
        return answer(_part(rows, replace(query, limit=len(rows), offset=0) if everything else query))

    async def _fix(self, request: web.Request) -> web.Response:
        names, array = await _wanted(request)
        rows, tasks = await self._auditor.repair(names, array=array)
        return answer({"items": rows, "total": len(rows), "tasks": tasks}, status=202)


def _flag(request: web.Request, name: str) -> bool:
    value = _YES_NO.get(request.query.get(name, "0"))
    if value is None:
        raise Refusal(400, "bad_query", "The address has values that mean nothing here.", {name: "0 or 1"})
    return value


def _part(rows: list[_Row], query: Query) -> _Row:
    needle, key = query.q.casefold(), query.sort.removeprefix("-")
    found = [row for row in rows if not needle or needle in str(row.values()).casefold()]
    if key:
        found.sort(key=lambda row: str(row[key]).casefold(), reverse=query.sort.startswith("-"))
    return {"items": found[query.offset : query.offset + query.limit], "total": len(found)}


async def _wanted(request: web.Request) -> tuple[list[str], bool]:
    """Return which fixes the request's body asks for, and whether the array may be touched for them."""
    async with arriving():
        raw = await request.read()
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "bad_body", 'The body must be JSON: {"fix": "…", "array": false}.') from error
    if not isinstance(body, dict) or "fix" not in body or not body.keys() <= {"fix", "array"}:
        raise Refusal(400, "bad_body", 'The body must be a JSON object with "fix", may have "array", and nothing else.')
    names, array = body["fix"], body.get("array", False)
    names = [names] if isinstance(names, str) else names
    if isinstance(names, list) and (unfixed := [why for name, why in UNFIXED.items() if name in names]):
        raise Refusal(400, "bad_fix", f"{'; '.join(unfixed)}.")
    if not isinstance(names, list) or not names or any(name not in FIXES for name in names):
        raise Refusal(400, "bad_fix", f"A fix is one of these, or a list of them: {', '.join(FIXES)}.")
    if not isinstance(array, bool):
        raise Refusal(400, "bad_body", '"array" is true or false.')
    return names, array
