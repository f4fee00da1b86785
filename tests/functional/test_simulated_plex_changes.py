"""The simulated library changes, and tells of it as a real one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from daemon.demo.generate import Shape, generate
from daemon.demo.server import DemoServer
from tests.support.plex import Ear, get_json, listening, mailbox, small_library


@pytest.fixture
async def plex() -> AsyncIterator[DemoServer]:
    async with DemoServer(small_library()) as server:
        yield server


async def timeline(ear: Ear, amount: int) -> list[dict[str, Any]]:
    return [await ear.entry("timeline") for _ in range(amount)]


async def item(plex: DemoServer, key: str) -> dict[str, Any]:
    return dict((await get_json(plex, f"/library/metadata/{key}"))["Metadata"][0])


async def test_a_new_episode_is_told_from_created_to_done_and_by_webhook(plex: DemoServer) -> None:
    season = plex.library.seasons(plex.library.shows[0])[0]
    async with mailbox() as box, listening(plex) as ear:
        plex.webhooks.add(box.url)
        node = await plex.librarian.add_episode(season.key, 5, "Fresh", ("/data/TV Shows/new.mkv", 7))
        told = await timeline(ear, 7)
        await plex.webhooks.idle()
    assert {one["itemID"] for one in told} == {node.key}
    assert {(one["parentItemID"], one["rootItemID"]) for one in told} == {(season.key, season.parent)}
    assert told[0] == {**told[0], "state": 0, "metadataState": "created", "type": 4, "title": ""}
    assert [one["state"] for one in told] == sorted(one["state"] for one in told)
    assert not {"metadataState", "mediaState", "queueSize"} & told[-1].keys()
    assert (await item(plex, node.key))["Media"][0]["Part"][0]["file"] == "/data/TV Shows/new.mkv"
    children = await get_json(plex, f"/library/metadata/{season.key}/children")
    assert [one["index"] for one in children["Metadata"]] == [1, 2, 3, 4, 5]
    assert plex.library.episodes(season.parent)[4] == node.key
    (payload,) = box.payloads
    assert payload["event"] == "library.new"
    assert "Player" not in payload


async def test_an_upgrade_keeps_the_key_and_for_a_while_lists_the_dead_version(plex: DemoServer) -> None:
    key = plex.library.movies[0]
    old = (await item(plex, key))["Media"][0]
    async with listening(plex) as ear:
        await plex.librarian.upgrade(key, ("/data/Movies/better.mkv", 99), keep_old=True)
        (told,) = await timeline(ear, 1)
    assert (told["itemID"], told["state"]) == (key, 5)
    new, dead = (await item(plex, key))["Media"]
    assert (new["Part"][0]["file"], new["Part"][0]["size"]) == ("/data/Movies/better.mkv", 99)
    assert new["Part"][0]["id"] != old["Part"][0]["id"]
    assert (dead["id"], dead["Part"][0]["exists"]) == (old["id"], False)
    await plex.librarian.empty_trash("1")
    assert len((await item(plex, key))["Media"]) == 1


async def test_a_session_goes_on_showing_the_file_that_was_replaced(plex: DemoServer) -> None:
    key = plex.library.movies[0]
    old = plex.library[key].parts[0].file
    await plex.engine.play("Ann", key)
    await plex.librarian.upgrade(key, ("/data/Movies/better.mkv", 99))
    (listed,) = (await get_json(plex, "/status/sessions"))["Metadata"]
    assert listed["Media"][0]["Part"][0]["file"] == old


async def test_what_is_deleted_is_gone_everywhere_but_in_the_history(plex: DemoServer) -> None:
    show = plex.library.shows[0]
    episodes = plex.library.episodes(show)
    await plex.engine.mark("Ann", episodes[0])
    async with listening(plex) as ear:
        await plex.librarian.delete(episodes[1])
        (told,) = await timeline(ear, 1)
    assert (told["state"], told["metadataState"], told["itemID"]) == (9, "deleted", episodes[1])
    leaves = await get_json(plex, f"/library/metadata/{show}/allLeaves")
    assert [one["ratingKey"] for one in leaves["Metadata"]] == [episodes[0], *episodes[2:]]
    deck = await get_json(plex, "/library/onDeck")
    assert [one["ratingKey"] for one in deck["Metadata"]] == [episodes[2]]
    await plex.librarian.delete(show)
    assert "Metadata" not in await get_json(plex, "/library/onDeck")
    (row,) = (await get_json(plex, "/status/sessions/history/all"))["Metadata"]
    assert "ratingKey" not in row


async def test_a_title_that_returns_has_a_new_key_and_its_old_views(plex: DemoServer) -> None:
    old = plex.library[plex.library.movies[0]]
    await plex.engine.mark("Ann", old.key)
    await plex.librarian.delete(old.key)
    new = await plex.librarian.add_movie(old.title, ("/data/Movies/again.mkv", 5), guid=old.guid)
    assert new.key != old.key
    assert (await item(plex, new.key))["viewCount"] == 1
    other = await plex.librarian.add_movie(old.title, ("/data/Movies/other.mkv", 5))
    assert "viewCount" not in await item(plex, other.key)


async def test_a_scan_and_a_look_at_a_page_make_noise_that_means_nothing(plex: DemoServer) -> None:
    async with listening(plex) as ear:
        await plex.librarian.scan("1")
        statuses = [await ear.entry("status")]
        activities = [(await ear.entry("activity"))["event"] for _ in range(3)]
        statuses.append(await ear.entry("status"))
        await plex.librarian.browse(plex.library.movies[0])
        looks = [await ear.entry("activity") for _ in range(3)]
    assert [one["title"] for one in statuses] == ['Scanning the "Movies" section', "Library scan complete"]
    assert activities == ["started", "updated", "ended"]
    assert {one["Activity"]["type"] for one in looks} == {"library.refresh.items"}
    assert looks[-1]["Activity"]["Context"]["key"] == f"/library/metadata/{plex.library.movies[0]}"


async def test_a_client_can_ask_for_a_scan_and_for_emptied_trash(plex: DemoServer) -> None:
    key = plex.library.movies[0]
    await plex.librarian.upgrade(key, ("/data/Movies/better.mkv", 99), keep_old=True)
    async with listening(plex) as ear:
        await act(plex, "GET", "/library/sections/1/refresh?path=%2Fdata%2FMovies")
        assert (await ear.entry("status"))["title"].startswith("Scanning")
    await act(plex, "PUT", "/library/sections/1/emptyTrash")
    assert len(plex.library[key].versions) == 1


async def act(plex: DemoServer, method: str, path: str) -> None:
    headers = {"X-Plex-Token": plex.token}
    async with (
        aiohttp.ClientSession(plex.url, headers=headers) as client,
        client.request(method, path) as answer,
    ):
        assert (answer.status, await answer.read()) == (200, b"")


async def test_a_large_library_answers_page_by_page() -> None:
    library = generate(Shape(movies=2000, shows=30, seasons=5, episodes=20))
    async with DemoServer(library) as plex:
        page = await get_json(
            plex, "/library/sections/2/all?type=4&X-Plex-Container-Start=1900&X-Plex-Container-Size=100"
        )
        assert (page["size"], page["offset"]) == (100, 1900)
        assert page["totalSize"] == sum(1 for show in library.shows for _ in library.leaves(show))
        nothing = await get_json(
            plex, "/library/sections/1/all?X-Plex-Container-Start=0&X-Plex-Container-Size=0&includeMeta=1"
        )
        assert (nothing["size"], nothing["totalSize"]) == (0, 2000)
        assert "Meta" in nothing
