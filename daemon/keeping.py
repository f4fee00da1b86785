"""What keeps the files: the tiers, who may touch them, and whether the array is awake."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress

from daemon.asking import Asker
from daemon.custody import Custody
from daemon.dispatch import Dispatcher
from daemon.errors import UnmappedPath
from daemon.feed import Feed
from daemon.given import Given
from daemon.holds import Holds
from daemon.interop.unraid import read_spinning
from daemon.live import Live
from daemon.metrics import Metrics
from daemon.quiet import ArrayWatch
from daemon.reconcile import Reconcile
from daemon.storage.placement import Placement


class Keeping:
    """The placement with its custody, what looks after the copies, and the watch over the arrays."""

    def __init__(
        self,
        given: Given,
        live: Live,
        feed: Feed,
        metrics: Metrics,
        dispatcher: Dispatcher,
        asker: Asker,
        holds: Holds,
    ) -> None:
        self._live = live
        self._asker = asker
        self.arrays = ArrayWatch(
            live,
            given.clock,
            feed,
            metrics,
            dispatcher.tasks_added,
            streams=dispatcher.is_streaming,
            begun_at=given.clock.now(),
            disks=lambda: asker.ask("spinning disks", read_spinning),
        )
        self.placement = Placement(
            live.mappings,
            live.settings.transfer,
            given.executor,
            on_touch=self.arrays.touched,
            keep_free=self.keep_free,
            now=given.clock.now,
        )
        self.custody = Custody(given.store, self.placement)
        self.reconcile = Reconcile(
            given.store,
            self.placement,
            self.custody,
            feed,
            replan=dispatcher.request_replan,
            trouble=holds.blame,
            dry_run=given.dry_run,
        )

    async def brought(self, plex_paths: Collection[str]) -> None:
        """Take the array for used where a new file has just been put onto it, and not onto the cache."""
        for path in plex_paths:
            with suppress(UnmappedPath, OSError, TimeoutError):
                file = self._live.mappings.locate(path)
                if not await self._asker.ask(f"new in {file.mapping}", os.path.lexists, file.cache_path):
                    self.arrays.brought(file.mapping)

    def keep_free(self, total: int) -> int:
        """Return how many bytes of a cache file system of that size must stay free."""
        space = self._live.settings.space
        beyond_limit = total - space.limit.of(total) if space.limit else 0
        return max(beyond_limit, space.min_free.of(total))
