"""Signals that are really raised, in this very process."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from daemon.signals import signals


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_asks_and_the_second_insists(number: int) -> None:
    stop, force = asyncio.Event(), asyncio.Event()
    with signals(stop, force, lambda: None):
        send(number)
        await stop.wait()
        assert not force.is_set()

        send(number)
        await force.wait()


async def test_a_hangup_reloads_and_does_not_stop() -> None:
    stop, force, reloads = asyncio.Event(), asyncio.Event(), asyncio.Queue[str]()
    with signals(stop, force, lambda: reloads.put_nowait("again")):
        for _ in range(2):
            send(signal.SIGHUP)
            assert await reloads.get() == "again"

    assert not stop.is_set()


async def test_what_was_installed_before_is_put_back() -> None:
    received: list[int] = []
    own = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, lambda number, _frame: received.append(number))
    try:
        mine = signal.getsignal(signal.SIGHUP)
        with signals(asyncio.Event(), asyncio.Event(), lambda: None):
            assert signal.getsignal(signal.SIGHUP) is not mine
        send(signal.SIGHUP)

        assert received == [signal.SIGHUP]
        assert signal.getsignal(signal.SIGINT) == own[signal.SIGINT]
        assert signal.getsignal(signal.SIGTERM) == own[signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, own[signal.SIGHUP])
