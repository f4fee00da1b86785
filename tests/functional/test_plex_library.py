from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from daemon.clock import Clock
from daemon.demo.faults import truncated, with_bad_character
from daemon.demo.generate import generate
from daemon.demo.media import Kind, Node
from daemon.demo.server import DemoServer
from daemon.errors import PlexNotFound, PlexUnauthorized, PlexUnavailable
from daemon.model import OWNER, Item, ItemType, User
from daemon.plex.library import PlexLibrary
from tests.support.plex import small_library

ANN = User(OWNER, "Ann")


@asynccontextmanager
async def connected(plex: DemoServer, **options: Any) -> AsyncIterator[PlexLibrary]:
    settings = {"url": plex.url, "token": plex.token, "clock": Clock(50.0), **options}
    async with PlexLibrary(**settings) as library:
        yield library


def user(plex: DemoServer, name: str) -> User:
    return User(plex.people[name].id, name)


def keys(items: list[Item]) -> list[str]:
    return [item.rating_key for item in items]


async def test_the_server_says_who_it_is() -> None:
    async with DemoServer(small_library(), name="Attic") as plex, connected(plex) as library:
        assert library.problem
        info = await library.connect()
        assert (info.machine_identifier, info.name, info.owner) == (plex.machine_identifier, "Attic", "Ann")
        assert library.problem == ""


async def test_an_item_has_the_files_of_all_versions_and_parts_but_no_optimized_ones() -> None:
    async with DemoServer(generate()) as plex, connected(plex) as library:
        for key in plex.library.movies:
            item = await library.item(key)
            assert item is not None
            versions = [version for version in plex.library[key].versions if not version.optimized]
            expected = {(part.file, part.size) for version in versions for part in version.parts}
            assert {(file.plex_path, file.size) for file in item.files} == expected


async def test_an_episode_says_where_it_stands() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        show = plex.library.shows[0]
        key = plex.library.episodes(show)[5]
        await plex.engine.mark("Ann", key)
        item = await library.item(key)
        assert item is not None
        assert (item.type, item.show, item.season, item.episode) == (ItemType.EPISODE, show, 2, 2)
        assert (item.show_title, item.library) == (plex.library[show].title, "TV Shows")
        assert (item.duration, item.watched) == (2700.0, True)


@pytest.mark.parametrize("kind", [Kind.CLIP, Kind.TRACK, Kind.PHOTO])
async def test_other_types_are_no_items(kind: Kind) -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        node = plex.library.add(Node("", kind, "x", "guid://0000000a", "1"))
        assert await library.item(node.key) is None


async def test_a_transient_item_is_no_item() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        node = plex.library.add(Node("", Kind.MOVIE, "Pre-roll", "guid://0000000a", "-2"))
        assert await library.item(node.key) is None


@pytest.mark.parametrize(
    ("selected", "found"), [((), True), (("tv shows",), False), (("MOVIES",), True), (("1",), True)]
)
async def test_only_selected_libraries_count(selected: tuple[str, ...], found: bool) -> None:
    async with DemoServer(small_library()) as plex, connected(plex, libraries=selected) as library:
        assert (await library.item(plex.library.movies[0]) is not None) == found


async def test_leaves_are_the_item_itself_or_all_episodes() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        show, movie = plex.library.shows[0], plex.library.movies[0]
        episodes = plex.library.episodes(show)
        assert keys(await library.leaves(show)) == episodes
        assert keys(await library.leaves(plex.library[show].children[0])) == episodes[:4]
        assert keys(await library.leaves(episodes[2])) == [episodes[2]]
        assert keys(await library.leaves(movie)) == [movie]


async def test_a_file_is_found_by_the_path_that_plex_sees() -> None:
    async with DemoServer(generate()) as plex, connected(plex) as library:
        movie, episode = plex.library.movies[1], plex.library.episodes(plex.library.shows[0])[4]
        for key in (movie, episode):
            item = await library.find_by_path(plex.library[key].parts[0].file)
            assert item is not None
            assert item.rating_key == key
        assert await library.find_by_path("/data/Movies/nothing.mkv") is None
        assert await library.find_by_path("/elsewhere/x.mkv") is None


