"""What the daemon answers and does for a person: the page, the API and the commands all end here."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from typing import Any

from daemon import __version__, views
from daemon.clock import Clock
from daemon.dispatch import Dispatcher
from daemon.emptying import empty
from daemon.errors import TargetBusy, TargetNotFound
from daemon.health import Health
from daemon.jobs import Jobs
from daemon.live import Live
from daemon.model import Changes, File, Item, Play, Retention, TaskKind, TaskState
from daemon.plex.library import PlexLibrary
from daemon.plex.listener import Listener
from daemon.progress import Progress
from daemon.reconcile import Reconcile
from daemon.situation import survey
from daemon.state import demands, ledger, plays, tasks
from daemon.state.store import Connection, Store
from daemon.web.service import Check, Listing, Query
from daemon.workers import Workers
from handlers.retention import released

_BY_HAND = 100
"""Priority of what a person asks for."""

_KEY_IN_URL = re.compile(r"/library/metadata/(\w+)")


class DaemonService:
    """Implements `daemon.web.service.Service` on the daemon's own rooms."""

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        dispatcher: Dispatcher,
        workers: Workers,
        jobs: Jobs,
        library: PlexLibrary,
        listener: Listener,
        progress: Progress,
        health: Health,
        reconcile: Reconcile,
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._dispatcher = dispatcher
        self._workers = workers
        self._jobs = jobs
        self._library = library
        self._listener = listener
        self._progress = progress
        self._health = health
        self._reconcile = reconcile
        self._started_at = clock.now()

    async def status(self) -> dict[str, Any]:
        """Return one document that says how the daemon is."""
        (files, size), counts = await self._store.run(
            lambda connection: (ledger.totals(connection), tasks.counts(connection))
        )
        checks = self.readiness()
        return {
            "version": __version__,
            "state": self._health.state(paused=self._workers.paused),
            "started_at": views.iso(self._started_at),
            "ready": all(check.ok for check in checks),
            "checks": [{"name": check.name, "ok": check.ok, "text": check.text} for check in checks],
            "cached_files": files,
            "cached_bytes": size,
            "sessions": len(self._listener.plays()),
            "tasks": {state: counts.get(state, 0) for state in TaskState},
        }

    async def files(self, query: Query) -> Listing:
        """Return the files on the cache and on their way."""
        min_stay = self._live.settings.retention.min_stay

        def read(connection: Connection) -> Listing:
            now = self._clock.now()
            found = tasks.in_state(connection, TaskState.QUEUED, TaskState.RUNNING, TaskState.FAILED)
            shown = [task for task in found if task.state is not TaskState.FAILED or task.not_before > now]
            holdings, wants = survey(connection, self._live.mappings, now)
            rows = views.file_rows(holdings, wants, shown, demands.users(connection), min_stay, now)
            return _page(rows, query, "plex_path")

        return await self._store.run(read)

    async def tasks(self, query: Query) -> Listing:
        """Return all remembered tasks, newest first."""
        found = await self._store.run(lambda connection: tasks.in_state(connection, *TaskState))
        rows = [views.task_row(task, self._progress.of(task.id)) for task in found]
        return _page(rows, query, "-id")

    async def sessions(self, query: Query) -> Listing:
        """Return what plays now."""
        now_playing = self._listener.plays()

        def read(connection: Connection) -> list[dict[str, Any]]:
            return [self._session(connection, play) for play in now_playing]

        return _page(await self._store.run(read), query, "started_at")

    async def demands(self, query: Query) -> Listing:
        """Return who wants what."""

        def read(connection: Connection) -> list[dict[str, Any]]:
            users = demands.users(connection)
            rows = []
            for demand in demands.all_demands(connection):
                item = demands.item(connection, demand.rating_key)
                title = item.label if item else demand.rating_key
                row = {"rating_key": demand.rating_key, "title": title}
                rows.append(row | views.demand_row(demand, users))
            return rows

        return _page(await self._store.run(read), query, "title")

    async def plan(self) -> dict[str, Any]:
        """Return what would be cached and evicted now. Touches nothing."""
        return await self._dispatcher.preview(
            lambda connection, made: views.plan_document(made, demands.users(connection))
        )

    async def cache(self, target: str) -> list[int]:
        """Bring a target onto the cache for at least ``after_stopped``; return the task ids."""
        self._refuse_in_dry_run()
        items = await self._resolve(target)
        files = [self._live.mappings.resolve(one.plex_path, one.size) for item in items for one in item.files]
        await self._reconcile.look(file.plex_path for file in files)
        now = self._clock.now()
        keep = now + max(self._live.settings.retention.after_stopped, self._live.settings.retention.min_stay)
        ids: list[int] = []

        def work(connection: Connection) -> None:
            demands.put_items(connection, items)
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
        self._refuse_to_evict()
        keys, files = await self._held(target)
        now = self._clock.now()
        ended: list[int] = []
        ids: list[int] = []

        def work(connection: Connection) -> None:
            playing = {play.rating_key for play in plays.open_plays(connection)}
            affected = {key for file in files for key in demands.keys_of_file(connection, file.plex_path)} | keys
            if playing & affected:
                raise TargetBusy(f"{target} is being played; it can be evicted once that has stopped")
            for key in affected:
                wishes = demands.demands_of_item(connection, key)
                kept = demands.retentions_of_item(connection, key)
                demands.apply(connection, released(wishes, kept))
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

    async def restore(self) -> tuple[list[int], list[str]]:
        """Take everything off the cache but what plays; return the tasks, and what plays. Stays paused afterwards."""
        self._refuse_to_evict()
        found = await self._store.run(lambda connection: empty(connection, self._clock.now()))
        await self.stop()
        self._workers.leaving = True
        self._dispatcher.tasks_added.ring()
        return found

    async def pause(self) -> None:
        """Start no new task; running ones go on. Survives a restart."""
        await self._set_paused(paused=True)

    async def resume(self) -> None:
        """Start tasks again."""
        await self._set_paused(paused=False)

    async def stop(self) -> None:
        """Start no new task, and end the running copies cleanly: they begin anew after `resume`."""
        await self._set_paused(paused=True)
        self._jobs.abandon_all()

    async def refresh(self) -> None:
        """Read the sessions and the history of Plex again, look at the cached copies, and plan anew."""
        self._listener.reconcile_soon()
        self._reconcile.everything_soon()
        self._dispatcher.request_replan()

    def readiness(self) -> list[Check]:
        """Return what works and what does not."""
        return self._health.checks()

    async def webhook(self, payload: dict[str, Any]) -> bool:
        """Take a webhook's payload; say whether it concerns this server."""
        return self._listener.enqueue_webhook(payload)

    def _refuse_in_dry_run(self) -> None:
        if self._health.dry_run:
            raise TargetBusy("this is a dry run: it decides and logs, and moves nothing")

    def _refuse_to_evict(self) -> None:
        self._refuse_in_dry_run()
        if not self._listener.sessions_known:
            raise TargetBusy("Plex cannot say what plays now, so nothing is evicted; try again when it answers")

    async def _set_paused(self, *, paused: bool) -> None:
        await self._store.run(lambda connection: demands.put_meta(connection, "paused", "1" if paused else ""))
        self._workers.paused, self._workers.leaving = paused, False
        self._dispatcher.tasks_added.ring()

    def _session(self, connection: Connection, play: Play) -> dict[str, Any]:
        item = demands.item(connection, play.rating_key)
        cached = item is not None and ledger.is_cached(connection, [file.plex_path for file in item.files])
        return views.session_row(play, item, "cache" if cached else "array")

    async def _held(self, target: str) -> tuple[set[str], list[File]]:
        """Return the rating keys and files of a target, from the rows alone where they know it."""
        if target.startswith("/") and not _KEY_IN_URL.search(target):
            file = self._live.mappings.from_local(target)
            if await self._store.run(lambda connection: ledger.get_entry(connection, file.array_path)):
                return set(), [file]
        items = await self._resolve(target)
        files = [self._live.mappings.locate(one.plex_path, one.size) for item in items for one in item.files]
        return {item.rating_key for item in items}, files

    async def _resolve(self, target: str) -> list[Item]:
        """Return the movies and episodes that a rating key, a Plex URL or a path names."""
        key = _rating_key(target)
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


def _rating_key(target: str) -> str:
    if target.isdigit():
        return target
    found = _KEY_IN_URL.search(target.replace("%2F", "/").replace("%2f", "/"))
    return found[1] if found else ""


def _page(rows: Iterable[dict[str, Any]], query: Query, default_sort: str) -> Listing:
    needle = query.q.casefold()
    total = 0

    def matching() -> Iterable[dict[str, Any]]:
        nonlocal total
        for row in rows:
            if not needle or needle in str(row.values()).casefold():
                total += 1
                yield row

    sort = query.sort or default_sort
    key = sort.removeprefix("-")
    # Of ten thousand rows only those of the page, and those before it, are ever there at once.
    choose = heapq.nlargest if sort.startswith("-") else heapq.nsmallest
    found = choose(query.offset + query.limit, matching(), key=lambda row: _rank(row.get(key)))
    return Listing(found[query.offset :], total)


def _rank(value: object) -> tuple[int, float, str]:
    """Order values of any kind: none, then numbers, then text."""
    if value is None:
        return 0, 0.0, ""
    return (1, value, "") if isinstance(value, int | float) else (2, 0.0, str(value).casefold())
