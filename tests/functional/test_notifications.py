from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from daemon.clock import Clock
from daemon.demo.faults import Pace
from daemon.demo.server import DemoServer
from daemon.plex.frames import PlayingFrame
from daemon.plex.notifications import Notifications
from tests.support.plex import small_library

FAST = 50.0


class Waiting(Clock):
    """A clock that tells when somebody begins to wait: the client does so after each failure."""

    def __init__(self) -> None:
        super().__init__(FAST)
        self.waiting = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.waiting.set()
        await super().sleep(seconds)


class Ears:
    """What a client of the socket has told."""

    def __init__(self, url: str, token: str, **options: Any) -> None:
        self.clock = Waiting()
        self.frames: list[PlayingFrame] = []
        self.connections = 0
        self.losses = 0
        self._news = asyncio.Condition()
        self._wakes: set[asyncio.Task[None]] = set()
        self.client = Notifications(
            url=url,
            token=token,
            clock=self.clock,
            on_frame=self._frame,
            on_connected=self._connected,
            on_lost=self._lost,
            **options,
        )

    def _frame(self, frame: PlayingFrame) -> None:
        self.frames.append(frame)
        self._tell()

    def _connected(self) -> None:
        self.connections += 1
        self._tell()

    def _lost(self) -> None:
        self.losses += 1
        self._tell()

    def _tell(self) -> None:
        task = asyncio.get_running_loop().create_task(self._notify())
        self._wakes.add(task)
        task.add_done_callback(self._wakes.discard)

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def heard(self, *, frames: int = 0, connections: int = 0, losses: int = 0) -> None:
        async with self._news:
            await self._news.wait_for(
                lambda: len(self.frames) >= frames and self.connections >= connections and self.losses >= losses
            )


@asynccontextmanager
async def ears(plex: DemoServer, *, token: str | None = None, **options: Any) -> AsyncIterator[Ears]:
    found = Ears(plex.url, plex.token if token is None else token, **options)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(found.client.run())
        yield found
        task.cancel()


def problem(found: Ears) -> str:
    return found.client.state.problem


async def until_problem(found: Ears) -> str:
    """Wait until a first attempt has failed."""
    await found.clock.waiting.wait()
    return problem(found)


async def test_frames_arrive_and_the_token_travels_in_a_header_only() -> None:
    async with DemoServer(small_library()) as plex, ears(plex) as found:
        await found.heard(connections=1)
        movie = plex.library.movies[0]
        await plex.engine.play("Ann", movie, client="sofa")
        await found.heard(frames=1)
        assert (found.frames[0].rating_key, found.frames[0].client) == (movie, "sofa")
        assert found.client.state.connected
        assert found.client.state.last_frame_at is not None
        assert problem(found) == ""
        assert all(plex.token not in str(request) for request in plex.requests)


@pytest.mark.parametrize(
    "fault",
    [
        {"form": "legacy"},
        {"binary": True},
        {"double": True},
        {"pace": Pace(fragments=5)},
        {"pace": Pace(fragments=3, pause=0.05)},
        {"change": {"sessionKey": int, "ratingKey": int, "viewOffset": str}},
        {"without": ["clientIdentifier", "key"]},
    ],
    ids=str,
)
async def test_each_odd_frame_is_understood(fault: dict[str, Any]) -> None:
    async with DemoServer(small_library(), clock=Clock(FAST)) as plex, ears(plex) as found:
        await found.heard(connections=1)
        plex.faults.frames("playing", **fault)
        movie = plex.library.movies[0]
        await plex.engine.play("Ann", movie)
        await found.heard(frames=1)
        assert (found.frames[0].session_key, found.frames[0].rating_key) == ("1", movie)


async def test_garbage_is_counted_and_costs_nothing() -> None:
    async with DemoServer(small_library()) as plex, ears(plex) as found:
        await found.heard(connections=1)
        for rubbish in ("", "{", b"\xff\xfe", "[1]"):
            plex.frames.send_raw(rubbish)
        await plex.engine.play("Ann", plex.library.movies[0])
        await found.heard(frames=1)
        assert found.client.garbage == 4
        assert (found.connections, found.losses) == (1, 0)


