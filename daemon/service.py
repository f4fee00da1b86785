"""What the daemon answers and does for a person: the page, the API and the commands all end here."""

from __future__ import annotations

from typing import Any

from daemon import __version__, views
from daemon.byhand import ByHand
from daemon.clock import Clock
from daemon.dispatch import Dispatcher
from daemon.emptying import empty
from daemon.health import Health
from daemon.jobs import Jobs
from daemon.live import Live
from daemon.model import Play, TaskState
from daemon.paging import page
from daemon.plex.listener import Listener
from daemon.progress import Progress
from daemon.refreshing import Refresher
from daemon.situation import survey
from daemon.state import demands, ledger, sources, tasks
from daemon.state.store import Connection, Store
from daemon.web.service import Check, Listing, Query
from daemon.workers import Workers


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
        by_hand: ByHand,
        listener: Listener,
        progress: Progress,
        health: Health,
        refresher: Refresher,
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._dispatcher = dispatcher
        self._workers = workers
        self._jobs = jobs
        self._by_hand = by_hand
        self._listener = listener
        self._progress = progress
        self._health = health
        self._refresher = refresher
        self._started_at = clock.now()

    async def status(self) -> dict[str, Any]:
        """Return one document that says how the daemon is."""
        (files, size), counts, failing = await self._store.run(
            lambda connection: (ledger.totals(connection), tasks.counts(connection), sources.failing(connection))
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
            "failing_sources": [
                {"kind": one.kind, "user": name, "since": views.iso(one.failed_since), "why": one.problem}
                for name, one in failing
            ],
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
            keys = ledger.keys_of_files(connection)
            return page((row | {"rating_keys": keys.get(row["plex_path"], [])} for row in rows), query, "plex_path")

        return await self._store.run(read)

    async def tasks(self, query: Query) -> Listing:
        """Return all remembered tasks, newest first."""
        found = await self._store.run(lambda connection: tasks.in_state(connection, *TaskState))
        rows = [views.task_row(task, self._progress.of(task.id)) for task in found]
        return page(rows, query, "-id")

    async def sessions(self, query: Query) -> Listing:
        """Return what plays now."""
        now_playing = self._listener.plays()

        def read(connection: Connection) -> list[dict[str, Any]]:
            return [self._session(connection, play) for play in now_playing]

        return page(await self._store.run(read), query, "started_at")

    async def demands(self, query: Query) -> Listing:
        """Return who wants what, of those whose wishes count."""

        def read(connection: Connection) -> list[dict[str, Any]]:
            users = demands.users(connection)
            rows = []
            for demand in demands.counted_demands(connection, self._clock.now()):
                item = demands.item(connection, demand.rating_key)
                title = item.label if item else demand.rating_key
                row = {"rating_key": demand.rating_key, "title": title}
                rows.append(row | views.demand_row(demand, users))
            return rows

        return page(await self._store.run(read), query, "title")

    async def plan(self) -> dict[str, Any]:
        """Return what would be cached and evicted now. Touches nothing."""
        awake = self._workers.awake()
        return await self._dispatcher.preview(
            lambda connection, made: views.plan_document(made, demands.users(connection), awake=awake)
        )

    async def cache(self, target: str) -> list[int]:
        """Bring a target onto the cache for at least ``after_stopped``; return the task ids."""
        return await self._by_hand.cache(target)

    async def evict(self, target: str) -> list[int]:
        """Take a target off the cache, or back from its way there; refuse what plays."""
        return await self._by_hand.evict(target)

    async def restore(self) -> tuple[list[int], list[str]]:
        """Take everything off the cache but what plays; return the tasks, and what plays. Stays paused afterwards."""
        self._by_hand.refuse_to_evict()
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
        """Read all sources, the sessions and the history of Plex again, look at the cached copies, and plan anew."""
        self._refresher.everything_soon()

    def readiness(self) -> list[Check]:
        """Return what works and what does not."""
        return self._health.checks()

    async def webhook(self, payload: dict[str, Any]) -> bool:
        """Take a webhook's payload; say whether it concerns this server."""
        return self._listener.enqueue_webhook(payload)

    async def _set_paused(self, *, paused: bool) -> None:
        await self._store.run(lambda connection: demands.put_meta(connection, "paused", "1" if paused else ""))
        self._workers.paused, self._workers.leaving = paused, False
        self._dispatcher.tasks_added.ring()

    def _session(self, connection: Connection, play: Play) -> dict[str, Any]:
        item = demands.item(connection, play.rating_key)
        cached = item is not None and ledger.is_cached(connection, [file.plex_path for file in item.files])
        return views.session_row(play, item, "cache" if cached else "array")
