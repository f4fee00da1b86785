"""A reload: read everything, check everything, then swap; or keep the old and say why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from daemon.config import Loaded, Settings, demand_runnable, load, restart_needed
from daemon.errors import ConfigError
from daemon.feed import Feed
from daemon.health import Health
from daemon.live import Live
from daemon.sdnotify import Notifier

log = structlog.get_logger()


class Reloading:
    """Applies a new configuration while the daemon runs.

    Whoever wants it sets `wanted`. `prepare` does what may yet show a fault (ConfigError, with nothing changed);
    `in_force` is called after each swap. Where the settings are as they were, nothing follows: whoever saves the file
    and sends SIGHUP as well means one reload.
    """

    def __init__(
        self,
        loaded: Loaded,
        env: Mapping[str, str],
        live: Live,
        health: Health,
        feed: Feed,
        notifier: Notifier,
        *,
        wanted: asyncio.Event,
        prepare: Callable[[Settings], None],
        in_force: Callable[[], None],
    ) -> None:
        self._path = loaded.path
        self._started_with = loaded.settings
        self._env = env
        self._live = live
        self._health = health
        self._feed = feed
        self._notifier = notifier
        self._prepare = prepare
        self._in_force = in_force
        self.wanted = wanted

    async def run(self) -> None:
        """Reload whenever it is wanted. Never returns."""
        while True:
            await self.wanted.wait()
            self.wanted.clear()
            self._notifier.reloading()
            await self._reload()
            self._notifier.ready()

    async def _reload(self) -> None:
        try:
            new = (await asyncio.to_thread(load, self._path, self._env)).settings
            demand_runnable(new)
            self._prepare(new)
        except ConfigError as error:
            self._reject(error.faults)
            return
        self._health.config_faults = ()
        if new == self._live.settings:
            log.info("config_reloaded", what="nothing changed")
            self._feed.publish("notice", {"level": "info", "text": "configuration read: nothing changed"})
            return
        self._health.needs_restart = tuple(restart_needed(self._started_with, new))
        self._live.swap(new)
        self._in_force()
        log.info("config_reloaded", needs_restart=list(self._health.needs_restart))
        self._feed.publish("notice", {"level": "info", "text": "configuration reloaded"})

    def _reject(self, faults: tuple[str, ...]) -> None:
        for fault in faults:
            log.error("config_rejected", why=fault)
        self._health.config_faults = faults
        self._feed.publish("notice", {"level": "error", "text": f"configuration rejected: {faults[0]}"})