@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_closed_connection_comes_back(code: int) -> None:
    async with DemoServer(small_library()) as plex, ears(plex) as found:
        for round_ in (1, 2, 3):
            await found.heard(connections=round_)
            await plex.sockets.drop(code)
            await found.heard(losses=round_)
        await found.heard(connections=4)
        await plex.engine.play("Ann", plex.library.movies[0])
        await found.heard(frames=1)


@pytest.mark.parametrize("mid_frame", [True, False])
async def test_a_broken_connection_comes_back(mid_frame: bool) -> None:
    async with DemoServer(small_library()) as plex, ears(plex) as found:
        await found.heard(connections=1)
        plex.sockets.abort(mid_frame=mid_frame)
        await found.heard(connections=2)
        await plex.engine.play("Ann", plex.library.movies[0])
        await found.heard(frames=1)


async def test_a_connection_that_has_silently_died_is_noticed_by_the_heartbeat() -> None:
    async with DemoServer(small_library()) as plex, ears(plex, heartbeat=0.1) as found:
        await found.heard(connections=1)
        plex.faults.half_open = True
        await found.heard(losses=1)
        plex.faults.half_open = False
        await found.heard(connections=2)


async def test_a_plex_that_starts_is_waited_for() -> None:
    async with DemoServer(small_library(), clock=Clock(FAST)) as plex:
        await plex.restart(maintenance_for=10.0)
        async with ears(plex) as found:
            assert await until_problem(found) == "Plex is starting (503)"
            assert not found.client.state.refused
            await found.heard(connections=1)


async def test_a_plex_that_is_away_is_waited_for() -> None:
    async with DemoServer(small_library()) as plex:
        await plex.go_down()
        async with ears(plex) as found:
            assert (await until_problem(found)).startswith("Plex cannot be reached")
            await plex.come_up()
            await found.heard(connections=1)


async def test_a_refused_token_is_told_apart_and_tried_slowly() -> None:
    async with DemoServer(small_library()) as plex, ears(plex, token="old") as found:
        assert await until_problem(found) == "Plex refuses the token (401)"
        assert found.client.state.refused
        began = len(plex.requests)
        await Clock(FAST).sleep(29.0)
        assert len(plex.requests) == began  # it waits for half a minute at least, not for a second


@pytest.mark.parametrize("status", [404, 429, 500, 200])
async def test_any_other_answer_is_no_reason_to_give_up(status: int) -> None:
    async with DemoServer(small_library()) as plex:
        plex.faults.http("websockets", status=status, times=2)
        async with ears(plex) as found:
            assert str(status) in await until_problem(found)
            await found.heard(connections=1)


async def test_the_first_failure_is_said_loudly_and_the_rest_quietly() -> None:
    async with DemoServer(small_library()) as plex:
        plex.faults.http("websockets", status=500, times=5)
        with capture_logs() as logs:
            async with ears(plex) as found:
                await found.heard(connections=1)
        levels = [entry["log_level"] for entry in logs if entry["event"] == "plex_lost"]
        assert levels == ["warning", *["debug"] * 4]
        assert [entry["log_level"] for entry in logs if entry["event"] == "plex_connected"] == ["info"]
        assert all(plex.token not in str(entry) for entry in logs)


async def test_a_refused_token_is_an_error_because_only_a_person_can_mend_it() -> None:
    async with DemoServer(small_library()) as plex:
        with capture_logs() as logs:
            async with ears(plex, token="old") as found:
                await until_problem(found)
        assert [entry["log_level"] for entry in logs if entry["event"] == "plex_lost"] == ["error"]


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        if request.path != "/stolen":
            raise web.HTTPFound("/stolen")
        return web.Response()

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found = Ears(f"http://127.0.0.1:{runner.addresses[0][1]}", "secret")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(found.client.run())
        await until_problem(found)
        task.cancel()
    await runner.cleanup()
    assert "/stolen" not in asked
