"""The HTTP server on a service in memory, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, CookieJar

from daemon.config import Settings, build
from daemon.errors import OndeckdError
from daemon.feed import Feed
from daemon.metrics import Metrics
from daemon.web import auth
from daemon.web.context import WebContext
from daemon.web.server import WebServer
from daemon.web.service import Check, Listing, Query

SECRET = "the-webhook-secret"
PASSWORD = "correct horse"
API_KEY = "a-key-of-many-characters"


def task_row(task_id: int = 1, state: str = "queued", file: str = "/data/tv/a.mkv", **more: Any) -> dict[str, Any]:
    """Return a task as the daemon shows it."""
    return {
        "id": task_id,
        "kind": "cache_in",
        "file": file,
        "state": state,
        "priority": 1,
        "why": "next up",
        "attempts": 0,
        "error": None,
        "bytes_done": 0,
        "bytes_total": 100,
        "created_at": "2025-03-01T20:15:00.000Z",
        "started_at": None,
        "finished_at": None,
    } | more


def file_row(name: str = "a.mkv", **more: Any) -> dict[str, Any]:
    """Return a cached file as the daemon shows it."""
    return {
        "plex_path": f"/data/tv/{name}",
        "array_path": f"/mnt/array/tv/{name}",
        "cache_path": f"/mnt/cache/tv/{name}",
        "size": 1_500_000_000,
        "state": "cached",
        "error": None,
        "score": 50,
        "why": "next up",
        "text": "next up for Ann; stays as long as that holds, and until 2025-03-02 08:15 UTC at least",
        "rating_keys": ["101", "100"],
        "demands": [_wish()],
        "users": ["Ann"],
        "cached_at": "2025-03-01T20:15:00.000Z",
        "keep_until": "2025-03-02T08:15:00.000Z",
        "retained_until": None,
        "min_stay_until": "2025-03-02T08:15:00.000Z",
        "last_played_at": None,
        "placement": "union+keep",
        "task": None,
    } | more


def _wish() -> dict[str, Any]:
    return {
        "rating_key": "101",
        "kind": "next_up",
        "user": "Ann",
        "since": "2025-03-01T20:15:00.000Z",
        "until": None,
        "position": 1,
        "source": "a play",
        "text": "next up for Ann",
    }


def session_row(title: str = "Show - S01E01 - Pilot", **more: Any) -> dict[str, Any]:
    """Return a session as the daemon shows it."""
    return {
        "id": "p1",
        "session_key": "1",
        "rating_key": "11",
        "title": title,
        "user": "Ann",
        "player": "TV",
        "state": "playing",
        "tier": "cache",
        "view_offset": 83.0,
        "duration": 1800.0,
        "started_at": "2025-03-01T20:15:00.000Z",
        "files": ["/data/tv/a.mkv"],
    } | more


def demand_row(title: str = "Show - S01E02 - Next") -> dict[str, Any]:
    """Return a demand as the daemon shows it."""
    return _wish() | {"rating_key": "12", "title": title}


@dataclass
class MemoryService:
    """A daemon that only remembers what it was asked."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=lambda: [Check("plex", True, "answers at /secret/path")])
    state: str = "running"
    asked: list[tuple[str, str]] = field(default_factory=list)
    payloads: list[dict[str, Any]] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    error: OndeckdError | Exception | None = None
    ours: bool = True
    ids: list[int] = field(default_factory=lambda: [7])
    note: str = ""
    was_read: asyncio.Event = field(default_factory=asyncio.Event)

    async def status(self) -> dict[str, Any]:
        self._fail()
        files = self.rows.get("files", [])
        return {
            "version": "1.2.3",
            "state": self.state,
            "started_at": "2025-03-01T20:15:00.000Z",
            "ready": all(check.ok for check in self.checks),
            "checks": [{"name": check.name, "ok": check.ok, "text": check.text} for check in self.checks],
            "cached_files": len(files),
            "cached_bytes": sum(row["size"] for row in files),
            "sessions": len(self.rows.get("sessions", [])),
            "tasks": {"queued": 1, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0},
            "failing_sources": [
                {"kind": "watchlist", "user": "Ann", "since": "2025-03-01T20:15:00.000Z", "why": "plex.tv is away"}
            ],
        }

    async def files(self, query: Query) -> Listing:
        return self._page("files", query)

    async def tasks(self, query: Query) -> Listing:
        return self._page("tasks", query)

    async def sessions(self, query: Query) -> Listing:
        return self._page("sessions", query)

    async def demands(self, query: Query) -> Listing:
        return self._page("demands", query)

    async def plan(self) -> dict[str, Any]:
        self._fail()
        row = {"plex_path": "/data/tv/b.mkv", "size": 2_000_000_000, "score": 40, "why": "next up"}
        wanted = {"demands": [_wish()], "users": ["Ann"], "text": "next up for Ann"}
        moves = {"cache_in_files": 1, "cache_in_bytes": 2_000_000_000, "evict_files": 0, "evict_bytes": 0}
        totals = {**moves, "refused_files": 0, "refused_bytes": 0, "waiting_files": 1}
        room = {"total": 100_000_000_000, "free": 12_000_000_000, "free_after": 10_000_000_000}
        return {
            "cache_in": [row | wanted | {"waits": False, "when": "when the array is awake"}],
            "evict": [],
            "refused": [],
            "caches": [{"mappings": ["TV"], **moves, **room}],
            "totals": totals,
            "next_change_at": None,
        }

    async def cache(self, target: str) -> list[int]:
        return self._ask("cache", target)

    async def evict(self, target: str) -> list[int]:
        return self._ask("evict", target)

    async def pin(self, target: str) -> tuple[list[int], str]:
        return self._ask("pin", target), self.note

    async def unpin(self, target: str) -> tuple[list[int], str]:
        return self._ask("unpin", target), self.note

    async def pins(self) -> list[dict[str, Any]]:
        self._fail()
        return self.rows.get("pins", [])

    async def users(self, query: Query) -> Listing:
        return self._page("users", query)

    async def restore(self) -> tuple[list[int], list[str]]:
        return self._ask("restore"), []

    async def report(self, *, array: bool) -> list[dict[str, Any]]:
        self._ask("audit", "with the array" if array else "")
        return self.rows.get("audit", [])

    async def repair(self, wanted: Sequence[str], *, array: bool) -> tuple[list[dict[str, Any]], list[int]]:
        ids = self._ask("fix", " ".join([*wanted, *["with the array"] * array]))
        return [row | {"fixed": row["name"] in wanted} for row in self.rows.get("audit", [])], ids

    async def pause(self) -> None:
        self._ask("pause")

    async def resume(self) -> None:
        self._ask("resume")

    async def stop(self) -> None:
        self._ask("stop")

    async def refresh(self) -> None:
        self._ask("refresh")

    def readiness(self) -> list[Check]:
        return self.checks

    async def webhook(self, payload: dict[str, Any]) -> bool:
        self._fail()
        self.payloads.append(payload)
        return self.ours

    async def announce(self, app: str, payload: dict[str, Any]) -> bool:
        self._fail()
        self.payloads.append({"app": app} | payload)
        return self.ours

    def _ask(self, what: str, target: str = "") -> list[int]:
        self._fail()
        self.asked.append((what, target))
        return self.ids

    def _page(self, name: str, query: Query) -> Listing:
        self._fail()
        self.queries.append(query)
        self.was_read.set()
        rows = [row for row in self.rows.get(name, []) if query.q.casefold() in str(row).casefold()]
        if query.sort:
            rows.sort(key=lambda row: row[query.sort.lstrip("-")], reverse=query.sort.startswith("-"))
        return Listing(rows[query.offset : query.offset + query.limit], len(rows))

    def _fail(self) -> None:
        if self.error:
            raise self.error


