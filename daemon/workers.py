"""The bounded pool: claims tasks, runs them, records each outcome together with the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from daemon.clock import Clock
from daemon.dispatch import Dispatcher
from daemon.errors import AnchorMissing, NoSpace, OndeckdError, StorageError, TierUnavailable, UnsafeEvict
from daemon.feed import Feed
from daemon.holds import LEVELS, Holds
from daemon.live import Live
from daemon.metrics import Metrics
from daemon.model import Entry, Task, TaskKind, TaskState
from daemon.progress import Progress
from daemon.state import journal, ledger, tasks
from daemon.state.store import Connection, Store
from daemon.storage.placement import Placement

log = structlog.get_logger()

_ATTEMPTS = 5
_BACK_OFF = 5.0
"""Seconds before the second attempt; doubled for each further one."""
_REST = 3600.0
"""Seconds for which a file that failed is left alone, unless it is played or asked for again."""


class Workers:
    """Runs tasks until told to stop.

    `paused` stops new tasks. `stop` lets running ones finish; cancelling `run` abandons them safely: the temporary
    file goes, the row waits again.
    """

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        feed: Feed,
        metrics: Metrics,
        dispatcher: Dispatcher,
        placement: Placement,
        progress: Progress,
        holds: Holds,
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._feed = feed
        self._metrics = metrics
        self._dispatcher = dispatcher
        self._placement = placement
        self._progress = progress
        self._holds = holds
        self._jobs: dict[int, asyncio.Task[None]] = {}
        self._taken_back: set[int] = set()
        self._started: dict[TaskKind, int] = dict.fromkeys(TaskKind, 0)
        self._stopping = False
        self.paused = False

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

    def cancel(self, task_ids: Sequence[int]) -> None:
        """Take running tasks back: their temporary files go, their rows end as cancelled."""
        for task_id in task_ids:
            if job := self._jobs.get(task_id):
                self._taken_back.add(task_id)
                job.cancel()

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
                async with asyncio.TaskGroup() as group:
                    self._jobs[task.id] = group.create_task(self._attend(task), name=f"task-{task.id}")
                del self._jobs[task.id]
                self._taken_back.discard(task.id)
        finally:
            self._started[kind] -= 1

    async def _claim(self, kind: TaskKind) -> tuple[Task | None, float | None]:
        """Return the next task, or None and how many seconds there is nothing to do unless the bell rings."""
        if self.paused:
            return None, None
        now = self._clock.now()
        held = self._holds.held(now)

        def work(connection: Connection) -> tuple[Task | None, float | None]:
            found = tasks.claim(connection, kind, now, held=held)
            return found, None if found else tasks.next_wait(connection, now)

        found, moment = await self._store.run(work)
        moments = [one for one in (moment, self._holds.next_release(now)) if one is not None]
        return found, max(0.0, min(moments) - now) if moments else None

    async def _attend(self, task: Task) -> None:
        """Run one task and record how it ended, also when it is cancelled."""
        try:
            entries = await self._perform(task)
        except asyncio.CancelledError:
            await self._cancelled(task)
            if task.id not in self._taken_back:
                raise
        except OndeckdError as error:
            await self._failed(task, error)
        except Exception as error:  # the one boundary: an unforeseen fault costs this task, not the daemon
            log.exception("task_failed", task=task.id, path=task.file.array_path, why="unforeseen")
            await self._end(task, TaskState.FAILED, error=f"unforeseen: {error!r}")
        else:
            await self._succeeded(task, entries)
        finally:
            self._progress.forget(task.id)

    async def _perform(self, task: Task) -> list[Entry]:
        self._tell(task, TaskState.RUNNING)
        path = task.file.array_path

        def read(connection: Connection) -> tuple[list[Entry], list[Entry]]:
            return ledger.family(connection, path), journal.of_file(connection, path)

        family, arriving = await self._store.run(read)
        if task.kind is TaskKind.EVICT:
            for entry in family:
                await self._evict(entry)
            return family
        log.info("cache_in_started", path=path, bytes=task.file.size, why=task.why, task=task.id)
        return await self._placement.cache_in(
            task.file,
            self._progress.reporter(task),
            known={entry.file.array_path: entry for entry in (*arriving, *family)},
            busy=lambda: (
                self._live.settings.transfer.yield_to_playback and self._dispatcher.is_streaming(task.file.mapping)
            ),
            publishing=self._publishing,
        )

    async def _publishing(self, entry: Entry) -> None:
        await self._store.run(lambda connection: journal.begin(connection, entry))

    async def settle_journal(self) -> list[Entry]:
        """Bring ledger and disk together after a crash: what had got its final name is entered, the rest forgotten.

        What lies on a cache that cannot be reached is left for the task that comes back to it.
        """
        entered = []
        for entry in await self._store.run(journal.rows):
            try:
                stands = await self._placement.stands(entry)
            except StorageError as error:
                log.warning("recovery_waits", path=entry.file.array_path, why=str(error))
                continue
            await self._store.run(partial(_settle, entry=entry, stands=stands))
            if stands:
                entered.append(entry)
        return entered

    async def _evict(self, entry: Entry) -> None:
        path = entry.file.array_path
        try:
            await self._placement.evict(entry)
        except UnsafeEvict as error:
            if not entry.parent:
                raise
            # The video has gone by now; what is left of it is kept, shown, and tried again by itself.
            log.error("evict_refused", path=path, why=str(error))
            return
        await self._store.run(lambda connection: ledger.drop_entry(connection, path))

    async def _succeeded(self, task: Task, entries: list[Entry]) -> None:
        now = self._clock.now()

        def outcome(connection: Connection) -> None:
            if task.kind is TaskKind.CACHE_IN:
                ledger.put_entries(connection, entries)
                for entry in entries:
                    journal.end(connection, entry.file.array_path)
            tasks.finish(connection, task.id, TaskState.SUCCEEDED, now)

        await self._store.run(outcome)
        self._holds.release(task.file.mapping)
        size = sum(entry.file.size for entry in entries)
        seconds = now - (task.started_at or now)
        if task.kind is TaskKind.CACHE_IN:
            self._metrics.copied("to_cache", size, seconds)
            log.info(
                "cache_in_finished", path=task.file.array_path, bytes=size, seconds=round(seconds, 3), task=task.id
            )
        else:
            log.info("evict_finished", path=task.file.array_path, bytes=size, why=task.why, task=task.id)
        self._tell(task, TaskState.SUCCEEDED)
        self._feed.publish("entry", {"array_path": task.file.array_path, "cached": task.kind is TaskKind.CACHE_IN})
        self._dispatcher.request_replan()

    async def _failed(self, task: Task, error: OndeckdError) -> None:
        now = self._clock.now()
        if isinstance(error, NoSpace | AnchorMissing | TierUnavailable):
            self._holds.hold(task.file.mapping, error, now)
        if error.retry and (not error.counts or task.attempts < _ATTEMPTS):
            wait = _BACK_OFF * 2 ** (task.attempts - 1) if error.counts else 0.0
            await self._store.run(
                lambda connection: tasks.put_back(
                    connection, task.id, not_before=now + wait, error=str(error), spent=error.counts
                )
            )
            log.log(LEVELS[error.level], "task_put_back", task=task.id, path=task.file.array_path, why=str(error))
            self._tell(task, TaskState.QUEUED)
            if isinstance(error, NoSpace):
                self._dispatcher.request_replan()
            return
        log.log(
            LEVELS[error.level], "task_failed", task=task.id, path=task.file.array_path, kind=task.kind, why=str(error)
        )
        await self._end(task, TaskState.FAILED, error=str(error))

    async def _cancelled(self, task: Task) -> None:
        now = self._clock.now()
        if task.id in self._taken_back:
            await self._end(task, TaskState.CANCELLED, error="no longer wanted")
            return
        await self._store.run(
            lambda connection: tasks.put_back(
                connection, task.id, not_before=now, error="interrupted by the end of the daemon", spent=False
            )
        )

    async def _end(self, task: Task, state: TaskState, *, error: str) -> None:
        now = self._clock.now()
        rest = now + _REST if state is TaskState.FAILED else 0.0
        await self._store.run(
            lambda connection: tasks.finish(connection, task.id, state, now, error=error, again_after=rest)
        )
        self._tell(task, state)
        self._dispatcher.request_replan()

    def _tell(self, task: Task, state: TaskState) -> None:
        self._feed.publish("task", {"id": task.id, "kind": task.kind, "file": task.file.plex_path, "state": state})


def _settle(connection: Connection, *, entry: Entry, stands: bool) -> None:
    if stands:
        ledger.put_entries(connection, [entry])
    journal.end(connection, entry.file.array_path)
