"""The daemon's rooms, wired together."""

from __future__ import annotations

import asyncio
import sys

import structlog

from daemon import __version__
from daemon.asking import Asker
from daemon.auditing import auditing
from daemon.byhand import ByHand
from daemon.config import Settings
from daemon.dispatch import Dispatcher
from daemon.feed import Feed
from daemon.figures import Figures
from daemon.following import Following
from daemon.given import Given
from daemon.health import Health
from daemon.hearing import Hearing
from daemon.holds import Holds
from daemon.jobs import Jobs
from daemon.keeping import Keeping
from daemon.live import Live
from daemon.logs import configure
from daemon.metrics import Metrics
from daemon.plex.library import PlexLibrary
from daemon.plex.listener import Listener
from daemon.plexlinks import PlexLinks
from daemon.progress import Progress
from daemon.recovery import recover
from daemon.reloading import Reloading
from daemon.rooms import Rooms
from daemon.service import DaemonService
from daemon.settings.hidden import secrets_of
from daemon.sourcing import Sourcing
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
        self.dispatcher = self._make_dispatcher()
        self._holds = Holds(self.live, self.store, given.clock, self._asker, self.dispatcher.tasks_added)
        self.keeping = Keeping(given, self.live, self.feed, self.metrics, self.dispatcher, self._asker, self._holds)
        self.placement, self.reconcile = self.keeping.placement, self.keeping.reconcile
        self.library = self._make_library()
        self.jobs = self._make_jobs()
        self.workers = self._make_workers()
        self.listener = self._make_listener()
        self.sourcing = Sourcing(
            given,
            self.live,
            self.feed,
            self.dispatcher,
            self.library,
            self._rooms,
            look=self.reconcile.look,
            also=self._look_again,
            begin=self.keeping.arrays.begin,
        )
        self.following = Following(
            given, self.live, self.feed, self.dispatcher, self.library, self.listener, self.keeping, self.sourcing
        )
        self.health = Health(self.store, self._rooms, self._holds, self.listener, dry_run=given.dry_run)
        self.reloading = self._make_reloading()
        self.service = self._make_service()
        self.figures = Figures(
            self.store, self.live, given.clock, self.feed, self.metrics, self.health, self.listener, self.status_line
        )

    def _make_reloading(self) -> Reloading:
        given = self._given
        return Reloading(
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

    def _make_jobs(self) -> Jobs:
        return Jobs(
            self.store,
            self.live,
            self._given.clock,
            self.feed,
            self.metrics,
            self.dispatcher,
            self.keeping.custody,
            self._progress,
            self._holds,
            PlexLinks(self.store, self.live, self._given.clock, self.library.can_open),
        )

    def _make_workers(self) -> Workers:
        may_evict = lambda: self.listener.plays_recorded  # noqa: E731 - the listener comes later
        given = self._given
        workers = Workers(
            self.store,
            self.live,
            given.clock,
            self.dispatcher,
            self.jobs,
            self._holds,
            may_evict=may_evict,
            arrays=self.keeping.arrays,
        )
        workers.paused = given.remembered.paused
        return workers

    def _make_library(self) -> PlexLibrary:
        plex = self.live.settings.plex
        return PlexLibrary.of(
            plex,
            self._given.clock,
            machine_identifier=self._given.remembered.machine_identifier,
            on_request=self.metrics.plex_request,
        )

    def _make_listener(self) -> Listener:
        # The sources come later, and ask nothing before the listener runs.
        hearing = Hearing(
            self.store,
            self.dispatcher,
            self.reconcile,
            self.library,
            read_soon=lambda kinds, user: self.sourcing.refresher.soon(kinds, user),  # noqa: PLW0108 - see above
        )
        return Listener(
            settings=lambda: self.live.settings,
            library=self.library,
            clock=self._given.clock,
            on_event=hearing.on_event,
            known_watched=hearing.known_watched,
            on_history_mark=hearing.remember_history,
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
            await recover(self.store, self.placement, self.keeping.custody, self.reconcile, mappings, now)

    async def work(self) -> None:
        """Run the workers; in a dry run there are none."""
        if not self._given.dry_run:
            async with asyncio.TaskGroup() as group:
                beside = [
                    group.create_task(self._holds.run(), name="holds"),
                    group.create_task(self.keeping.arrays.run(), name="arrays"),
                ]
                await self.workers.run()
                for one in beside:
                    one.cancel()

    def web_context(self) -> WebContext:
        """Return what the HTTP server is given."""
        given, touch = self._given, self.keeping.arrays.touched
        auditor = auditing(
            given, self.live, self.keeping.custody, self.dispatcher, self.listener, self.feed, touch=touch
        )
        return WebContext(
            self.service,
            self.feed,
            self.metrics,
            lambda: self.live.settings,
            self._secret,
            auditor,
            pinner=self.sourcing.pinning,
            household=self.sourcing.users,
            announce=self.following.arr.announce,
        )

    def hangs(self) -> bool:
        """Say whether threads hang in calls to a file system."""
        return bool(self.placement.stalled()) or self._asker.hangs

    async def answers(self) -> bool:
        """Say whether the database answers, for the watchdog."""
        return await self.store.answers()

    async def tell_status(self) -> None:
        """Keep the metrics' gauges and systemd's line current. Never returns."""
        await self.figures.run(self._given.notifier.status)

    def status_line(self) -> str:
        """Return the one line that systemd shows."""
        bad = [check.text for check in self.service.readiness() if not check.ok]
        return f"{self.health.state(paused=self.workers.paused)}; " + ("; ".join(bad) or "all is well")

    async def _look_again(self) -> None:
        """Do what else belongs to a refresh: read what Plex remembers, look at the copies, plan anew."""
        self.listener.reconcile_soon()
        self.reconcile.everything_soon()
        self.dispatcher.request_replan()

    def _in_force(self) -> None:
        settings = self.live.settings
        self.placement.configure(self.live.mappings, settings.transfer, keep_free=self.keeping.keep_free)
        self.listener.reload()
        self.sourcing.refresher.everything_soon(sure=True)
        self.dispatcher.request_replan(recount=True)
        self.keeping.arrays.begin()

    def _log_as(self, settings: Settings) -> None:
        configure(settings.log, sys.stderr, secrets=[*secrets_of(settings), self._secret], env=self._given.env)
