"""Blocking file work in a bounded executor, without waiting for what hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar, TypeVarTuple

import structlog
from aiofiles.os import wrap

from daemon.errors import TierUnavailable

log = structlog.get_logger()

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PATIENCE = 120.0
"""Seconds after which a call counts as stalled. A disk that spins up needs less."""
MOST_STALLED = 2
"""So many threads a mapping may lose to calls that never come back; after that it is refused at once."""
_CLEANING = 5.0
"""Seconds for which tidying up is waited for; it goes on after that."""
_SUSPICIOUS = 10.0
"""Seconds after which a call that nobody waits for any more counts as stalled."""


class Threads:
    """Runs calls in the executor that the caller gives.

    A read from a dying disk cannot be interrupted. Such a call is waited for `patience` seconds, then its
    thread is left behind and the work fails with `TierUnavailable`. A mapping that has `MOST_STALLED` threads
    hanging gets no more until one comes back, so an executor with two threads for each worker and
    `MOST_STALLED` for each mapping on top never runs dry.
    """

    def __init__(self, executor: Executor, *, patience: float = PATIENCE) -> None:
        self._executor = executor
        self._patience = patience
        self._left: dict[str, list[_Job[Any]]] = {}

    async def run(self, mapping: str, call: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run a step to its end. A cancel stops the waiting, not the step, even if that has yet to begin."""
        job = _Job(lambda: call(*args))
        self._admit(mapping)
        return await self._await(mapping, job, self._begin(job), self._patience)

    async def slice(self, mapping: str, call: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run one slice of long work. A cancel drops it where it has not begun."""
        job = _Job(lambda: call(*args))
        self._admit(mapping)
        return await self._await(mapping, job, wrap(job.run)(executor=self._executor), self._patience)

    async def clean(self, mapping: str, call: Callable[[*Ts], None], *args: *Ts) -> None:
        """Tidy up, also beside hanging calls. It is waited for a few seconds only, and goes on after them."""
        job = _Job(lambda: call(*args))
        try:
            await self._await(mapping, job, self._begin(job), min(_CLEANING, self._patience))
        except TierUnavailable as error:
            log.warning("cleaning_hangs", mapping=mapping, why=str(error))

    def stalled(self, mapping: str) -> int:
        """Return how many threads hang in calls to the tiers of this mapping."""
        left = [job for job in self._left.get(mapping, ()) if not job.done]
        self._left[mapping] = left
        late = time.monotonic() - min(_SUSPICIOUS, self._patience)
        return sum(job.begun is not None and job.begun <= late for job in left)

    def _begin(self, job: _Job[T]) -> asyncio.Future[T]:
        answer = asyncio.get_running_loop().run_in_executor(self._executor, job.run)
        # Where the caller has been cancelled, nobody else looks at why it fails after that.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        return asyncio.shield(answer)

    def _admit(self, mapping: str) -> None:
        if self.stalled(mapping) >= MOST_STALLED:
            raise TierUnavailable(f"{mapping}: earlier reads or writes still hang")

    async def _await(self, mapping: str, job: _Job[T], answer: Awaitable[T], patience: float) -> T:
        try:
            async with asyncio.timeout(patience) as limit:
                return await answer
        except TimeoutError as error:
            # ETIMEDOUT from a network file system is a TimeoutError too, but one that has come back.
            if not limit.expired():
                raise
            raise TierUnavailable(f"{mapping}: no answer for {patience:g} s") from error
        finally:
            if job.begun is not None and not job.done:
                self._left.setdefault(mapping, []).append(job)


class _Job(Generic[T]):
    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self.begun: float | None = None
        self.done = False

    def run(self) -> T:
        self.begun = time.monotonic()
        try:
            return self._call()
        finally:
            self.done = True
