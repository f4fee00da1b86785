"""One state, many views: after each step everything that tells about it tells the same."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.demo.server import DemoServer
from tests.support import plex as support
from tests.support.plex import Mailbox, get_json, listening, own, sessions

plex = support.plex_server
box = support.box


async def keys(plex: DemoServer, path: str, who: str = "Ben") -> list[str]:
    listed = (await get_json(plex, path, plex.people[who])).get("Metadata", [])
    return [item["ratingKey"] for item in listed]


async def test_a_play_shows_on_the_socket_in_the_sessions_and_by_webhook(plex: DemoServer, box: Mailbox) -> None:
    key = plex.library.episodes(plex.library.shows[0])[0]
    async with listening(plex) as ear:
        session = await plex.engine.play("Ben", key, client="living-room")
        told = await ear.entry()
        await plex.webhooks.idle()
        (listed,) = await sessions(plex)
    (payload,) = box.payloads
    assert told["state"] == listed["Player"]["state"] == "playing"
    assert payload["event"] == "media.play"
    assert told["ratingKey"] == listed["ratingKey"] == payload["Metadata"]["ratingKey"] == key
    assert told["sessionKey"] == listed["sessionKey"] == session.session_key == "1"
    assert told["clientIdentifier"] == listed["Player"]["machineIdentifier"] == "living-room"
    assert payload["Player"]["uuid"] == "living-room"
    assert listed["User"] == {**listed["User"], "id": plex.people["Ben"].id, "title": "Ben"}
    assert payload["Account"] == {**payload["Account"], "id": int(plex.people["Ben"].id), "title": "Ben"}
    assert (payload["user"], payload["owner"]) == (False, True)
    assert payload["Server"]["uuid"] == plex.machine_identifier
    assert "Media" not in payload["Metadata"]
    assert listed["Media"][0]["Part"][0]["file"] == plex.library[key].parts[0].file


async def test_pause_resume_and_seek_are_told_alike(plex: DemoServer, box: Mailbox) -> None:
    async with listening(plex) as ear:
        session = await plex.engine.play("Ann", plex.library.movies[0])
        assert (await ear.entry())["state"] == "playing"
        await plex.engine.advance(session, 600)
        assert (await ear.entry())["viewOffset"] == 600_000
        await plex.engine.pause(session)
        assert (await ear.entry())["state"] == "paused"
        (listed,) = await sessions(plex)
        assert (listed["Player"]["state"], listed["viewOffset"]) == ("paused", 600_000)
        await plex.engine.advance(session, 10)
        assert (await ear.entry())["viewOffset"] == 600_000
        await plex.engine.resume(session)
        assert (await ear.entry())["state"] == "playing"
        await plex.engine.seek(session, 1200)
        assert [(await ear.entry())["state"] for _ in range(2)] == ["buffering", "playing"]
    assert await own(plex, session.rating_key, "Ann") == {"viewOffset": 1_200_000}
    await plex.webhooks.idle()
    assert box.events == ["media.play", "media.pause", "media.resume"]


async def test_at_ninety_percent_every_view_says_watched_once(plex: DemoServer, box: Mailbox) -> None:
    first, second = plex.library.episodes(plex.library.shows[0])[:2]
    session = await plex.engine.play("Ben", first)
    await plex.engine.advance(session, session.node.seconds * 0.89)
    assert "viewOffset" in await own(plex, first)
    assert await keys(plex, "/library/onDeck") == [first]
    await plex.engine.advance(session, session.node.seconds * 0.02)
    await plex.engine.advance(session, session.node.seconds * 0.02)
    assert await own(plex, first) == {"viewCount": 1}
    for path in (
        "/library/onDeck",
        "/hubs/continueWatching/items",
        "/hubs/sections/2/continueWatching/items",
    ):
        assert await keys(plex, path) == [second]
    (row,) = (await get_json(plex, "/status/sessions/history/all"))["Metadata"]
    assert (row["ratingKey"], row["accountID"]) == (first, int(plex.people["Ben"].id))
    await plex.webhooks.idle()
    assert box.events == ["media.play", "media.scrobble", "library.on.deck"]
    scrobble = box.payloads[1]["Metadata"]
    assert scrobble["viewCount"] == 1
    assert "viewOffset" not in scrobble
    assert box.payloads[2]["Metadata"]["ratingKey"] == second
    show = plex.library.shows[0]
    (item,) = (await get_json(plex, f"/library/metadata/{show}", plex.people["Ben"]))["Metadata"]
    assert (item["leafCount"], item["viewedLeafCount"]) == (8, 1)
    assert await own(plex, first, "Ann") == {}


async def test_a_session_scrobbles_at_most_once(plex: DemoServer) -> None:
    session = await plex.engine.play("Ben", plex.library.movies[0])
    for _ in range(2):
        await plex.engine.scrobble(session)
    assert await own(plex, session.rating_key) == {"viewCount": 1}


async def test_a_stop_ends_the_session_and_keeps_the_position(plex: DemoServer, box: Mailbox) -> None:
    movie = plex.library.movies[0]
    session = await plex.engine.play("Ben", movie)
    await plex.engine.advance(session, 1800)
    async with listening(plex) as ear:
        await plex.engine.stop(session)
        told = await ear.entry()
    assert (told["state"], told["viewOffset"]) == ("stopped", 1_800_000)
    assert await sessions(plex) == []
    assert await own(plex, movie) == {"viewOffset": 1_800_000}
    assert await keys(plex, "/hubs/continueWatching/items") == [movie]
    again = await plex.engine.play("Ben", movie)
    assert again.offset == 1800
    await plex.webhooks.idle()
    assert box.events == ["media.play", "media.stop", "media.play"]


async def test_a_glance_leaves_no_position_behind(plex: DemoServer) -> None:
    movie = plex.library.movies[0]
    session = await plex.engine.play("Ben", movie)
    await plex.engine.advance(session, 30)
    await plex.engine.stop(session)
    assert await own(plex, movie) == {}
    assert await keys(plex, "/hubs/continueWatching/items") == []


@pytest.mark.parametrize(
    ("order", "same_key", "expected"),
    [
        ("stop first", False, [("1", "stopped", 0), ("2", "playing", 1)]),
        ("stop last", False, [("2", "playing", 1), ("1", "stopped", 0)]),
        ("no stop", False, [("2", "playing", 1)]),
        ("stop first", True, [("1", "playing", 1)]),
    ],
)
async def test_the_next_episode_follows_in_each_of_the_orders_clients_use(
    plex: DemoServer, order: Any, same_key: bool, expected: list[tuple[str, str, int]]
) -> None:
    episodes = plex.library.episodes(plex.library.shows[0])
    session = await plex.engine.play("Ann", episodes[0])
    async with listening(plex) as ear:
        following = await plex.engine.play_next(session, order=order, same_key=same_key)
        told = [await ear.entry() for _ in expected]
    seen = [(one["sessionKey"], one["state"], episodes.index(one["ratingKey"])) for one in told]
    assert seen == expected
    assert [one["ratingKey"] for one in await sessions(plex)] == [following.rating_key] == [episodes[1]]


async def test_the_end_of_an_episode_begins_the_next_and_the_last_one_stops(plex: DemoServer) -> None:
    episodes = plex.library.episodes(plex.library.shows[0])
    session = await plex.engine.play("Ann", episodes[-2])
    await plex.engine.advance(session, 10_000)
    (following,) = plex.engine.sessions.values()
    assert following.rating_key == episodes[-1]
    await plex.engine.advance(following, 10_000)
    assert plex.engine.sessions == {}
    assert [row.key for row in plex.views.history] == episodes[-2:]
