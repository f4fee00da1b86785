"""The page at ``/``: what is going on, at a glance. The server renders it; a small script keeps it fresh."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from aiohttp import web

from daemon.web import figures
from daemon.web.answers import OwnPage
from daemon.web.context import WebContext
from daemon.web.markup import Html, document, join, tag
from daemon.web.security import Gate
from daemon.web.service import Listing, Query

_FILES = 200
_TASKS = 30
_ALL = 1_000

_TASK_ORDER = {"running": 0, "queued": 1, "failed": 2}

_Row = dict[str, Any]


class Page:
    """Handles ``GET /``."""

    def __init__(self, context: WebContext, gate: Gate) -> None:
        self._service = context.service
        self._household = context.household
        self._pinner = context.pinner
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/", self.show)]

    async def show(self, _request: web.Request) -> web.Response:
        """Render everything from the same answers that the API gives."""
        status = await self._service.status()
        sessions = await self._service.sessions(Query(limit=_ALL))
        tasks = await self._service.tasks(Query(limit=_ALL))
        files = await self._service.files(Query(limit=_FILES))
        people = await self._household.users(Query(limit=_ALL)) if self._household else Listing()
        pins = await self._pinner.pins() if self._pinner else []
        main = tag(
            "main",
            _summary(status, len(sessions.items)),
            _problems(status),
            _section("Playing now", _SESSION_HEADS, [_session(row) for row in sessions.items], sessions.total),
            _section("People", _USER_HEADS, [_user(row) for row in people.items], people.total) if people.items else "",
            _section("Pinned", _PIN_HEADS, [_pin(row) for row in pins], len(pins)) if pins else "",
            _section("Tasks", _TASK_HEADS, [_task(row) for row in _foremost(tasks)], tasks.total),
            _section("On the cache", _FILE_HEADS, [_file(row) for row in files.items], files.total),
        )
        body = document(
            "ondeckd",
            _header(status, with_logout=bool(self._gate.password_hash)),
            main,
            script="/static/ondeckd.js",
        )
        return OwnPage(body)


_SESSION_HEADS = ("What", "Who", "Where", "Read from", "At")
_USER_HEADS = ("Who", "State", "On deck", "Watchlist", "Others")
_PIN_HEADS = ("What", "Kind", "Cached", "")
_TASK_HEADS = ("File", "Task", "State", "Done", "Why")
_FILE_HEADS = ("File", "Size", "State", "Wanted", "Stays until", "")


def _header(status: _Row, *, with_logout: bool) -> Html:
    state = str(status.get("state", ""))
    paused = state == "paused"
    return tag(
        "header",
        tag("h1", "ondeckd"),
        tag("span", state, class_=f"badge {'warn' if paused else 'good'}", id="state"),
        tag("span", "not live", class_="badge warn", id="live", hidden=True, role="status"),
        tag("span", class_="gap"),
        tag(
            "button",
            "Resume" if paused else "Pause",
            type="button",
            data_post="/api/v1/resume" if paused else "/api/v1/pause",
        ),
        tag("form", tag("button", "Log out", type="submit"), method="post", action="/logout") if with_logout else "",
    )


def _summary(status: _Row, playing: int) -> Html:
    tasks = status.get("tasks", {})
    cards = (
        (
            "On the cache",
            figures.size(status.get("cached_bytes", 0)),
            f"{status.get('cached_files', 0)} files",
        ),
        ("Playing", str(playing), ""),
        ("Copying", str(tasks.get("running", 0)), f"{tasks.get('queued', 0)} waiting"),
        ("Failed", str(tasks.get("failed", 0)), ""),
    )
    return tag(
        "section",
        *(
            tag(
                "div",
                tag("h2", name),
                tag("p", value, class_="figure"),
                tag("p", note, class_="note"),
                class_="card",
            )
            for name, value, note in cards
        ),
        class_="cards",
        aria_label="Summary",
    )


def _problems(status: _Row) -> Html:
    broken = [check for check in status.get("checks", []) if not check.get("ok")]
    if not broken:
        return Html()
    lines = (tag("li", tag("strong", str(check["name"])), f": {check.get('text', '')}") for check in broken)
    return tag("section", tag("h2", "Needs attention"), tag("ul", *lines), class_="problems", role="alert")


def _section(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]], total: int) -> Html:
    count = f"{len(rows)} of {total}" if total > len(rows) else str(total)
    heading = tag("h2", f"{title} ", tag("small", count))
    if not rows:
        return tag("section", heading, tag("p", "Nothing.", class_="note"))
    lines = (
        tag("tr", *(tag("td", cell, data_label=head) for head, cell in zip(heads, row, strict=True))) for row in rows
    )
    head = tag("tr", *(tag("th", head, scope="col") for head in heads))
    return tag("section", heading, tag("table", tag("thead", head), tag("tbody", *lines)))


def _session(row: _Row) -> tuple[str, ...]:
    tier = str(row.get("tier", ""))
    return (
        str(row.get("title", "")),
        str(row.get("user", "")),
        str(row.get("player", "")),
        tag("span", tier, class_="badge good" if tier == "cache" else "badge"),
        f"{row.get('state', '')} {figures.length(row.get('view_offset') or 0)}",
    )


def _foremost(tasks: Listing) -> list[_Row]:
    """Return the tasks to show: what runs, what waits, what failed, then what ended last."""
    last = len(_TASK_ORDER)
    return sorted(tasks.items, key=lambda row: (_TASK_ORDER.get(row["state"], last), -row["id"]))[:_TASKS]


def _task(row: _Row) -> tuple[str, ...]:
    done, total = row.get("bytes_done") or 0, row.get("bytes_total") or 0
    state = str(row["state"])
    error = tag("div", str(row["error"]), class_="note") if row.get("error") else ""
    bar = tag("progress", value=str(done), max=str(total or 1), data_task=str(row["id"]), aria_label="Copied")
    return (
        _path(row.get("file")),
        str(row.get("kind", "")).replace("_", " "),
        join(tag("span", state, class_=f"badge {_COLOURS.get(state, '')}"), error),
        bar if state == "running" else figures.size(done) if done else "",
        str(row.get("why") or ""),
    )


_COLOURS = {"failed": "bad", "running": "good", "caching": "good", "cached": "good"}


def _file(row: _Row) -> tuple[str, ...]:
    state = str(row.get("state", ""))
    button = tag(
        "button",
        "Evict",
        type="button",
        data_post="/api/v1/evict",
        data_target=str(row.get("array_path", "")),
    )
    return (
        _path(row.get("plex_path")),
        figures.size(row.get("size") or 0),
        tag("span", state, class_=f"badge {_COLOURS.get(state, '')}"),
        figures.wishes(row.get("demands") or []),
        _stays(row),
        button if state == "cached" else "",
    )


def _stays(row: _Row) -> str:
    """Return until when a file stays; for what is wanted without an end there is no moment."""
    wishes = row.get("demands") or []
    ends = [wish.get("until") for wish in wishes]
    if any(wish.get("kind") == "pinned" for wish in wishes):
        return "for good"
    if None in ends:
        return "as long as it is wanted"
    return _time(max([row.get("keep_until") or "", *ends]))


def _user(row: _Row) -> tuple[str, ...]:
    counts = row["state"] == "counts"
    state = join(
        tag("span", str(row["state"]), class_="badge good" if counts else "badge warn"),
        tag("div", str(row["why"]), class_="note") if row["why"] else "",
    )
    sources = {one["kind"]: _source(one) for one in row["sources"]}
    own = [sources.pop(kind, "") for kind in ("on_deck", "watchlist")]
    others = (tag("div", f"{kind}: ", text) for kind, text in sources.items())
    return (tag("span", str(row["title"]), class_="name"), state, *own, join(*others))


def _source(row: _Row) -> Html:
    failing = row["on"] and row["failing_since"]
    return tag("span", figures.source(row), class_="failing" if failing else None)


def _pin(row: _Row) -> tuple[str, ...]:
    target = str(row["rating_key"])
    return (
        tag("span", str(row["title"]), class_="name"),
        str(row["type"]),
        f"{row['cached_files']} of {figures.counted(row['files'])}, {figures.size(row['size'])} in all",
        tag("button", "Unpin", type="button", data_post="/api/v1/unpin", data_target=target),
    )


def _path(path: object) -> Html:
    whole = PurePosixPath(str(path or ""))
    return join(tag("span", whole.name, class_="name"), tag("div", str(whole.parent), class_="note"))


def _time(moment: object) -> Html:
    if not moment:
        return Html()
    return tag("time", f"{figures.moment(str(moment))} UTC", datetime=str(moment))
