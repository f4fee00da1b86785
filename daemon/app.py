"""The composition root: opens the resources, starts the tasks, ends them in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack

import structlog

from daemon import __version__
from daemon.clock import Clock
from daemon.config import Loaded, demand_runnable, state_directory
from daemon.core import Core
from daemon.errors import OndeckdError
from daemon.executor import executor_for
from daemon.given import Given, Remembered
from daemon.lock import single_instance
from daemon.reload import watch
from daemon.sdnotify import Notifier, watchdog
from daemon.signals import signals
from daemon.state.store import Store
from daemon.web.server import WebServer

log = structlog.get_logger()

_BACKUP_EVERY = 3600.0


class App:
    """The daemon. `run` lasts until `stop` is set; `force` set makes it abandon running copies.

    `ready` is set when it serves; from then on `url` is the address of its HTTP server and `core` its rooms.
    """

    def __init__(
        self, loaded: Loaded, env: Mapping[str, str], *, clock: Clock | None = None, dry_run: bool = False
    ) -> None:
        self._loaded = loaded
        self._env = env
        self._clock = clock or Clock()
        self._dry_run = dry_run
        self._notifier = Notifier(env)
        self.stop = asyncio.Event()
        self.force = asyncio.Event()
        self.ready = asyncio.Event()
        self._reload_wanted = asyncio.Event()
        self.url = ""
        self.core: Core

    async def run(self) -> None:
        """Run until told to stop. Any fault of any part ends the whole."""
        demand_runnable(self._loaded.settings)
        directory = state_directory(self._loaded.settings, self._env)
        async with AsyncExitStack() as stack:
            stack.enter_context(signals(self.stop, self.force, self._reload_wanted.set))
            stack.enter_context(single_instance(directory))
            store = await stack.enter_async_context(Store(directory))
            # Threads that hang in a dead disk's reads must not hold up the end of the process.
            executor = executor_for(self._loaded.settings)
            stack.callback(executor.shutdown, wait=False, cancel_futures=True)
            self.core = Core(
                Given(
                    self._loaded,
                    self._env,
                    store,
                    self._clock,
                    self._notifier,
                    executor,
                    directory,
                    self._reload_wanted,
                    await store.run(Remembered.read),
                    self._dry_run,
                )
            )
            stack.push_async_callback(self.core.library.close)
            if await self._recovered():
                await self._live(store)
            self._notifier.stopping("Stopped")
        log.info("daemon_stopped")

    async def _recovered(self) -> bool:
        """Bring rows and disk together; return False where that was interrupted by a stop."""
        async with asyncio.TaskGroup() as group:
            recovering = group.create_task(self.core.recover(), name="recovery")
            stopping = group.create_task(self.stop.wait(), name="stopping")
            await asyncio.wait({recovering, stopping}, return_when=asyncio.FIRST_COMPLETED)
            # What is left undone is done at the next start.
            recovering.cancel()
            stopping.cancel()
        return not self.stop.is_set()

    async def _live(self, store: Store) -> None:
        core = self.core
        async with asyncio.TaskGroup() as outer:
            work = outer.create_task(core.work(), name="workers")
            inner = outer.create_task(self._sources(store), name="sources")
            await self.stop.wait()
            self._notifier.stopping("Stopping: running copies end")
            inner.cancel()
            await asyncio.wait({inner})
            core.workers.stop()
            insisted = outer.create_task(self.force.wait(), name="insisted")
            grace = core.live.settings.state.shutdown_grace
            await asyncio.wait({work, insisted}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
            work.cancel()
            insisted.cancel()

    async def _sources(self, store: Store) -> None:
        core = self.core
        async with core.sourcing.outbound, WebServer(core.web_context()) as server, asyncio.TaskGroup() as group:
            self.url = server.url
            group.create_task(core.dispatcher.run(), name="planner")
            group.create_task(core.listener.run(), name="listener")
            group.create_task(core.reloading.run(), name="reload")
            group.create_task(core.sourcing.refresher.run(), name="refresh")
            group.create_task(core.following.run(), name="library changes")
            group.create_task(core.reconcile.run(), name="reconcile")
            group.create_task(core.tell_status(), name="status")
            group.create_task(core.health.watch(core.feed, self._clock), name="checks")
            group.create_task(self._backups(store), name="backups")
            group.create_task(watchdog(self._notifier, core.answers, self._clock), name="watchdog")
            if self._loaded.path:
                group.create_task(watch(self._loaded.path, core.reloading.wanted.set), name="watch")
            self._notifier.ready(core.status_line())
            log.info("daemon_ready", version=__version__, url=server.url, dry_run=self._dry_run)
            self.ready.set()

    async def _backups(self, store: Store) -> None:
        while True:
            await self._clock.sleep(_BACKUP_EVERY)
            await self.core.dispatcher.forget_old()
            await store.backup()


def _leaves(group: ExceptionGroup) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _only_foreseen(group: ExceptionGroup) -> list[OndeckdError]:
    """Return the errors of ours that a group, of groups, holds, each once; none if there is any other among them."""
    leaves = list(_leaves(group))
    ours = {str(error): error for error in leaves if isinstance(error, OndeckdError)}
    return list(ours.values()) if all(isinstance(error, OndeckdError) for error in leaves) else []


async def serve(loaded: Loaded, env: Mapping[str, str], *, dry_run: bool = False) -> int:
    """Run the daemon and return the exit code: 0 stopped, 1 fault.

    The one OndeckdError for which it cannot start goes to the caller.
    """
    # A full collection would walk all modules again: tens of milliseconds in the midst of a start.
    gc.collect()
    gc.freeze()
    app = App(loaded, env, dry_run=dry_run)
    code = 0
    try:
        await app.run()
    except ExceptionGroup as group:
        foreseen = _only_foreseen(group)
        if len(foreseen) == 1 and not app.ready.is_set():
            raise foreseen[0] from group
        for error in foreseen:
            log.error("daemon_failed", why=str(error))
        if not foreseen:
            log.exception("daemon_failed")
        code = 1
    if app.core.hangs():
        # Python would wait at its end for threads that hang in a dead disk's reads: for ever.
        logging.shutdown()
        os._exit(code)
    return code
