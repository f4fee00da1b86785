"""Odd sessions and unreliable webhooks, each as it was asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from daemon.clock import Clock
from daemon.demo.server import DemoServer
from tests.support.plex import get_json, mailbox, small_library


@pytest.fixture
async def plex() -> AsyncIterator[DemoServer]:
    async with DemoServer(small_library(), clock=Clock(1000)) as server:
        yield server


async def listed(plex: DemoServer) -> list[dict[str, Any]]:
    return list((await get_json(plex, "/status/sessions")).get("Metadata", []))


async def test_a_session_can_be_absent_from_the_first_answers(plex: DemoServer) -> None:
    plex.faults.hide_sessions(2)
    await plex.engine.play("Ann", plex.library.movies[0])
    assert [len(await listed(plex)) for _ in range(3)] == [0, 0, 1]


@pytest.mark.parametrize("what", ["User", "Session", "Media", "Player"])
async def test_a_session_can_lack_any_of_its_elements(plex: DemoServer, what: str) -> None:
    await plex.engine.play("Ann", plex.library.movies[0])
    await plex.engine.play("Ben", plex.library.movies[1])
    plex.faults.strip_sessions(what, session_key="1")
    first, second = await listed(plex)
    assert what not in first
    assert what in second
    plex.faults.clear()
    assert what in (await listed(plex))[0]


async def test_a_sessions_part_can_lack_its_file(plex: DemoServer) -> None:
    await plex.engine.play("Ann", plex.library.movies[0])
    plex.faults.strip_sessions("file", times=1)
    assert ["file" in (await listed(plex))[0]["Media"][0]["Part"][0] for _ in range(2)] == [False, True]


async def test_webhooks_can_be_lost_doubled_and_for_another_server(plex: DemoServer) -> None:
    async with mailbox() as box:
        plex.webhooks.add(box.url)
        for fault in ({"copies": 0}, {"copies": 2}, {"server": "another"}):
            plex.webhooks.fault(times=1, **fault)
        for movie in plex.library.movies:
            await plex.engine.play("Ann", movie)
        await plex.webhooks.idle()
    movies = plex.library.movies
    assert [one["Metadata"]["ratingKey"] for one in box.payloads] == [movies[1], movies[1], movies[2]]
    assert [one["Server"]["uuid"] for one in box.payloads[1:]] == [plex.machine_identifier, "another"]


async def test_a_webhook_can_come_later_than_what_follows_it(plex: DemoServer) -> None:
    async with mailbox() as box:
        plex.webhooks.add(box.url)
        plex.webhooks.fault(times=1, delay=60)
        session = await plex.engine.play("Ann", plex.library.movies[0])
        await plex.engine.stop(session)
        await plex.webhooks.idle()
    assert box.events == ["media.stop", "media.play"]


async def test_webhooks_come_in_every_form(plex: DemoServer) -> None:
    async with mailbox() as box:
        plex.webhooks.add(box.url)
        for form in ("json", "wrong type", "no payload", "multipart"):
            plex.webhooks.fault(times=1, form=form)
        plex.webhooks.fault(times=1, thumb=2_000_000)
        session = await plex.engine.play("Ann", plex.library.movies[0])
        for step in (plex.engine.pause, plex.engine.resume, plex.engine.pause, plex.engine.resume):
            await step(session)
        await plex.webhooks.idle()
    types = [content_type for content_type, _ in box.requests]
    assert types == ["application/json", "text/plain", *["multipart/form-data"] * 3]
    assert box.events == ["media.play", "media.pause", "media.resume"]
    assert len(box.requests[-1][1]) > 2_000_000
    assert b'name="payload"' not in box.requests[2][1]
    assert b"\r\nContent-Type: application/json\r\n\r\n" in box.requests[3][1]


async def test_a_webhook_that_nobody_takes_is_given_up(plex: DemoServer) -> None:
    async with mailbox() as box:
        url = box.url
    plex.webhooks.add(url)
    await plex.engine.play("Ann", plex.library.movies[0])
    await plex.webhooks.idle()
    assert plex.webhooks.delivered == [("media.play", 0)]
