"""The composition root: opens the resources, starts the tasks, ends them in order."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack

import structlog

from daemon import __version__
from daemon.clock import Clock
from daemon.config import Loaded, demand_runnable, state_directory
from daemon.core import Core, executor_for
from daemon.errors import OndeckdError
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
        self.url = ""
        self.core: Core

    async def run(self) -> None:
        """Run until told to stop. Any fault of any part ends the whole."""
        demand_runnable(self._loaded.settings)
        directory = state_directory(self._loaded.settings, self._env)
        async with AsyncExitStack() as stack:
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
                    await store.run(Remembered.read),
                    self._dry_run,
                )
            )
            stack.push_async_callback(self.core.library.close)
            await self.core.recover()
            stack.enter_context(signals(self.stop, self.force, self.core.reloading.wanted.set))
            await self._live(store)
            self._notifier.stopping("Stopped")
        log.info("daemon_stopped")

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
        async with WebServer(core.web_context()) as server, asyncio.TaskGroup() as group:
            self.url = server.url
            group.create_task(core.dispatcher.run(), name="planner")
            group.create_task(core.listener.run(), name="listener")
            group.create_task(core.reloading.run(), name="reload")
            group.create_task(core.refresh_regularly(), name="refresh")
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
            await store.backup()


def _only_foreseen(error: Exception) -> OndeckdError | None:
    """Return the one error of ours that a group, of groups, holds."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        (error,) = error.exceptions
    return error if isinstance(error, OndeckdError) else None


async def serve(loaded: Loaded, env: Mapping[str, str], *, dry_run: bool = False) -> int:
    """Run the daemon and return the exit code: 0 stopped, 1 fault. OndeckdError goes to the caller."""
    app = App(loaded, env, dry_run=dry_run)
    code = 0
    try:
        await app.run()
    except ExceptionGroup as group:
        if foreseen := _only_foreseen(group):
            raise foreseen from group
        log.exception("daemon_failed")
        code = 1
    if app.core.hangs():
        # Python would wait at its end for threads that hang in a dead disk's reads: for ever.
        logging.shutdown()
        os._exit(code)
    return code