async def test_the_next_episodes_cross_seasons_and_skip_specials() -> None:
    async with DemoServer(generate()) as plex, connected(plex) as library:
        show = plex.library.shows[0]
        episodes = plex.library.episodes(show)
        current = await library.item(episodes[8])
        assert current is not None
        following = await library.next_episodes(current, ANN, count=4)
        assert keys(following) == episodes[9:13]
        assert {item.season for item in following} == {1, 2}


async def test_after_a_special_come_specials_only() -> None:
    async with DemoServer(generate()) as plex, connected(plex) as library:
        (specials,) = [season for season in plex.library.seasons(plex.library.shows[0]) if season.index == 0]
        special = await library.item(specials.children[0])
        assert special is not None
        assert [item.season for item in await library.next_episodes(special, ANN, count=9)] == [0]


async def test_each_user_skips_what_that_user_has_watched() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        episodes = plex.library.episodes(plex.library.shows[0])
        await plex.engine.mark("Ann", episodes[1])
        await plex.engine.mark("Ben", episodes[2])
        current = await library.item(episodes[0])
        assert current is not None
        for who, expected in (("Ann", 2), ("Ben", 1), ("Cleo", 1)):
            following = keys(await library.next_episodes(current, user(plex, who), count=2))
            assert following[0] == episodes[expected]
        nobody = await library.next_episodes(current, User("", ""), count=2, watched={episodes[1]})
        assert keys(nobody) == episodes[2:4]


async def test_a_history_that_cannot_be_read_costs_no_episodes() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        episodes = plex.library.episodes(plex.library.shows[0])
        current = await library.item(episodes[0])
        assert current is not None
        plex.faults.http("history", status=403)
        assert len(await library.next_episodes(current, user(plex, "Ben"), count=3)) == 3


async def test_a_movie_has_no_next_episodes() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        movie = await library.item(plex.library.movies[0])
        assert movie is not None
        assert await library.next_episodes(movie, ANN, count=5) == []


async def test_long_shows_are_read_in_pages() -> None:
    shape = {"movies": 0, "shows": 1, "seasons": 1, "episodes": 1203}
    async with DemoServer(small_library(**shape)) as plex, connected(plex) as library:
        episodes = plex.library.episodes(plex.library.shows[0])
        current = await library.item(episodes[0])
        assert current is not None
        following = await library.next_episodes(current, ANN, count=250)
        assert keys(following) == episodes[1:251]
        last = await library.item(episodes[1200])
        assert last is not None
        assert keys(await library.next_episodes(last, ANN, count=5)) == episodes[1201:]


async def test_sessions_survive_odd_elements() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        movie = plex.library.movies[0]
        await plex.engine.play("Ann", movie, client="sofa", offset=90.0)
        await plex.engine.play("Ben", plex.library.movies[1], client="phone")
        plex.faults.strip_sessions("User", "Session", "Media", "Player", session_key="2")
        first, second = await library.sessions()
        assert (first.user, first.client, first.rating_key, first.view_offset) == (ANN, "sofa", movie, 90.0)
        assert (second.user.id, second.client, second.video) == ("", "", True)


async def test_the_history_is_everybody_s_and_oldest_first() -> None:
    async with DemoServer(small_library(), clock=Clock(100.0)) as plex, connected(plex) as library:
        movies = plex.library.movies
        for who, key in (("Ann", movies[0]), ("Ben", movies[1])):
            await plex.engine.mark(who, key)
            await plex.clock.sleep(2.0)
        rows = await library.history(0.0)
        assert [(row.user, row.rating_key) for row in rows] == [
            (OWNER, movies[0]),
            (plex.people["Ben"].id, movies[1]),
        ]
        assert await library.latest_history() == rows[-1].at
        assert await library.history(rows[-1].at) == rows[-1:]


async def test_accounts_are_those_with_a_name() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        assert [account.title for account in await library.accounts()] == ["Ann", "Ben", "Cleo"]


async def test_a_missing_item_is_not_found() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        await library.connect()
        with pytest.raises(PlexNotFound):
            await library.item("999999")
        assert library.problem == ""


async def test_a_wrong_token_is_unauthorized_and_not_tried_again() -> None:
    async with DemoServer(small_library()) as plex, connected(plex, token="wrong") as library:
        with pytest.raises(PlexUnauthorized):
            await library.sessions()
        assert library.problem == "Plex refuses the token (401)"
        assert len(plex.requests) == 1


