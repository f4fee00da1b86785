"""Signals as events: ask to stop, insist, reload."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STOP = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def signals(stop: asyncio.Event, force: asyncio.Event, reload: Callable[[], None]) -> Iterator[None]:
    """Translate signals of the running loop for as long as the context lasts.

    SIGTERM or SIGINT sets `stop`; a second one sets `force`. SIGHUP calls `reload` in the loop, so it must
    return at once. What was installed before is put back at the end.
    """
    loop = asyncio.get_running_loop()

    def ask_to_stop() -> None:
        (force if stop.is_set() else stop).set()

    before = {number: signal.getsignal(number) for number in (*_STOP, signal.SIGHUP)}
    for number in _STOP:
        loop.add_signal_handler(number, ask_to_stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            # None: something other than Python had installed it, and Python cannot put it back.
            if handler is not None:
                signal.signal(number, handler)
