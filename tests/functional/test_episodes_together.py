"""The episodes of many shows in few requests, and what becomes of that with a server that answers otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.faults import truncated
from daemon.demo.media import Node, Section
from daemon.demo.selection import Selection
from daemon.demo.server import DemoServer
from daemon.errors import PlexUnauthorized
from daemon.model import Item
from daemon.plex import reading
from daemon.plex.reading import Reader
from tests.support.people import Home, begin, finish, home
from tests.support.plex import small_library

TOGETHER, ALONE = "/library/all", "/allLeaves"


def without_one(answer: bytes) -> bytes:
    """Leave an episode out, as a list does that changes while it is read."""
    return re.sub(rb"<Video .*?</Video>", b"", answer, count=1, flags=re.DOTALL)


def with_a_stranger(answer: bytes) -> bytes:
    """Let one episode belong to a show that was not asked for."""
    return re.sub(rb'grandparentRatingKey="\d+"', b'grandparentRatingKey="999"', answer, count=1)


ODD: dict[str, dict[str, Any]] = {
    "400": {"status": 400},
    "404": {"status": 404},
    "500": {"status": 500},
    "empty": {"body": b""},
    "truncated": {"mangle": truncated},
    "incomplete": {"mangle": without_one},
    "a stranger": {"mangle": with_a_stranger},
}


async def one_by_one(reader: Reader, shows: list[str]) -> dict[str, list[Item]]:
    return {show: await reader.episodes(show) for show in shows}


async def as_ben(ours: Home) -> Reader:
    """Return what asks as Ben, who has begun the first show and seen some of the last."""
    first, *_, last = (ours.plex.library.episodes(show) for show in ours.plex.library.shows)
    begin(ours, "Ben", first[0])
    finish(ours, "Ben", *last[:3])
    finish(ours, "Ann", *first)
    return ours.library.reader((await ours.person("Ben")).server_token)


def four_shows() -> DemoServer:
    return DemoServer(small_library(shows=4))


async def test_many_shows_together_are_what_each_of_them_is_alone(tmp_path: Path) -> None:
    async with home(tmp_path, four_shows()) as ours:
        reader, shows = await as_ben(ours), ours.plex.library.shows[1:]
        found = await reader.episodes_of(shows)
        assert (ours.asked(TOGETHER), ours.asked(ALONE)) == (1, 0)
        assert found == await one_by_one(reader, shows)
        assert all(item.files for items in found.values() for item in items)
        assert await reader.episodes_of([]) == {}


async def test_pages_and_portions_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_PAGE", 5)
    monkeypatch.setattr(reading, "_SHOWS", 3)
    async with home(tmp_path, four_shows()) as ours:
        reader, shows = await as_ben(ours), ours.plex.library.shows
        assert await reader.episodes_of(shows) == await one_by_one(reader, shows)


@pytest.mark.parametrize("name", ODD)
async def test_what_is_odd_together_is_asked_one_by_one(tmp_path: Path, name: str) -> None:
    async with home(tmp_path, four_shows()) as ours:
        reader, shows = await as_ben(ours), ours.plex.library.shows
        ours.plex.faults.http(f"^{TOGETHER}", **ODD[name])
        found = await reader.episodes_of(shows)
        assert ours.asked(ALONE) == len(shows)
        assert found == await one_by_one(reader, shows)


async def test_a_server_that_does_not_know_the_filter_is_asked_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    select: Callable[..., list[Node]] = Selection.select

    def unfiltered(self: Selection, section: Section, query: Mapping[str, str], user: str) -> list[Node]:
        return select(self, section, {name: value for name, value in query.items() if name != "show.id"}, user)

    monkeypatch.setattr(Selection, "select", unfiltered)
    async with home(tmp_path, four_shows()) as ours:
        reader, shows = await as_ben(ours), ours.plex.library.shows[:2]
        assert await reader.episodes_of(shows) == await one_by_one(reader, shows)
        assert ours.asked(TOGETHER) == 1


async def test_a_show_that_is_gone_is_left_out(tmp_path: Path) -> None:
    async with home(tmp_path, four_shows()) as ours:
        reader, shows = await as_ben(ours), list(ours.plex.library.shows)
        await ours.plex.librarian.delete(shows[1])
        found = await reader.episodes_of(shows)
        assert list(found) == [shows[0], shows[2], shows[3]]
        assert ours.asked(ALONE) == 1


async def test_a_revoked_token_is_an_error_at_once(tmp_path: Path) -> None:
    async with home(tmp_path, four_shows()) as ours:
        reader = await as_ben(ours)
        ours.plex.people.revoke("Ben")
        with pytest.raises(PlexUnauthorized):
            await reader.episodes_of(ours.plex.library.shows)
        assert ours.asked(ALONE) == 0
