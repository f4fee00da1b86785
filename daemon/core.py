"""The daemon's rooms, wired together."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import structlog

from daemon import __version__
from daemon.asking import Asker
from daemon.auditing import auditing
from daemon.byhand import ByHand
from daemon.config import Settings
from daemon.custody import Custody
from daemon.dispatch import Dispatcher
from daemon.feed import Feed
from daemon.given import HISTORY_MARK, SERVER, Given
from daemon.health import Health
from daemon.holds import Holds
from daemon.jobs import Jobs
from daemon.live import Live
from daemon.logs import configure
from daemon.metrics import Metrics
from daemon.model import DemandKind, Event, Item, PlaybackChanged, PlaybackStarted, PlaybackStopped, TaskState, Watched
from daemon.plex.library import PlexLibrary
from daemon.plex.listener import Listener
from daemon.plexlinks import PlexLinks
from daemon.progress import Progress
from daemon.reconcile import Reconcile
from daemon.recovery import recover
from daemon.reloading import Reloading
from daemon.rooms import Rooms
from daemon.service import DaemonService
from daemon.settings.hidden import secrets_of
from daemon.sourcing import Sourcing
from daemon.state import demands, ledger, tasks
from daemon.state.store import Connection
from daemon.storage.placement import Placement
from daemon.web.context import WebContext
from daemon.webhook_secret import NAME as SECRET_FILE
from daemon.webhook_secret import webhook_secret
from daemon.workers import Workers

log = structlog.get_logger()


class Core:
    """Everything between the open database and the running tasks.

    `recover` comes first: it brings rows and disk together after a crash, and needs no Plex.
    """

    def __init__(self, given: Given) -> None:
        self._given = given
        self.store = given.store
        self.live = Live(given.loaded.settings)
        self.feed = Feed()
        self.metrics = Metrics(__version__)
        self._progress = Progress(self.feed)
        self._asker = Asker(given.executor)
        self._rooms = Rooms(self.live, self._asker)
        self._secret = ""
        self._cached = (0, 0)
        self._counts: dict[str, int] = {}
        self.dispatcher = self._make_dispatcher()
        self._holds = Holds(self.live, self.store, given.clock, self._asker, self.dispatcher.tasks_added)
        self.placement = self._make_placement()
        self._custody = Custody(self.store, self.placement)
        self.reconcile = self._make_reconcile()
        self.library = self._make_library()
        self.jobs = self._make_jobs()
        self.workers = self._make_workers()
        self.listener = self._make_listener()
        self.sourcing = Sourcing(given, self.live, self.feed, self.dispatcher, self.library, also=self._look_again)
        self.health = Health(self.store, self._rooms, self._holds, self.listener, dry_run=given.dry_run)
        self.reloading = Reloading(
            given.loaded,
            given.env,
            self.live,
            self.health,
            self.feed,
            given.notifier,
            wanted=given.reload_wanted,
            prepare=self._log_as,
            in_force=self._in_force,
        )
        self.service = self._make_service()
        self._watch_figures()

    def _make_dispatcher(self) -> Dispatcher:
        return Dispatcher(
            self.store,
            self.live,
            self._given.clock,
            self.feed,
            self.metrics,
            self._rooms,
            # The listener and the jobs are built on the dispatcher, so it asks for them when it needs them.
            sessions_known=lambda: self.listener.sessions_known,
            copying=self._progress.copying,
            take_back=lambda task_id: self.jobs.take_back(task_id),  # noqa: PLW0108 - see above
            dry_run=self._given.dry_run,
        )

    def _make_placement(self) -> Placement:
        return Placement(
            self.live.mappings,
            self.live.settings.transfer,
            self._given.executor,
            on_touch=self.metrics.array_operation,
            keep_free=self._keep_free,
            now=self._given.clock.now,
        )

    def _make_reconcile(self) -> Reconcile:
        return Reconcile(
            self.store,
            self.placement,
            self._custody,
            self.feed,
            replan=self.dispatcher.request_replan,
            trouble=self._holds.blame,
            dry_run=self._given.dry_run,
        )

    def _make_jobs(self) -> Jobs:
        return Jobs(
            self.store,
            self.live,
            self._given.clock,
            self.feed,
            self.metrics,
            self.dispatcher,
            self._custody,
            self._progress,
            self._holds,
            PlexLinks(self.store, self.live, self._given.clock, self.library.can_open),
        )

    def _make_workers(self) -> Workers:
        may_evict = lambda: self.listener.plays_recorded  # noqa: E731 - the listener comes later
        given = self._given
        workers = Workers(
            self.store, self.live, given.clock, self.dispatcher, self.jobs, self._holds, may_evict=may_evict
        )
        workers.paused = given.remembered.paused
        return workers

    def _make_library(self) -> PlexLibrary:
        plex = self.live.settings.plex
        return PlexLibrary(
            url=plex.url,
            token=plex.token.get_secret_value(),
            clock=self._given.clock,
            libraries=plex.libraries,
            verify_tls=plex.verify_tls,
            machine_identifier=self._given.remembered.machine_identifier,
            on_request=self.metrics.plex_request,
        )

    def _make_listener(self) -> Listener:
        return Listener(
            settings=lambda: self.live.settings,
            library=self.library,
            clock=self._given.clock,
            on_event=self._on_event,
            known_watched=self._known_watched,
            on_history_mark=self._remember_history,
            history_since=self._given.remembered.history_since,
            plays=self._given.remembered.plays,
        )

    def _make_service(self) -> DaemonService:
        return DaemonService(
            self.store,
            self.live,
            self._given.clock,
            self.dispatcher,
            self.workers,
            self.jobs,
            self._make_by_hand(),
            self.listener,
            self._progress,
            self.health,
            self.sourcing.refresher,
        )

    def _make_by_hand(self) -> ByHand:
        return ByHand(
            self.store,
            self.live,
            self._given.clock,
            self.dispatcher,
            self.jobs,
            self.library,
            self.listener,
            self.reconcile,
            dry_run=self._given.dry_run,
        )

    def _watch_figures(self) -> None:
        self.metrics.watch_cached(lambda: self._cached)
        self.metrics.watch_tasks(lambda: {TaskState(name): count for name, count in self._counts.items()})
        self.metrics.watch_notifications(lambda: self.listener.notifications.connected, self._notification_age)

    async def recover(self) -> None:
        """Bring rows and disk together after a crash."""
        self._secret, made = webhook_secret(self.live.settings, self._given.directory)
        self._log_as(self.live.settings)
        if made:
            log.info("webhook_secret_created", path=str(self._given.directory / SECRET_FILE))
        if self.store.problem:
            log.error("database_replaced", why=self.store.problem)
        if not self._given.dry_run:
            mappings, now = self.live.settings.mapping, self._given.clock.now()
            await recover(self.store, self.placement, self._custody, self.reconcile, mappings, now)

    async def work(self) -> None:
        """Run the workers; in a dry run there are none."""
        if not self._given.dry_run:
            async with asyncio.TaskGroup() as group:
                holds = group.create_task(self._holds.run(), name="holds")
                await self.workers.run()
                holds.cancel()

    def web_context(self) -> WebContext:
        """Return what the HTTP server is given."""
        given, touch = self._given, self.metrics.array_operation
        auditor = auditing(given, self.live, self._custody, self.dispatcher, self.listener, self.feed, touch=touch)
        return WebContext(self.service, self.feed, self.metrics, lambda: self.live.settings, self._secret, auditor)

    def hangs(self) -> bool:
        """Say whether threads hang in calls to a file system."""
        return bool(self.placement.stalled()) or self._asker.hangs

    async def answers(self) -> bool:
        """Say whether the database answers, for the watchdog."""
        return await self.store.answers()

    def status_line(self) -> str:
        """Return the one line that systemd shows."""
        bad = [check.text for check in self.service.readiness() if not check.ok]
        return f"{self.health.state(paused=self.workers.paused)}; " + ("; ".join(bad) or "all is well")

    async def tell_status(self) -> None:
        """Keep the metrics' gauges and systemd's line current. Never returns."""
        async with self.feed.subscribe() as notices:
            await self._refresh_figures()
            async for notice in notices:
                if notice.kind != "progress":
                    await self._refresh_figures()

    async def _refresh_figures(self) -> None:
        files, counts, held = await self.store.run(
            lambda connection: (ledger.totals(connection), tasks.counts(connection), ledger.by_mapping(connection))
        )
        self._cached, self._counts = files, counts
        known = {mapping.name for mapping in self.live.mappings.all}
        self.health.stranded = {name: count for name, count in held.items() if name not in known}
        self._given.notifier.status(self.status_line())

    def _notification_age(self) -> float | None:
        last = self.listener.notifications.last_frame_at
        return None if last is None else self._given.clock.now() - last

    async def _on_event(self, event: Event, item: Item | None = None, following: Sequence[Item] = ()) -> None:
        await self.dispatcher.on_event(event, item, following)
        if item is not None and isinstance(event, PlaybackStarted | PlaybackChanged):
            # Only after the event: a cache that hangs must not keep it waiting.
            self.reconcile.soon(file.plex_path for each in (item, *following) for file in each.files)
        if isinstance(event, PlaybackStopped | Watched):
            user = event.user if isinstance(event, Watched) else event.play.user
            self.sourcing.refresher.soon({DemandKind.ON_DECK, DemandKind.WATCHLIST}, user.id)

    async def _look_again(self) -> None:
        """Do what else belongs to a refresh: read what Plex remembers, look at the copies, plan anew."""
        self.listener.reconcile_soon()
        self.reconcile.everything_soon()
        self.dispatcher.request_replan()

    async def _known_watched(self, user: str) -> dict[str, float]:
        return await self.store.run(lambda connection: demands.watched_by(connection, user))

    async def _remember_history(self, mark: float) -> None:
        def work(connection: Connection) -> None:
            demands.put_meta(connection, HISTORY_MARK, repr(mark))
            # Rating keys mean nothing on another server: after a restart only the same one will do.
            demands.put_meta(connection, SERVER, self.library.machine_identifier)

        await self.store.run(work)

    def _keep_free(self, total: int) -> int:
        space = self.live.settings.space
        beyond_limit = total - space.limit.of(total) if space.limit else 0
        return max(beyond_limit, space.min_free.of(total))

    def _in_force(self) -> None:
        settings = self.live.settings
        self.placement.configure(self.live.mappings, settings.transfer, keep_free=self._keep_free)
        self.listener.reload()
        self.sourcing.refresher.everything_soon()
        self.dispatcher.request_replan(recount=True)
        self.dispatcher.tasks_added.ring()

    def _log_as(self, settings: Settings) -> None:
        configure(settings.log, sys.stderr, secrets=[*secrets_of(settings), self._secret], env=self._given.env)
