"""Everything that Plex says about playing, joined: socket, webhooks, sessions and history become events."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

import structlog

from daemon.clock import Clock
from daemon.config import Settings
from daemon.errors import PlexError
from daemon.model import OWNER, Event, Play, PlaybackChanged, User, Watched
from daemon.plex.frames import PlayingFrame, WebhookEvent, parse_webhook
from daemon.plex.lanes import KnownWatched, Lanes, OnEvent
from daemon.plex.library import PlexLibrary
from daemon.plex.marks import HistoryReader
from daemon.plex.newsroom import Newsroom
from daemon.plex.notifications import ConnectionState, Notifications
from daemon.plex.sessions import Tracker

log = structlog.get_logger()

_BUSY_EVERY, _IDLE_EVERY = 60.0, 300.0
_FRESH = 90.0
"""Without the socket, sessions that were read so many seconds ago are no longer known."""

_FIRST_WAIT, _LONGEST_WAIT = 2.0, 60.0
_HELD_FRAMES, _HELD_WEBHOOKS = 1000, 256


class Listener:
    """Follows all plays for as long as `run` runs, whatever Plex does.

    `on_event` gets each event with the playing item (with a start, and with what follows it in this process)
    and, with a start, the episodes that come next; an excluded user has none, nor has a library that is not
    selected. Where the user, those episodes, or that the library counts become known late, a `PlaybackChanged`
    ``identified`` has the same additions. It is awaited per play in order. `known_watched` says what a user has
    watched as far as the daemon knows: by rating key, when last. `plays` were
    open when the daemon ended; `history_since` is the last mark that `on_history_mark` was told. `news` tells what
    may have changed in the library.
    """

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        library: PlexLibrary,
        clock: Clock,
        on_event: OnEvent,
        known_watched: KnownWatched,
        on_history_mark: Callable[[float], Awaitable[None]],
        history_since: float | None = None,
        plays: Iterable[Play] = (),
    ) -> None:
        self._settings, self._library = settings, library
        self.news = Newsroom(clock)
        self._clock = clock
        self._on_event = on_event
        self._known_watched = known_watched
        self._history = HistoryReader(library, since=history_since, on_mark=on_history_mark)
        self._tracker = Tracker()
        self._tracker.load(plays)
        plex = settings().plex
        self._notifications = Notifications(
            url=plex.url,
            token=plex.token.get_secret_value(),
            clock=clock,
            on_frame=self._on_frame,
            on_connected=self._on_connected,
            on_lost=self._on_lost,
            on_other=self.news.hear,
            verify_tls=plex.verify_tls,
        )
        self._lanes: Lanes | None = None
        self._wake, self._due = asyncio.Event(), asyncio.Event()
        self._same_server = False
        self._people: dict[str, str] = {}
        self._owner_names: tuple[str, ...] = ()
        self._frames: deque[tuple[PlayingFrame, float]] = deque(maxlen=_HELD_FRAMES)
        self._webhooks: deque[Mapping[str, Any]] = deque(maxlen=_HELD_WEBHOOKS)
        self._read_at: float | None = None
        self.reload()

    @property
    def notifications(self) -> ConnectionState:
        """The state of the socket."""
        return self._notifications.state

    @property
    def garbage(self) -> int:
        """How many frames could not be understood."""
        return self._notifications.garbage

    @property
    def plex_problem(self) -> str:
        """Why Plex cannot be asked now, in one line; empty: it can."""
        return self._library.problem

    @property
    def sessions_known(self) -> bool:
        """Whether all that plays now has been told. If not, anything may be playing."""
        if self._read_at is None or self._lanes is None or not self._lanes.settled:
            return False
        return self._same_server or self._clock.now() - self._read_at <= _FRESH

    @property
    def plays_recorded(self) -> bool:
        """Whether all that plays now is known, and has been recorded by whoever is told."""
        return self.sessions_known and self._lanes is not None and self._lanes.recorded

    def plays(self) -> list[Play]:
        """Return the open plays."""
        return self._tracker.plays()

    def reload(self) -> None:
        """Take over changed settings: what counts as a play, and which libraries count."""
        settings = self._settings()
        self._tracker.min_play = settings.playback.min_play
        self._tracker.stale_session = settings.playback.stale_session
        before, self._library.libraries = self._library.libraries, tuple(settings.plex.libraries)
        self._tracker.reconsider()
        if self._lanes is not None and before != self._library.libraries:
            self._lanes.reselect()
        self._due.set()

    def reconcile_soon(self) -> None:
        """Have sessions and history read now."""
        self._wake.set()

    def look_ahead(self, rating_keys: Collection[str]) -> None:
        """Have what follows the open plays of these items found anew."""
        plays, now = self._tracker.plays(), self._clock.now()
        self._dispatch([PlaybackChanged(play, now, "identified") for play in plays if play.rating_key in rating_keys])

    def enqueue_webhook(self, payload: Mapping[str, Any]) -> bool:
        """Take a webhook's payload, at once; return whether it is about a play on this server.

        While it is not known yet which server this is, payloads wait for that.
        """
        event = parse_webhook(payload, self._owner_names)
        if event is None:
            return self.news.webhook(payload, self._library.machine_identifier)
        if self._lanes is None or not self._library.machine_identifier:
            self._webhooks.append(payload)
            return True
        return self._take(event)

    async def run(self) -> None:
        """Listen. Never returns; ends by being cancelled. An error of `on_event` ends it too."""
        async with asyncio.TaskGroup() as group:
            self._lanes = Lanes(
                group,
                tracker=self._tracker,
                library=self._library,
                clock=self._clock,
                settings=self._settings,
                look=self._look,
                on_event=self._on_event,
                known_watched=self._known_watched,
            )
            group.create_task(self._notifications.run(), name="notifications")
            group.create_task(self._reconcile(), name="reconcile")
            group.create_task(self._tick(), name="tick")
            group.create_task(self.news.run(), name="library")

    def _on_connected(self) -> None:
        self._tracker.connected(self._clock.now())
        self.news.missed()
        self._wake.set()

    def _on_lost(self) -> None:
        self._tracker.disconnected()
        self._same_server = False
        self._frames.clear()
        self.news.lost()
        self._wake.set()

    def _on_frame(self, frame: PlayingFrame) -> None:
        now = self._clock.now()
        if self._same_server:
            self._dispatch(self._tracker.frame(frame, now))
        else:
            # Another server may have taken over the address; its sessions must not end ours.
            self._frames.append((frame, now))

    def _take(self, event: WebhookEvent) -> bool:
        if event.server != self._library.machine_identifier:
            return False
        self._dispatch(self._tracker.webhook(event, self._clock.now()))
        return True

    def _dispatch(self, events: list[Event]) -> None:
        if self._lanes is not None:
            self._lanes.dispatch(events)
        if events:
            self._due.set()

    async def _tick(self) -> None:
        while True:
            self._due.clear()
            due = self._tracker.next_due()
            await self._clock.wait(self._due, None if due is None else due - self._clock.now())
            self._dispatch(self._tracker.tick(self._clock.now()))

    async def _reconcile(self) -> None:
        wait = _FIRST_WAIT
        while True:
            self._wake.clear()
            try:
                await self._read()
            except PlexError as error:
                log.debug("plex_unreadable", why=str(error))
                await self._clock.wait(self._wake, wait * random.uniform(0.8, 1.2))
                wait = min(_LONGEST_WAIT, wait * 2)
                continue
            wait = _FIRST_WAIT
            busy = bool(self._tracker.plays() or self._tracker.pending()) or not self.notifications.connected
            every = _BUSY_EVERY if busy else _IDLE_EVERY
            await self._clock.wait(self._wake, every * random.uniform(0.8, 1.0))

    async def _read(self) -> None:
        if not self._same_server:
            await self._recognise()
        await self._read_sessions()
        for row in await self._history.read():
            user = User(row.user, self._people.get(row.user, ""))
            self._dispatch(self._tracker.history(Watched(row.rating_key, user, row.at, "history")))

    async def _recognise(self) -> None:
        """Make sure that it is the same server as before, then take what has waited for that."""
        state = self.notifications
        connected, since = state.connected, state.since
        info = await self._library.connect()
        await self._read_people()
        self._owner_names = tuple(name for name in (info.owner, self._people.get(OWNER, "")) if name)
        self._same_server = connected and (state.connected, state.since) == (True, since)
        self.news.trust(same_server=self._same_server)
        while self._frames:
            frame, at = self._frames.popleft()
            self._dispatch(self._tracker.frame(frame, at))
        while self._webhooks:
            if event := parse_webhook(self._webhooks.popleft(), self._owner_names):
                self._take(event)

    async def _read_people(self) -> None:
        try:
            self._people = {user.id: user.title for user in await self._library.accounts()}
        except PlexError as error:
            log.debug("accounts_unreadable", why=str(error))  # ids do for everything but names

    async def _read_sessions(self) -> None:
        asked_at = self._clock.now()
        try:
            sessions = await self._library.sessions()
        except PlexError:
            self._read_at = None
            raise
        now = self._clock.now()
        self._read_at = now
        self._dispatch(self._tracker.snapshot(sessions, now, asked_at))

    async def _look(self) -> None:
        """Read the sessions once, for a play of which nobody knows who plays; failing is no matter."""
        try:
            await self._read_sessions()
        except PlexError as error:
            log.debug("sessions_unreadable", why=str(error))
