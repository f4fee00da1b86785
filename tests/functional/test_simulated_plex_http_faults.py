"""Every HTTP fault of the simulated server does what it says, and stops when it is switched off."""

from __future__ import annotations

import asyncio
import json
from xml.etree import ElementTree as ET

import aiohttp
import pytest

from daemon.demo.faults import truncated, with_bad_character
from daemon.demo.server import DemoServer
from tests.support import plex as support
from tests.support.plex import WEBSOCKET, get

plex = support.fast_plex_server
client = support.client


@pytest.mark.parametrize("status", [401, 403, 404, 429, 498, 500, 502])
async def test_an_answer_can_be_an_error_so_many_times(
    plex: DemoServer, client: aiohttp.ClientSession, status: int
) -> None:
    plex.faults.http("^/library", status=status, times=2)
    assert (await get(client))[0] == 200
    assert [(await get(client, "/library"))[0] for _ in range(3)] == [status, status, 200]


async def test_a_fault_holds_until_it_is_cleared_and_only_for_its_paths(
    plex: DemoServer, client: aiohttp.ClientSession
) -> None:
    fault = plex.faults.http(r"type=1", status=500)
    assert [(await get(client, f"/library/sections/1/all?type={kind}"))[0] for kind in (1, 1, 4)] == [
        500,
        500,
        200,
    ]
    assert fault.hits == 2
    plex.faults.clear()
    assert (await get(client, "/library/sections/1/all?type=1"))[0] == 200


async def test_a_fault_can_strike_by_chance(plex: DemoServer, client: aiohttp.ClientSession) -> None:
    plex.faults.http(status=500, probability=0.5)
    statuses = [(await get(client))[0] for _ in range(40)]
    assert 8 < statuses.count(500) < 32


async def test_headers_and_bodies_are_sent_as_given(plex: DemoServer, client: aiohttp.ClientSession) -> None:
    plex.faults.http(status=429, headers={"Retry-After": "7"}, times=1)
    async with client.get("/") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    plex.faults.http(body="<html>not XML", times=1)
    assert await get(client) == (200, "<html>not XML")
    plex.faults.http(status=200, body=b"", times=1)
    assert await get(client) == (200, "")
    plex.faults.http(status=302, body=b"", headers={"Location": "/elsewhere"}, times=1)
    assert await get(client) == (302, "")


async def test_maintenance_speaks_both_dialects_on_every_path(plex: DemoServer, client: aiohttp.ClientSession) -> None:
    plex.faults.http(status=503)
    status, text = await get(client, "/identity")
    assert status == 503
    assert ET.fromstring(text).attrib["title"] == "Maintenance"
    status, text = await get(client, "/anything", Accept="application/json")
    assert (status, json.loads(text)["code"]) == (503, 503)


async def test_answers_can_be_cut_or_hold_what_xml_forbids(plex: DemoServer, client: aiohttp.ClientSession) -> None:
    plex.faults.http(mangle=truncated, times=1)
    plex.faults.http(mangle=with_bad_character, times=1)
    for _ in range(2):
        status, text = await get(client, "/library/sections")
        assert status == 200
        with pytest.raises(ET.ParseError):
            ET.fromstring(text)
    ET.fromstring((await get(client, "/library/sections"))[1])


async def test_a_slow_answer_comes_after_its_delay_on_the_servers_clock(
    plex: DemoServer, client: aiohttp.ClientSession
) -> None:
    plex.faults.http(delay=30, times=1)
    before = plex.clock.now()
    assert (await get(client))[0] == 200
    assert plex.clock.now() - before >= 30


async def test_a_stalled_answer_ends_only_when_the_fault_is_cleared(
    plex: DemoServer, client: aiohttp.ClientSession
) -> None:
    plex.faults.http("^/library", stall=True)
    async with client.get("/library/sections") as answer:
        first = await answer.content.readany()
        rest = asyncio.create_task(answer.content.read())
        await get(client)
        assert not rest.done()
        plex.faults.clear()
        ET.fromstring(first + await rest)


async def test_a_connection_can_be_reset(plex: DemoServer, client: aiohttp.ClientSession) -> None:
    plex.faults.http("^/library", reset=True)
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await get(client, "/library")
    plex.faults.clear()
    assert (await get(client, "/library"))[0] == 200


async def test_a_reset_is_a_reset_and_no_orderly_end(plex: DemoServer) -> None:
    plex.faults.http(reset=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", plex.port)
    writer.write(b"GET /identity HTTP/1.1\r\nHost: plex\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_connections_can_be_refused_and_come_back_on_the_same_port(
    plex: DemoServer, client: aiohttp.ClientSession
) -> None:
    await plex.stop_listening()
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(client)
    await plex.start_listening()
    assert (await get(client))[0] == 200


async def test_another_server_can_stand_at_the_address(plex: DemoServer, client: aiohttp.ClientSession) -> None:
    plex.identity.machine_identifier = "somebody-else"
    for path in ("/", "/identity"):
        assert 'machineIdentifier="somebody-else"' in (await get(client, path))[1]


async def test_after_a_restart_everything_is_in_maintenance_for_a_while(
    plex: DemoServer, client: aiohttp.ClientSession
) -> None:
    await plex.restart(maintenance_for=3600)
    assert (await get(client, "/identity"))[0] == 503
    with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
        await client.ws_connect(WEBSOCKET)
    await plex.restart()
    assert (await get(client, "/identity"))[0] == 200


async def test_the_token_may_come_in_the_query_and_is_never_in_the_log_of_requests(
    plex: DemoServer,
) -> None:
    async with aiohttp.ClientSession(plex.url) as client:
        assert (await get(client, f"/library?X-Plex-Token={plex.token}&x=1"))[0] == 200
        assert (await get(client, "/library?X-Plex-Token=wrong"))[0] == 401
    assert plex.requests[0] == ("GET", "/library", "x=1")
    assert plex.token not in str(plex.requests)
