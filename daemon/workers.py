"""The bounded pool: as many workers as the settings say, each claiming one task after the other."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from daemon.clock import Clock
from daemon.dispatch import Dispatcher
from daemon.holds import Holds
from daemon.jobs import Jobs
from daemon.live import Live
from daemon.model import Task, TaskKind
from daemon.planning.waiting import next_moment, ripe_before
from daemon.quiet import ArrayWatch
from daemon.state import tasks
from daemon.state.store import Connection, Store

_LOOK_AGAIN = 3.0
"""Seconds after which to look again whether the sessions are known."""


class Workers:
    """Runs tasks until told to stop.

    `may_evict` says whether all that plays now is recorded; while it is not, nothing leaves. `paused` stops new
    tasks. Without `arrays` nothing waits for an array to be awake. `stop` lets running ones finish; cancelling `run`
    abandons them safely: the temporary file goes, the row waits again.
    """

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        dispatcher: Dispatcher,
        jobs: Jobs,
        holds: Holds,
        *,
        may_evict: Callable[[], bool],
        arrays: ArrayWatch | None = None,
    ) -> None:
        self._may_evict = may_evict
        self._arrays = arrays
        self._store = store
        self._live = live
        self._clock = clock
        self._dispatcher = dispatcher
        self._jobs = jobs
        self._holds = holds
        self._started: dict[TaskKind, int] = dict.fromkeys(TaskKind, 0)
        self._stopping = False
        self.paused = False
        self.leaving = False
        """Whether evictions go on while paused."""

    async def run(self) -> None:
        """Keep as many workers as the settings say, until `stop` and the end of the last task."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                heard = self._dispatcher.tasks_added.rings
                for kind in TaskKind:
                    for index in range(self._started[kind], self._count(kind)):
                        self._started[kind] += 1
                        group.create_task(self._work(kind, index), name=f"{kind}-{index}")
                await self._dispatcher.tasks_added.wait(heard, None)

    def stop(self) -> None:
        """Claim nothing more; `run` returns when the running tasks have ended."""
        self._stopping = True
        self._dispatcher.tasks_added.ring()

    def awake(self) -> frozenset[str]:
        """Return the mappings for which nothing waits now."""
        schedule = self._live.settings.schedule
        if self._arrays is None or ripe_before(schedule, self._clock.now()) == math.inf:
            return frozenset(mapping.name for mapping in self._live.mappings.all)
        return frozenset(self._arrays.along())

    def _count(self, kind: TaskKind) -> int:
        transfer = self._live.settings.transfer
        return transfer.to_cache if kind is TaskKind.CACHE_IN else transfer.to_array

    async def _work(self, kind: TaskKind, index: int) -> None:
        try:
            while not self._stopping and index < self._count(kind):
                heard = self._dispatcher.tasks_added.rings
                task, wait = await self._claim(kind)
                if task is None:
                    await self._dispatcher.tasks_added.wait(heard, wait)
                    continue
                with self._arrays.during(task) if self._arrays else nullcontext():
                    await self._jobs.attend(task)
                # Who found another task of this file meanwhile could not claim it, and waits for the bell.
                if await self._store.run(partial(tasks.waits, array_path=task.file.array_path)):
                    self._dispatcher.tasks_added.ring()
        finally:
            self._started[kind] -= 1

    async def _claim(self, kind: TaskKind) -> tuple[Task | None, float | None]:
        """Return the next task, or None and how many seconds there is nothing to do unless the bell rings."""
        if self.paused and not (self.leaving and kind is TaskKind.EVICT):
            return None, None
        if kind is TaskKind.EVICT and not self._may_evict():
            return None, _LOOK_AGAIN  # what waits to leave may be playing now
        now, schedule = self._clock.now(), self._live.settings.schedule
        held = self._holds.held(kind)
        along = self._arrays.along() if self._arrays else {}
        ripe = ripe_before(schedule, now) if self._arrays else math.inf

        def work(connection: Connection) -> tuple[Task | None, list[float]]:
            if found := tasks.claim(connection, kind, now, held=held, ripe=ripe, along=along):
                return found, []
            moments = [tasks.next_wait(connection, now)]
            if (queued_at := tasks.next_ripe(connection, kind, ripe)) is not None:
                moments.append(next_moment(queued_at=queued_at, schedule=schedule, now=now))
            return None, [one for one in moments if one is not None]

        found, moments = await self._store.run(work)
        if (release := self._holds.next_release()) is not None:
            moments.append(release)
        return found, max(0.0, min(moments) - now) if moments else None
