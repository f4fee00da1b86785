"""A deck that cannot be read whole is not read at all; what is odd or gone costs only itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.faults import truncated
from daemon.errors import PlexError, PlexUnauthorized, PlexUnavailable
from tests.support.people import begin, deck, home, wishes
from tests.support.plex import without_media

EPISODES: dict[str, Any] = {"on_deck": {"episodes": 2}}

FAULTS: dict[str, tuple[dict[str, Any], type[PlexError]]] = {
    "401": ({"status": 401}, PlexUnauthorized),
    "429": ({"status": 429, "headers": {"Retry-After": "1"}}, PlexUnavailable),
    "503": ({"status": 503}, PlexUnavailable),
    "empty": ({"body": b""}, PlexUnavailable),
    "truncated": ({"mangle": truncated}, PlexUnavailable),
    "html": ({"body": "<html></html>"}, PlexUnavailable),
    "broken": ({"reset": True}, PlexUnavailable),
}
TOGETHER = "^/library/all"
PAGES = ("^/hubs/continueWatching/items", "^/library/sections", TOGETHER)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", FAULTS)
async def test_a_part_that_fails_fails_the_whole(tmp_path: Path, name: str, page: str) -> None:
    fault, error = FAULTS[name]
    async with home(tmp_path, **EPISODES) as ours:
        begin(ours, "Ben", ours.plex.library.movies[0])
        for show in ours.plex.library.shows:
            begin(ours, "Ben", ours.plex.library.episodes(show)[0])
        before = await deck(ours, "Ben")
        ours.plex.faults.http(page, **fault)
        if page == TOGETHER:
            # Neither both together nor the second one by itself.
            ours.plex.faults.http(f"{ours.plex.library.shows[1]}/allLeaves", **fault)
        with pytest.raises(error):
            await deck(ours, "Ben")
        assert ours.library.problem == "", "the owner's connection is another matter"
        ours.plex.faults.clear()
        assert await deck(ours, "Ben") == before


async def test_a_revoked_token_fails_for_this_user_alone(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        for who in ("Ben", "Cleo"):
            begin(ours, who, ours.plex.library.movies[0])
        ben = await ours.person("Ben")
        ours.plex.people.revoke("Ben")
        with pytest.raises(PlexUnauthorized):
            await ours.on_deck.fetch(ben)
        assert len((await deck(ours, "Cleo")).demands) == 1
        assert await ours.library.sessions() == []
        assert ours.library.problem == ""


async def test_a_show_deleted_between_two_requests_is_gone_and_no_failure(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        gone, left = ours.plex.library.shows
        one = ours.plex.library.episodes(left)[0]
        begin(ours, "Ben", ours.plex.library.episodes(gone)[0])
        begin(ours, "Ben", one)
        ours.plex.faults.http(
            TOGETHER, mangle=lambda answer: re.sub(rb"<Video .*</Video>", b"", answer, flags=re.DOTALL)
        )
        ours.plex.faults.http(f"/library/metadata/{gone}/allLeaves", status=404)
        assert {key for key, place in wishes(await deck(ours, "Ben")) if not place} == {one}


async def test_what_is_listed_without_files_is_asked_for_once_more(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        one, two, three, *_ = ours.plex.library.episodes(ours.plex.library.shows[0])
        begin(ours, "Ben", one)
        ours.plex.faults.http("^/hubs/", mangle=lambda answer: without_media(answer, one))
        fetched = await deck(ours, "Ben")
        assert wishes(fetched) == [(one, 0), (two, 1), (three, 2)]
        assert all(item.files for item in fetched.items)
        # Its file is being replaced just now: it is wanted all the same.
        ours.plex.faults.http(f"^/library/metadata/{one}$", mangle=lambda answer: without_media(answer, one))
        assert wishes(await deck(ours, "Ben")) == [(one, 0), (two, 1), (three, 2)]


async def test_odd_elements_cost_only_themselves(tmp_path: Path) -> None:
    odd = (
        b'<Video ratingKey="9001" type="clip" title="a trailer"/>'
        b'<Video ratingKey="9002" type="movie" librarySectionID="-2" title="a pre-roll"/>'
        b'<Video type="movie" title="no key"/><Track ratingKey="9003" type="track"/><Video/>'
        b'<Video ratingKey="9004" type="episode" title="no show" viewOffset="x" lastViewedAt="soon" index="-"/>'
        b'<Directory ratingKey="9005" type="show" title="a show"/>'
    )
    async with home(tmp_path, **EPISODES) as ours:
        movie = ours.plex.library.movies[0]
        begin(ours, "Ben", movie)
        ours.plex.faults.http("^/hubs/", mangle=lambda answer: answer.replace(b"<Video", odd + b"<Video", 1))
        assert wishes(await deck(ours, "Ben")) == [("9004", 0), (movie, 0)]
