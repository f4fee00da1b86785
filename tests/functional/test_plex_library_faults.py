from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from typing import Any

import pytest
import requests
import urllib3
from aiohttp import web
from structlog.testing import capture_logs

from daemon.clock import Clock
from daemon.demo.faults import truncated, with_bad_character
from daemon.demo.server import DemoServer
from daemon.errors import PlexNotFound, PlexUnauthorized, PlexUnavailable
from daemon.model import OWNER, User
from daemon.plex.connection import _translated
from daemon.plex.library import PlexLibrary
from tests.support.plex import small_library
from tests.support.plex_library import connected

ANN = User(OWNER, "Ann")


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


def test_the_reason_is_found_also_where_an_older_urllib3_names_no_cause() -> None:
    def connect() -> None:
        try:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        except OSError:
            raise urllib3.exceptions.HTTPError("cannot connect")  # noqa: B904 - as they do

    def ask() -> None:
        try:
            connect()
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(error) from None

    with pytest.raises(PlexUnavailable, match=r"^Plex cannot be reached: Connection refused$"):
        _translated(ask)


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
