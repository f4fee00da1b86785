"""Answers that are well-formed and say nothing: they take nothing away from anybody."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from daemon.errors import PlexUnavailable
from daemon.model import DemandKind
from daemon.plex.connection import _translated
from tests.support.sources import TITLES, Key, household

EMPTY = {"body": '<MediaContainer size="0"/>', "content_type": "text/xml"}
ON_DECK, PINNED = DemandKind.ON_DECK, DemandKind.PINNED
_DECKS = {(ON_DECK, title) for title in TITLES}
PAGES: dict[str, tuple[str, set[tuple[DemandKind, str]]]] = {
    "a database without anything": (r"^/(hubs|library/(sections|metadata/\d))", {*_DECKS, (PINNED, "")}),
    "no items": (r"^/library/metadata/\d+(\?|$)", {(PINNED, "")}),
    "no episodes": ("allLeaves|show.id", {(ON_DECK, "Ben"), (ON_DECK, "Dan"), (PINNED, "")}),
    "nobody, nor at plex.tv": (r"^/(api/(users|home/users|servers)|accounts)", _DECKS),
}


@pytest.mark.parametrize("name", PAGES)
async def test_what_says_nothing_is_not_believed(tmp_path: Path, name: str) -> None:
    pattern, kept = PAGES[name]
    async with household(tmp_path) as home:
        keys: set[Key] = {(kind, home.user(title)) for kind, title in kept}
        before = {one for one in (await home.known()).demands if (one.kind, one.user) in keys}
        assert before
        well = await home.failing()
        home.plex.faults.http(pattern, **EMPTY)
        await home.refresh_later()
        assert before <= (await home.known()).demands
        home.plex.faults.clear()
        await home.refresh_later()
        assert set(await home.failing()) == set(well)


@pytest.mark.parametrize("encoding", ["klingon", "gb2312", "utf-7"])
def test_an_encoding_that_nobody_knows_is_an_answer_like_any_other(encoding: str) -> None:
    answer = f'<?xml version="1.0" encoding="{encoding}"?><html/>'.encode()
    with pytest.raises(PlexUnavailable):
        _translated(lambda: fromstring(answer))
