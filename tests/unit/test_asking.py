"""A file system that hangs costs one thread and a little patience, not the daemon."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from daemon.asking import Asker


async def test_an_answer_or_an_error_comes_back() -> None:
    with ThreadPoolExecutor(1) as executor:
        asker = Asker(executor)
        assert await asker.ask("a", divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await asker.ask("a", divmod, 7, 0)
        assert not asker.hangs


async def test_a_question_that_hangs_takes_one_thread_however_often_it_is_asked() -> None:
    released = threading.Event()
    asked = []

    def hang() -> str:
        asked.append(1)
        released.wait()
        return "at last"

    with ThreadPoolExecutor(4) as executor:
        asker = Asker(executor, patience=0.01)
        for _ in range(10):
            with pytest.raises(TimeoutError):
                await asker.ask("dead", hang)
        assert len(asked) == 1
        assert asker.hangs
        assert await asker.ask("alive", str, 1) == "1"

        released.set()
        assert await Asker(executor).ask("dead", hang) == "at last"
