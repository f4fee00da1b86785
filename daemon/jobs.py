"""One task from its claim to its recorded outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from daemon.clock import Clock
from daemon.custody import Custody, entered
from daemon.dispatch import Dispatcher
from daemon.errors import NoSpace, OndeckdError, Skipped, StateError, Unforeseen
from daemon.feed import Feed
from daemon.holds import LEVELS, Holds
from daemon.live import Live
from daemon.metrics import Metrics
from daemon.model import Entry, Task, TaskKind, TaskState
from daemon.plexlinks import PlexLinks
from daemon.progress import Progress
from daemon.state import ledger, tasks
from daemon.state.store import Connection, Store

log = structlog.get_logger()

_ATTEMPTS = 5
_BACK_OFF = 5.0
"""Seconds before the second attempt; doubled for each further one."""
_REST, _LONG_REST = 3600.0, 86_400.0
"""Seconds for which a file that failed is left alone, unless it is played or asked for again: one that may succeed
later, and one of which nobody knows why it should."""
_FULL_ARRAY = 600.0
"""Seconds after which a file that found no room on the array is tried again: each try wakes a disk."""
_ROOM_BACK_OFF = 60.0
"""The same as `_BACK_OFF` for a file that is larger than the room that was counted on."""


class Jobs:
    """Performs tasks and records each outcome together with the ledger, in one transaction."""

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        feed: Feed,
        metrics: Metrics,
        dispatcher: Dispatcher,
        custody: Custody,
        progress: Progress,
        holds: Holds,
        links: PlexLinks,
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._feed = feed
        self._metrics = metrics
        self._dispatcher = dispatcher
        self._custody = custody
        self._progress = progress
        self._holds = holds
        self._links = links
        self._performing: dict[int, asyncio.Task[list[Entry] | OndeckdError]] = {}
        self._taken_back: set[int] = set()

    def take_back(self, task_id: int) -> None:
        """End a running task as cancelled: nobody wants it any more."""
        if performing := self._performing.get(task_id):
            self._taken_back.add(task_id)
            performing.cancel()

    def abandon_all(self) -> None:
        """End all running tasks cleanly; their rows wait again."""
        for performing in self._performing.values():
            performing.cancel()

    async def attend(self, task: Task) -> None:
        """Run one task and record how it ended, whatever happens."""
        try:
            # Only the work itself can be taken back. Once it has ended, its outcome is recorded in any case.
            async with asyncio.TaskGroup() as group:
                performing = group.create_task(self._attempt(task), name=f"task-{task.id}")
                self._performing[task.id] = performing
            del self._performing[task.id]
            if performing.cancelled():
                await self._cancelled(task)
            elif isinstance(result := performing.result(), OndeckdError):
                await self._failed(task, result)
            else:
                await self._succeeded(task, result)
        except asyncio.CancelledError:
            await self._put_back(task, "interrupted by the end of the daemon")
            raise
        finally:
            self._performing.pop(task.id, None)
            self._taken_back.discard(task.id)
            self._progress.forget(task.id)

    async def _attempt(self, task: Task) -> list[Entry] | OndeckdError:
        try:
            return await self._perform(task)
        except StateError:
            raise  # not this task's fault, and there is nowhere to write it down
        except OndeckdError as error:
            return error
        except Exception as error:  # the one boundary: an unforeseen fault costs this task, not the daemon
            log.exception("unforeseen", task=task.id, path=task.file.array_path)
            return Unforeseen(f"unforeseen: {error!r}")

    async def _perform(self, task: Task) -> list[Entry]:
        self._tell(task, TaskState.RUNNING)
        path, mapping = task.file.array_path, task.file.mapping
        busy = partial(self._dispatcher.is_streaming, mapping)
        if task.kind is TaskKind.EVICT:
            return await self._custody.evict(path, self._reporter(task), busy=busy)
        self._links.demand(mapping)
        report = self._reporter(task, sidecars=await self._sidecars(path))
        entries = await self._custody.cache_in(task.file, report, busy=busy)
        try:
            await self._links.look(entries[0])
        except Skipped:
            await self._custody.give_back(entries)
            raise
        return entries

    async def _sidecars(self, path: str) -> int:
        """Return how many bytes are likely to come with a video."""
        if self._live.settings.transfer.sidecars == "none":
            return 0
        return (await self._store.run(lambda c: ledger.remembered_sidecars(c, [path]))).get(path, 0)

    def _reporter(self, task: Task, *, sidecars: int = 0) -> Callable[[int, int], None]:
        report = self._progress.reporter(task)
        expected = task.file.size + sidecars if sidecars else 0
        if expected:
            report(0, expected)
        back = task.kind is TaskKind.EVICT
        begun: float | None = None

        def heard(done: int, total: int) -> None:
            nonlocal begun
            # Only now, because a copy that finds no room is tried again and again without ever beginning.
            if begun is None:
                begun = self._clock.now()
                event = "copy_back_started" if back else "cache_in_started"
                log.info(event, path=task.file.array_path, bytes=total, why=task.why, task=task.id)
            # Sidecars are counted when their turn comes, and their room must not be given away till then.
            report(done, max(total, expected))
            if back and done == total:
                self._metrics.copied("to_array", total, self._clock.now() - begun)
                begun = None

        return heard

    async def _succeeded(self, task: Task, entries: list[Entry]) -> None:
        now = self._clock.now()

        def outcome(connection: Connection) -> None:
            if task.kind is TaskKind.CACHE_IN:
                entered(connection, entries)
                ledger.note_playing(connection, now)
            tasks.finish(connection, task.id, TaskState.SUCCEEDED, now)

        await self._store.run(outcome)
        self._holds.succeeded(task.file.mapping, task.kind)
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
        about = {"task": task.id, "path": task.file.array_path, "kind": task.kind, "why": str(error)}
        held = await self._holds.blame(task.file.mapping, error)
        if held and not isinstance(error, NoSpace):
            log.debug("task_waits", **about)
            await self._put_back(task, str(error))
            return
        if held and task.kind is TaskKind.EVICT:
            # A full array says nothing about the file. Another may fit, so this one does not go first.
            log.debug("task_waits", **about)
            await self._put_back(task, str(error), not_before=self._clock.now() + _FULL_ARRAY)
            return
        if not error.retry or task.attempts >= _ATTEMPTS:
            log.log(LEVELS[error.level], "task_failed", **about)
            rest = _REST if error.retry else _LONG_REST
            await self._end(task, TaskState.FAILED, error=str(error), rest=rest)
            return
        log.log(LEVELS["debug" if held else "info"], "task_waits", **about)
        # A file that turned out too large must not keep smaller ones waiting behind it.
        pause = _ROOM_BACK_OFF if isinstance(error, NoSpace) else _BACK_OFF
        wait = pause * 2 ** (task.attempts - 1)
        await self._put_back(task, str(error), not_before=self._clock.now() + wait, spent=True)
        if isinstance(error, NoSpace):
            self._dispatcher.request_replan()

    async def _cancelled(self, task: Task) -> None:
        if task.id in self._taken_back:
            await self._end(task, TaskState.CANCELLED, error="taken back")
        else:
            await self._put_back(task, "stopped by hand")

    async def _put_back(self, task: Task, why: str, *, not_before: float = 0.0, spent: bool = False) -> None:
        await self._store.run(
            lambda connection: tasks.put_back(
                connection, task.id, self._clock.now(), not_before=not_before, error=why, spent=spent
            )
        )
        self._tell(task, TaskState.QUEUED)
        await self._custody.recover(task.file.array_path)

    async def _end(self, task: Task, state: TaskState, *, error: str, rest: float = 0.0) -> None:
        now = self._clock.now()
        again = now + rest if rest else 0.0
        await self._store.run(
            lambda connection: tasks.finish(connection, task.id, state, now, error=error, again_after=again)
        )
        await self._custody.recover(task.file.array_path)
        self._tell(task, state)
        self._dispatcher.request_replan()

    def _tell(self, task: Task, state: TaskState) -> None:
        self._feed.publish("task", {"id": task.id, "kind": task.kind, "file": task.file.plex_path, "state": state})
