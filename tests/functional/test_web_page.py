from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from daemon.web.service import Check
from tests.support.web import MemoryService, Site, file_row, serving, session_row, task_row

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;"


class _Reader(HTMLParser):
    """Notes elements and attributes as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


async def _page(site: Site) -> _Reader:
    async with site.http.get("/") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        reader = _Reader()
        reader.feed(await response.text())
        return reader


async def test_the_page_shows_status_sessions_tasks_and_files() -> None:
    service = MemoryService(
        rows={
            "sessions": [session_row()],
            "tasks": [task_row(1, "running", "/data/tv/b.mkv", bytes_done=30)],
            "files": [file_row("a.mkv")],
        }
    )
    async with serving(service) as site:
        page = await _page(site)
    for text in (
        "running",
        "Show - S01E01 - Pilot",
        "Ann",
        "1:23",
        "b.mkv",
        "a.mkv",
        "1.5 GB",
        "next up for Ann",
    ):
        assert text in page.text, text
    assert page.attributes["data-task"] == ["1"]
    assert page.attributes["data-target"] == ["/mnt/array/tv/a.mkv"]
    assert page.attributes["data-post"] == ["/api/v1/pause", "/api/v1/evict"]


async def test_an_empty_page_says_so() -> None:
    async with serving() as site:
        assert (await _page(site)).text.count("Nothing.") == 3


async def test_a_paused_daemon_can_be_resumed() -> None:
    async with serving(MemoryService(state="paused")) as site:
        assert (await _page(site)).attributes["data-post"] == ["/api/v1/resume"]


async def test_what_needs_attention_is_shown() -> None:
    async with serving(MemoryService(checks=[Check("space", False, "the cache is full")])) as site:
        page = await _page(site)
    assert "space: the cache is full" in page.text
    assert "alert" in page.attributes["role"]


def _source(kind: str, **more: Any) -> dict[str, Any]:
    row = {"kind": kind, "on": True, "read_at": "2025-03-01T20:15:00.000Z", "found": 3, "unmatched": []}
    return row | {"failing_since": None, "problem": ""} | more


def _user(title: str, *sources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"title": title, "state": "counts", "why": "", "sources": list(sources)} | more


async def test_people_their_sources_and_pins_are_shown() -> None:
    failing = _source("watchlist", failing_since="2025-03-01T21:00:00.000Z", problem="plex.tv refuses the token (401)")
    pin = {"rating_key": "12", "type": "show", "title": "Bluey", "files": 8, "cached_files": 7, "size": 2_000_000_000}
    service = MemoryService(
        rows={
            "users": [
                _user("Ann", _source("on_deck"), failing),
                _user("Ben", state="excluded", why="users.exclude names this user"),
                _user("everybody", _source("trending", found=9)),
            ],
            "pins": [pin],
        }
    )
    async with serving(service) as site:
        page = await _page(site)
    for text in (
        "fails since 2025-03-01 21:00: plex.tv refuses the token (401)",
        "users.exclude names this user",
        "trending: 9 read",
        "7 of 8 files, 2.0 GB in all",
    ):
        assert text in page.text, text
    assert page.attributes["class"].count("failing") == 1
    assert "/api/v1/unpin" in page.attributes["data-post"]
    assert page.attributes["data-target"] == ["12"]


@pytest.mark.parametrize(
    ("demands", "text"),
    [
        ([{"kind": "on_deck", "until": None}], "as long as it is wanted"),
        ([{"kind": "pinned", "until": None}, {"kind": "next_up", "until": "2025-03-03T08:15:00.000Z"}], "for good"),
        ([{"kind": "next_up", "until": "2025-03-03T08:15:00.000Z"}], "2025-03-03 08:15 UTC"),
        ([], "2025-03-02 08:15 UTC"),
    ],
)
async def test_until_when_a_file_stays(demands: list[dict[str, Any]], text: str) -> None:
    async with serving(MemoryService(rows={"files": [file_row("a.mkv", demands=demands)]})) as site:
        assert text in (await _page(site)).text.split("On the cache")[2]


async def test_names_cannot_become_markup() -> None:
    service = MemoryService(
        rows={
            "sessions": [session_row(EVIL, user=EVIL, player=EVIL, state=EVIL, tier=EVIL)],
            "tasks": [task_row(1, "failed", EVIL, why=EVIL, error=EVIL)],
            "files": [
                file_row(EVIL, demands=[{"kind": EVIL, "user": EVIL}], keep_until=EVIL, array_path=EVIL),
            ],
            "users": [_user(EVIL, _source(EVIL, failing_since=EVIL, problem=EVIL), state=EVIL, why=EVIL)],
            "pins": [{"rating_key": EVIL, "type": EVIL, "title": EVIL, "files": 1, "cached_files": 1, "size": 1}],
        },
        checks=[Check(EVIL, False, EVIL)],
        state=EVIL,
    )
    async with serving(service) as site:
        page = await _page(site)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert not [name for name in page.attributes if name.startswith("on")]
    assert page.text.count("alert(1)") > 10


async def test_nothing_is_inline() -> None:
    async with serving(MemoryService(rows={"tasks": [task_row(1, "running")]})) as site:
        page = await _page(site)
        assert "style" not in page.attributes
        assert "style" not in page.tags
        for address in page.attributes["src"] + page.attributes["href"]:
            async with site.http.get(address) as response:
                assert response.status == 200, address


async def test_a_name_that_is_not_unicode_is_shown_as_well_as_it_can_be() -> None:
    async with serving(MemoryService(rows={"files": [file_row("caf\udce9.mkv")]})) as site:
        assert "caf?.mkv" in (await _page(site)).text


async def test_what_runs_comes_before_what_waits_and_what_ended() -> None:
    states = ["succeeded", "queued", "failed", "running", "cancelled"]
    rows = [task_row(number, state) for number, state in enumerate(states, 1)]
    async with serving(MemoryService(rows={"tasks": rows})) as site:
        text = (await _page(site)).text
    found = re.findall("|".join(states), text.split("Tasks")[1])
    assert found == ["running", "queued", "failed", "cancelled", "succeeded"]


async def test_a_long_list_is_cut_and_says_so() -> None:
    rows = [file_row(f"{number}.mkv") for number in range(201)]
    async with serving(MemoryService(rows={"files": rows})) as site:
        assert "200 of 201" in (await _page(site)).text


@pytest.mark.parametrize(("path", "kind"), [("ondeckd.css", "text/css"), ("ondeckd.js", "text/javascript")])
async def test_the_pages_files_are_served_with_their_kind(path: str, kind: str) -> None:
    async with serving() as site, site.http.get(f"/static/{path}") as response:
        assert (response.status, response.content_type) == (200, kind)
