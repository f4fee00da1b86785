"""What a person asks to have done with files: cached, evicted."""

from __future__ import annotations

from daemon.clock import Clock
from daemon.dispatch import Dispatcher
from daemon.errors import TargetBusy, TargetNotFound
from daemon.jobs import Jobs
from daemon.live import Live
from daemon.model import Changes, File, Item, Retention, TaskKind
from daemon.plex.library import PlexLibrary
from daemon.plex.listener import Listener
from daemon.reconcile import Reconcile
from daemon.state import demands, ledger, pins, plays, sources, tasks
from daemon.state.store import Connection, Store
from daemon.targets import rating_key_in
from handlers.retention import released

_BY_HAND = 100
"""Priority of what a person asks for."""


class ByHand:
    """Does what a person asks for. `dry_run` refuses all of it."""

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        dispatcher: Dispatcher,
        jobs: Jobs,
        library: PlexLibrary,
        listener: Listener,
        reconcile: Reconcile,
        *,
        dry_run: bool,
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._dispatcher = dispatcher
        self._jobs = jobs
        self._library = library
        self._listener = listener
        self._reconcile = reconcile
        self._dry_run = dry_run

    async def cache(self, target: str) -> list[int]:
        """Bring a target onto the cache for at least ``after_stopped``; return the task ids."""
        self.refuse_in_dry_run()
        items = await self.resolve(target)
        files = [self._live.mappings.resolve(one.plex_path, one.size) for item in items for one in item.files]
        await self._reconcile.look(file.plex_path for file in files)
        now = self._clock.now()
        keep = now + max(self._live.settings.retention.after_stopped, self._live.settings.retention.min_stay)
        ids: list[int] = []

        def work(connection: Connection) -> None:
            demands.put_items(connection, items)
            sources.accept(connection, [item.rating_key for item in items])
            kept = tuple(Retention(item.rating_key, "", keep, "asked for") for item in items)
            demands.apply(connection, Changes(put_retentions=kept))
            for file in files:
                if ledger.get_entry(connection, file.array_path) is None:
                    new = tasks.NewTask(TaskKind.CACHE_IN, file, _BY_HAND, "asked for", forced=True)
                    ids.append(tasks.put(connection, new, now))

        await self._dispatcher.change(work)
        self._dispatcher.tasks_added.ring()
        return ids

    async def evict(self, target: str) -> list[int]:
        """Take a target off the cache, or back from its way there; drop every wish for it; refuse what plays.

        Return the ids of the tasks that begin or end by this.
        """
        self.refuse_to_evict()
        keys, files = await self._held(target)
        now = self._clock.now()
        ended: list[int] = []
        ids: list[int] = []

        def work(connection: Connection) -> None:
            playing = {play.rating_key for play in plays.open_plays(connection)}
            affected = {key for file in files for key in demands.keys_of_file(connection, file.plex_path)} | keys
            if playing & affected:
                raise TargetBusy(f"{target} is being played; it can be evicted once that has stopped")
            if pinned := [pin.title for key in affected for pin in pins.covering(connection, key)]:
                raise TargetBusy(
                    f"{target} is pinned by {', '.join(dict.fromkeys(pinned))}; `ondeckd unpin` comes first"
                )
            for key in affected:
                wishes = demands.demands_of_item(connection, key)
                kept = demands.retentions_of_item(connection, key)
                demands.apply(connection, released(wishes, kept))
            sources.decline(connection, affected, now)
            for file in files:
                ended.extend(tasks.take_back_waiting(connection, file.array_path, now))
                if ledger.get_entry(connection, file.array_path):
                    new = tasks.NewTask(TaskKind.EVICT, file, _BY_HAND, "asked for", forced=True)
                    ids.append(tasks.put(connection, new, now))

        await self._dispatcher.change(work)
        for task_id in ended:
            self._jobs.take_back(task_id)
        self._dispatcher.tasks_added.ring()
        return [*ended, *ids]

    def refuse_in_dry_run(self) -> None:
        """Raise TargetBusy where nothing may be moved."""
        if self._dry_run:
            raise TargetBusy("this is a dry run: it decides and logs, and moves nothing")

    def refuse_to_evict(self) -> None:
        """Raise TargetBusy while nothing may be evicted."""
        self.refuse_in_dry_run()
        if not self._listener.sessions_known:
            raise TargetBusy("Plex cannot say what plays now, so nothing is evicted; try again when it answers")

    async def _held(self, target: str) -> tuple[set[str], list[File]]:
        """Return the rating keys and files of a target, from the rows alone where they know it."""
        if target.startswith("/") and not rating_key_in(target):
            file = self._live.mappings.from_local(target)
            if await self._store.run(lambda connection: ledger.get_entry(connection, file.array_path)):
                return set(), [file]
        items = await self.resolve(target)
        files = [self._live.mappings.locate(one.plex_path, one.size) for item in items for one in item.files]
        return {item.rating_key for item in items}, files

    async def resolve(self, target: str) -> list[Item]:
        """Return the movies and episodes that a rating key, a Plex URL or a path names."""
        key = rating_key_in(target)
        if key:
            items = await self._library.leaves(key)
        elif target.startswith("/"):
            found = await self._library.find_by_path(self._live.mappings.from_local(target).plex_path)
            items = [found] if found else []
        else:
            raise TargetNotFound(f"{target!r} is no rating key, no Plex URL and no absolute path")
        if not items:
            raise TargetNotFound(f"Plex has no movie or episode for {target!r}")
        return items