@dataclass
class Site:
    """A running server with everything around it."""

    url: str
    http: ClientSession
    service: MemoryService
    feed: Feed
    metrics: Metrics
    context: WebContext
    web: dict[str, Any]

    def change(self, **web: Any) -> None:
        """Put other settings into force, as a reload does."""
        self.web |= web


def cheap_hash(password: str) -> str:
    """Return a hash that is checked in no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "_LOG_N", 4)
        patch.setattr(auth, "_P", 1)
        return auth.hash_password(password)


def settings(**web: Any) -> Settings:
    """Return a configuration with this ``[web]`` table."""
    return build({"plex": {"token": "t"}, "web": {"listen": "127.0.0.1:0"} | web})


@asynccontextmanager
async def serving(
    service: MemoryService | None = None, *, feed_size: int = 256, keep_alive: float = 15.0, **web: Any
) -> AsyncIterator[Site]:
    """Serve on a free port of the loopback."""
    service = service or MemoryService()
    feed, metrics = Feed(feed_size), Metrics("1.2.3")
    context = WebContext(
        service,
        feed,
        metrics,
        lambda: settings(**web),
        SECRET,
        service,
        keep_alive,
        pinner=service,
        household=service,
        announce=service.announce,
    )
    async with (
        WebServer(context) as server,
        ClientSession(server.url, timeout=ClientTimeout(10), cookie_jar=CookieJar(unsafe=True)) as http,
    ):
        yield Site(server.url, http, service, feed, metrics, context, web)
