"""Every fault of sockets and frames does what it says, and stops when it is switched off."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from daemon.demo.faults import Pace
from daemon.demo.hub import TIMELINE
from daemon.demo.server import DemoServer
from daemon.model import PlayState
from tests.support import plex as support
from tests.support.plex import WEBSOCKET, get, listening

CLOSED = {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE}

plex = support.fast_plex_server
client = support.client


async def test_a_handshake_can_be_refused(plex: DemoServer, client: aiohttp.ClientSession) -> None:
    plex.people.revoke("Ann")
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        await client.ws_connect(WEBSOCKET)
    plex.people.grant("Ann")
    async with listening(plex):
        assert len(plex.sockets) == 1


@pytest.mark.parametrize("code", [1000, 1001])
async def test_sockets_can_be_closed_with_a_code(plex: DemoServer, code: int) -> None:
    async with listening(plex) as ear:
        dropped = asyncio.create_task(plex.sockets.drop(code))
        message = await ear.socket.receive()
        assert message.type in CLOSED
        assert ear.socket.close_code == code
        await dropped
    await plex.frames.wait_for_listeners(0)


@pytest.mark.parametrize("mid_frame", [False, True])
async def test_sockets_can_break(plex: DemoServer, mid_frame: bool) -> None:
    async with listening(plex) as ear:
        plex.sockets.abort(mid_frame=mid_frame)
        message = await ear.socket.receive()
        assert message.type in CLOSED
        assert ear.socket.close_code == 1006
    await plex.frames.wait_for_listeners(0)


async def test_a_live_socket_answers_pings_and_a_half_open_one_does_not(plex: DemoServer) -> None:
    headers = {"X-Plex-Token": plex.token}
    async with (
        aiohttp.ClientSession(plex.url, headers=headers) as client,
        client.ws_connect(WEBSOCKET, autoping=False) as socket,
    ):
        await plex.frames.wait_for_listeners()
        await socket.ping(b"there?")
        answer = await socket.receive()
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"there?")
        plex.faults.half_open = True
        await socket.ping(b"still there?")
        await plex.engine.play("Ann", plex.library.movies[0])
        await get(client)
        plex.faults.clear()
        plex.frames.send_raw("awake")
        answer = await socket.receive()
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.TEXT, "awake")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "no JSON {",
        "[]",
        "null",
        '{"NotificationContainer": 7}',
        b"\xff\xfe",
        b'{"NotificationContainer": {}}',
    ],
)
async def test_anything_can_be_sent_raw(plex: DemoServer, raw: str | bytes) -> None:
    async with listening(plex) as ear:
        plex.frames.send_raw(raw)
        message = await ear.socket.receive()
        assert message.data == raw
        assert (message.type is aiohttp.WSMsgType.BINARY) == isinstance(raw, bytes)


@pytest.mark.parametrize("pace", [Pace(fragments=3), Pace(pause=0.5), Pace(fragments=4, pause=0.5)])
async def test_slow_and_fragmented_frames_arrive_whole_with_pings_between(plex: DemoServer, pace: Pace) -> None:
    plex.faults.frames(pace=pace)
    async with listening(plex) as ear:
        session = await plex.engine.play("Ann", plex.library.movies[0])
        await ear.socket.ping()
        await plex.engine.pause(session)
        assert [(await ear.entry())["state"] for _ in range(2)] == ["playing", "paused"]


async def test_frames_can_be_binary(plex: DemoServer) -> None:
    plex.faults.frames(binary=True, times=1)
    async with listening(plex) as ear:
        await plex.engine.play("Ann", plex.library.movies[0])
        assert json.loads(await ear.socket.receive_bytes())["NotificationContainer"]["type"] == "playing"


async def test_the_legacy_form_has_no_wrapper_and_other_names(plex: DemoServer) -> None:
    plex.faults.frames(form="legacy")
    async with listening(plex) as ear:
        await plex.engine.play("Ann", plex.library.movies[0])
        frame = await ear.frame()
    assert frame["type"] == "playing"
    assert frame["_children"][0]["state"] == "playing"


async def test_frames_can_be_doubled_lost_or_hold_two_entries(plex: DemoServer) -> None:
    movie = plex.library.movies[0]
    async with listening(plex) as ear:
        plex.faults.frames("playing", copies=2, times=1)
        session = await plex.engine.play("Ann", movie)
        assert [(await ear.entry())["state"] for _ in range(2)] == ["playing", "playing"]
        plex.faults.frames("playing", copies=0, times=1)
        await plex.engine.pause(session)
        plex.faults.frames("playing", double=True, times=1)
        await plex.engine.resume(session)
        inner = (await ear.frame())["NotificationContainer"]
        assert inner["size"] == len(inner["PlaySessionStateNotification"]) == 2
        assert inner["PlaySessionStateNotification"][0]["state"] == "playing"


async def test_fields_can_be_missing_or_of_another_type(plex: DemoServer) -> None:
    movie = plex.library.movies[0]
    async with listening(plex) as ear:
        plex.faults.frames("playing", without=["ratingKey", "viewOffset", "clientIdentifier", "key"], times=1)
        session = await plex.engine.play("Ann", movie)
        assert not {"ratingKey", "viewOffset", "clientIdentifier", "key"} & (await ear.entry()).keys()
        change = {"sessionKey": int, "viewOffset": str, "ratingKey": "/odd/path"}
        plex.faults.frames("playing", change=change, times=1)
        await plex.engine.report(session)
        told = await ear.entry()
        assert (told["sessionKey"], told["viewOffset"], told["ratingKey"]) == (1, "0", "/odd/path")
        await plex.engine.report(session, sessionKey="not-a-number", clientIdentifier=None)
        told = await ear.entry()
        assert told["sessionKey"] == "not-a-number"
        assert "clientIdentifier" not in told


async def test_a_playing_can_come_late_after_the_stop(plex: DemoServer) -> None:
    async with listening(plex) as ear:
        session = await plex.engine.play("Ann", plex.library.movies[0], buffering=True)
        await plex.engine.stop(session)
        await plex.engine.report(session, PlayState.PLAYING)
        states = [(await ear.entry())["state"] for _ in range(4)]
    assert states == ["buffering", "playing", "stopped", "playing"]
    assert plex.engine.listed() == []


async def test_another_item_can_begin_under_the_same_session_key(plex: DemoServer) -> None:
    first, second = plex.library.movies[:2]
    async with listening(plex) as ear:
        session = await plex.engine.play("Ann", first)
        await plex.engine.play("Ann", second, session_key=session.session_key)
        told = [await ear.entry() for _ in range(2)]
    assert [(one["sessionKey"], one["ratingKey"]) for one in told] == [("1", first), ("1", second)]
    assert [one.rating_key for one in plex.engine.listed()] == [second]


async def test_a_burst_arrives_complete_and_in_order(plex: DemoServer) -> None:
    async with listening(plex) as ear:
        for number in range(1000):
            plex.frames.send_raw(str(number))
        assert [await ear.socket.receive_str() for _ in range(1000)] == [str(number) for number in range(1000)]


async def test_one_frame_can_hold_a_thousand_entries(plex: DemoServer) -> None:
    async with listening(plex) as ear:
        plex.frames.publish(TIMELINE, *({"itemID": str(number)} for number in range(1000)))
        inner = (await ear.frame())["NotificationContainer"]
    assert inner["size"] == 1000
    assert [entry["itemID"] for entry in inner["TimelineEntry"]] == [str(number) for number in range(1000)]
