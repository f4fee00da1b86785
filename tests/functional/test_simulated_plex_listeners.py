"""The less usual ways to listen, to play and to report, all over the same state."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from daemon.demo.oddities import Oddity, add_oddity
from daemon.demo.server import DemoServer
from daemon.model import PlayState
from tests.support import plex as support
from tests.support.plex import Mailbox, get_json, listening, own, sessions

plex = support.plex_server
box = support.box


async def test_an_event_stream_tells_what_the_websocket_tells(plex: DemoServer) -> None:
    headers = {"X-Plex-Token": plex.token, "Accept": "text/event-stream"}
    address = f"{plex.url}/:/eventsource/notifications?filters=playing"
    async with listening(plex) as ear, aiohttp.ClientSession() as client:
        async with client.get(address, headers=headers) as stream:
            assert stream.content_type == "text/event-stream"
            await plex.frames.wait_for_listeners(2)
            await plex.librarian.browse(plex.library.movies[0])
            await plex.engine.play("Ann", plex.library.movies[0])
            blocks: list[list[str]] = []
            while len(blocks) < 2:
                blocks.append((await stream.content.readuntil(b"\n\n")).decode().strip().splitlines())
        told = await ear.entry("playing")
    assert blocks[0] == ["event: ping", "data: {}"]
    assert blocks[1][0] == "event: playing"
    assert json.loads(blocks[1][1].removeprefix("data: ")) == {"PlaySessionStateNotification": told}


async def test_both_spellings_of_the_websockets_path_and_its_filters_work(plex: DemoServer) -> None:
    async with listening(plex, path="/:/websocket/notifications", query="?filters=timeline") as ear:
        await plex.engine.play("Ann", plex.library.movies[0])
        await plex.librarian.refresh(plex.library.movies[0])
        assert (await ear.frame())["NotificationContainer"]["type"] == "timeline"
    async with listening(plex, query="?filters=-playing") as ear:
        await plex.engine.play("Ann", plex.library.movies[1])
        await plex.librarian.refresh(plex.library.movies[0])
        assert (await ear.frame())["NotificationContainer"]["type"] == "timeline"


async def test_a_guest_hears_only_of_its_own_plays(plex: DemoServer) -> None:
    async with listening(plex, plex.people["Ben"]) as ear:
        await plex.librarian.refresh(plex.library.movies[0])
        await plex.engine.play("Ann", plex.library.movies[0])
        await plex.engine.play("Ben", plex.library.movies[1])
        assert (await ear.frame())["NotificationContainer"]["PlaySessionStateNotification"][0][
            "ratingKey"
        ] == plex.library.movies[1]


async def test_lag_lets_the_views_follow_one_after_another(plex: DemoServer, box: Mailbox) -> None:
    plex.engine.lag.listing = 3600
    plex.engine.lag.webhooks = 3600
    async with listening(plex) as ear:
        session = await plex.engine.play("Ann", plex.library.movies[0])
        assert (await ear.entry())["state"] == "playing"
        assert await sessions(plex) == []
        session.listed_from = 0
        await plex.engine.stop(session)
        assert (await ear.entry())["state"] == "stopped"
        assert len(await sessions(plex)) == 1
    assert box.events == []


async def test_lagging_frames_still_come_in_order(plex: DemoServer) -> None:
    plex.engine.lag.frames = 0.01
    async with listening(plex) as ear:
        session = await plex.engine.play("Ann", plex.library.movies[0])
        await plex.engine.pause(session)
        await plex.engine.stop(session)
        assert plex.engine.sessions == {}
        assert [(await ear.entry())["state"] for _ in range(3)] == ["playing", "paused", "stopped"]


async def test_a_ghost_stays_listed_and_says_nothing(plex: DemoServer) -> None:
    session = await plex.engine.play("Ann", plex.library.movies[0])
    plex.engine.vanish(session)
    assert len(await sessions(plex)) == 1
    plex.engine.forget(session)
    assert await sessions(plex) == []


async def test_a_transcode_hides_the_file_and_tells_of_itself(plex: DemoServer) -> None:
    async with listening(plex) as ear:
        session = await plex.engine.play("Ann", plex.library.movies[0], transcode=True)
        assert (await ear.entry())["transcodeSession"] == session.transcode
        await plex.engine.advance(session, 10)
        assert (await ear.entry("transcodeSession.update"))["key"].endswith(session.transcode)
    (listed,) = await sessions(plex)
    assert listed["TranscodeSession"]["key"] == f"/transcode/sessions/{session.transcode}"
    assert "file" not in listed["Media"][0]["Part"][0]
    assert listed["Media"][0]["Part"][0]["id"] == plex.library[session.rating_key].parts[0].id


@pytest.mark.parametrize(
    ("what", "tag", "sign"),
    [
        ("pre-roll", "Video", 'guid="analyzed.prerolls://'),
        ("theme", "Track", 'guid="library://'),
        ("song", "Track", 'type="track"'),
        ("photo", "Photo", 'type="photo"'),
        ("live", "Video", 'live="1"'),
    ],
)
async def test_what_is_no_film_and_no_episode_plays_too_and_leaves_no_trace(
    plex: DemoServer, what: Oddity, tag: str, sign: str
) -> None:
    node = add_oddity(plex.library, what)
    async with listening(plex) as ear:
        session = await plex.engine.play("Ann", node.key)
        told = await ear.entry()
    assert told["ratingKey"] == ("" if what == "live" else node.key)
    headers = {"X-Plex-Token": plex.token}
    async with (
        aiohttp.ClientSession(headers=headers) as client,
        client.get(plex.url + "/status/sessions") as answer,
    ):
        text = await answer.text()
    assert f"<{tag} " in text
    assert sign in text
    assert ('ratingKey="' in text) == (what != "live")
    await plex.engine.advance(session, 1000)
    await plex.engine.stop(session)
    assert plex.views.history == []
    assert plex.views.on_deck("1") == []


async def test_a_client_that_reports_by_timeline_drives_the_same_engine(plex: DemoServer) -> None:
    key = plex.library.movies[0]
    headers = {"X-Plex-Token": plex.people["Ben"].token, "X-Plex-Client-Identifier": "phone"}
    async with listening(plex) as ear, aiohttp.ClientSession(headers=headers) as client:
        for state, time in (("playing", 0), ("playing", 900_000), ("paused", 900_000), ("stopped", 910_000)):
            query = {"ratingKey": key, "key": f"/library/metadata/{key}", "state": state, "time": str(time)}
            async with client.get(f"{plex.url}/:/timeline", params=query) as answer:
                assert answer.status == 200
        told = [await ear.entry() for _ in range(4)]
    assert [one["state"] for one in told] == ["playing", "playing", "paused", "stopped"]
    assert {one["clientIdentifier"] for one in told} == {"phone"}
    assert await own(plex, key) == {"viewOffset": 910_000}


async def test_marking_by_hand_is_silent(plex: DemoServer, box: Mailbox) -> None:
    async with listening(plex) as ear:
        await plex.engine.mark("Ben", plex.library.movies[0])
        await plex.engine.play("Ann", plex.library.movies[1])
        assert (await ear.entry())["ratingKey"] == plex.library.movies[1]
    assert await own(plex, plex.library.movies[0]) == {"viewCount": 1}
    await plex.webhooks.idle()
    assert box.events == ["media.play"]


async def test_rating_is_told_by_webhook_alone(plex: DemoServer, box: Mailbox) -> None:
    await plex.engine.rate("Ann", plex.library.movies[0], 8)
    await plex.webhooks.idle()
    assert [(payload["event"], payload["rating"]) for payload in box.payloads] == [("media.rate", "8.0")]


async def test_a_restart_forgets_sessions_counts_from_one_and_keeps_the_history(plex: DemoServer) -> None:
    session = await plex.engine.play("Ann", plex.library.movies[0])
    await plex.engine.scrobble(session)
    await plex.engine.play("Ben", plex.library.movies[1])
    url = plex.url
    async with listening(plex) as ear:
        await plex.restart()
        message = await ear.socket.receive()
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE}
    assert plex.url == url
    assert await sessions(plex) == []
    assert (await get_json(plex, "/status/sessions/history/all"))["size"] == 1
    assert (await plex.engine.play("Ann", plex.library.movies[0])).session_key == "1"


async def test_two_clients_of_one_user_are_two_sessions(plex: DemoServer) -> None:
    movie = plex.library.movies[0]
    both = await asyncio.gather(
        plex.engine.play("Ann", movie, client="tv"), plex.engine.play("Ann", movie, client="phone")
    )
    assert {session.session_key for session in both} == {"1", "2"}
    await plex.engine.stop(both[0])
    assert [one["Player"]["machineIdentifier"] for one in await sessions(plex)] == ["phone"]
    assert both[0].state is PlayState.STOPPED
