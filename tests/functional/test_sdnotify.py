"""What arrives at systemd's end of the socket."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.clock import Clock
from daemon.sdnotify import Notifier, watchdog


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


@pytest.fixture
def env(systemd: socket.socket) -> dict[str, str]:
    return {"NOTIFY_SOCKET": systemd.getsockname()}


class HandClock(Clock):
    """A clock whose sleeps end when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: asyncio.Queue[float] = asyncio.Queue()
        self.wake = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.put_nowait(seconds)
        await self.wake.wait()
        self.wake.clear()


def test_ready_comes_with_one_human_line(systemd: socket.socket, env: dict[str, str]) -> None:
    Notifier(env).ready("Watching 3\nsessions")

    assert systemd.recv(4096) == b"READY=1\nSTATUS=Watching 3 sessions"


def test_reloading_carries_its_time_in_the_same_datagram(systemd: socket.socket, env: dict[str, str]) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier(env).reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

    first, second = systemd.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    name, value = second.split("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(value) <= after


def test_the_other_words(systemd: socket.socket, env: dict[str, str]) -> None:
    notifier = Notifier(env)

    notifier.stopping()
    notifier.status("Plex is away")
    notifier.status("caf\udce9")
    notifier.alive()

    assert [systemd.recv(4096) for _ in range(4)] == [
        b"STOPPING=1",
        b"STATUS=Plex is away",
        b"STATUS=caf?",
        b"WATCHDOG=1",
    ]


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("")  # Linux chooses an abstract name
        sock.settimeout(5)
        Notifier({"NOTIFY_SOCKET": "@" + sock.getsockname()[1:].decode()}).ready()

        assert sock.recv(4096) == b"READY=1"


@pytest.mark.parametrize("name", ["", "relative", "vsock:2:1234"])
def test_without_a_socket_that_it_knows_it_does_nothing(name: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"})

    notifier.ready()

    assert notifier.watchdog == 0.0


def test_a_socket_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("2500000", "", 2.5),
        pytest.param("2500000", str(os.getpid()), 2.5, id="ours"),
        ("2500000", "1", 0.0),
        ("x", "", 0.0),
        ("", "", 0.0),
    ],
)
def test_the_watchdog_time_is_ours_only_if_it_names_us(
    env: dict[str, str], usec: str, pid: str, seconds: float
) -> None:
    assert Notifier({**env, "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}).watchdog == seconds


async def test_the_watchdog_hears_from_a_healthy_daemon_twice_per_time(
    systemd: socket.socket, env: dict[str, str]
) -> None:
    clock = HandClock()

    async def healthy() -> bool:
        return True

    async with asyncio.TaskGroup() as group:
        task = group.create_task(watchdog(Notifier({**env, "WATCHDOG_USEC": "30000000"}), healthy, clock))
        for _ in range(3):
            assert await clock.slept.get() == 15.0
            assert systemd.recv(4096) == b"WATCHDOG=1"
            clock.wake.set()
        task.cancel()


async def test_the_watchdog_hears_nothing_while_the_daemon_is_not_well(
    systemd: socket.socket, env: dict[str, str]
) -> None:
    clock = HandClock()
    answers = iter([True, False, False, True])
    heard = []

    async def healthy() -> bool:
        return next(answers)

    systemd.setblocking(False)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watchdog(Notifier({**env, "WATCHDOG_USEC": "30000000"}), healthy, clock))
        for _ in range(4):
            await clock.slept.get()
            try:
                heard.append(systemd.recv(4096))
            except BlockingIOError:
                heard.append(b"")
            clock.wake.set()
        task.cancel()

    assert heard == [b"WATCHDOG=1", b"", b"", b"WATCHDOG=1"]


async def test_the_watchdog_task_ends_at_once_where_nobody_watches(env: dict[str, str]) -> None:
    async def healthy() -> bool:
        raise AssertionError

    await watchdog(Notifier(env), healthy, Clock())