async def test_no_token_asks_nobody() -> None:
    async with DemoServer(small_library()) as plex, connected(plex, token="") as library:
        with pytest.raises(PlexUnauthorized):
            await library.connect()
        assert len(plex.requests) == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 500},
        {"status": 429, "headers": {"Retry-After": "1"}},
        {"status": 302, "headers": {"Location": "/identity"}},
        {"body": b""},
        {"body": "<html>hello</html>"},
        {"body": "nonsense"},
        {"mangle": truncated},
        {"reset": True},
    ],
    ids=lambda fault: next(iter(fault)) + str(fault.get("status", "")),
)
async def test_each_hiccup_is_tried_again_and_each_long_one_is_unavailable(fault: dict[str, Any]) -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        await library.connect()
        plex.faults.http("/status/sessions", times=2, **fault)
        assert await library.sessions() == []
        hiccup = plex.faults.http("/status/sessions", **fault)
        with pytest.raises(PlexUnavailable) as caught:
            await library.sessions()
        assert hiccup.hits == 3
        assert library.problem == str(caught.value)
        assert "\n" not in library.problem
        assert "/identity" not in [request.path for request in plex.requests]  # the token goes nowhere else


async def test_an_unknown_status_is_no_crash() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        await library.connect()
        plex.faults.http("/status/sessions", status=498)
        with pytest.raises(PlexUnauthorized):
            await library.sessions()


async def test_a_character_that_xml_forbids_costs_nothing() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        plex.faults.http("/library/metadata", mangle=with_bad_character)
        assert await library.item(plex.library.movies[0]) is not None


@pytest.mark.parametrize("body", [b"", "<MediaContainer size='0'/>"])
async def test_what_does_not_say_who_it_is_is_no_server(body: Any) -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        plex.faults.http("^/$", body=body, content_type="text/xml")
        with pytest.raises(PlexUnavailable):
            await library.connect()


async def test_another_server_at_the_address_is_refused_until_ours_is_back() -> None:
    async with DemoServer(small_library()) as plex, connected(plex, machine_identifier="ours") as library:
        with pytest.raises(PlexUnavailable, match="another Plex server"):
            await library.sessions()
        plex.identity.machine_identifier = "ours"
        assert await library.sessions() == []


async def test_a_server_that_is_away_is_unavailable_and_found_again() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        await plex.go_down()
        with pytest.raises(PlexUnavailable, match="cannot be reached"):
            await library.connect()
        await plex.come_up()
        assert (await library.connect()).name == "Demo Plex"


async def test_an_answer_that_never_ends_does_not_hold_up_the_others() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        await library.connect()
        stalled = plex.faults.http("/accounts", stall=True)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(library.accounts())
            assert await library.sessions() == []
            stalled.cleared.set()
        assert len(waiting.result()) == 3


async def test_a_silent_answer_is_given_up() -> None:
    async with DemoServer(small_library()) as plex, connected(plex, patience=0.1) as library:
        await library.connect()
        stalled = plex.faults.http("/accounts", stall=True)
        with pytest.raises(PlexUnavailable, match="in time"):
            await library.accounts()
        stalled.cleared.set()


async def test_an_answer_that_drips_for_ever_is_given_up() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        with suppress(ConnectionError):
            while True:
                await answer.write(b" ")
                await asyncio.sleep(0.01)
        return answer

    app = web.Application()
    app.router.add_get("/", drip)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with PlexLibrary(url=url, token="t", clock=Clock(), patience=0.1) as library:
        with pytest.raises(PlexUnavailable, match="in time"):
            await library.connect()
    await runner.cleanup()


async def test_each_request_is_measured_and_nothing_tells_the_token() -> None:
    calls: list[tuple[str, float]] = []

    def note(call: str, seconds: float) -> None:
        calls.append((call, seconds))

    with capture_logs() as logs:
        async with DemoServer(small_library()) as plex, connected(plex, on_request=note) as library:
            await library.sessions()
            plex.faults.http(status=500)
            with pytest.raises(PlexUnavailable) as caught:
                await library.item("1")
            assert plex.token not in str(caught.value)
            assert plex.token not in str(logs)
    assert [call for call, _ in calls[:2]] == ["connect", "sessions"]
    assert all(seconds >= 0.0 for _, seconds in calls)
