from __future__ import annotations

import asyncio
import gc
from concurrent.futures import Executor, Future
from typing import Any

from daemon.storage.threads import Threads


class _Held(Executor):
    """Begins nothing: what a call comes to is said by the test."""

    def submit(self, *_args: Any, **_more: Any) -> Future[Any]:
        self.answer: Future[Any] = Future()
        return self.answer


async def test_a_step_that_fails_after_its_caller_was_cancelled_is_not_complained_of() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
    executor = _Held()
    caller = asyncio.ensure_future(Threads(executor).run("TV", int))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait({caller})

    executor.answer.set_exception(OSError("gone"))
    del executor.answer
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    assert complaints == []
