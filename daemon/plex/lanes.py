"""Delivers each play's events in order, with the item and what follows it; no play waits for another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import TypeGuard, TypeVar

import structlog

from daemon.clock import Clock
from daemon.config import Settings
from daemon.errors import PlexError, PlexNotFound
from daemon.model import (
    UNKNOWN_USER,
    Event,
    Item,
    Play,
    PlaybackChanged,
    PlaybackStarted,
    PlaybackStopped,
    User,
    Watched,
)
from daemon.plex.connection import together
from daemon.plex.library import PlexLibrary
from daemon.plex.sessions import Tracker

log = structlog.get_logger()

OnEvent = Callable[[Event, Item | None, list[Item]], Awaitable[None]]
KnownWatched = Callable[[str], Awaitable[Collection[str]]]

_AT_ONCE = 8
_LOOKS = (0.3, 0.7, 2.0)
"""Seconds between the looks for a session that Plex does not list yet; it may lag by a second or so."""

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0

T = TypeVar("T")


class _Over(Exception):
    """The play ended before Plex answered."""


@dataclass(slots=True)
class _Lane:
    play: Play
    told: bool = False
    item: Item | None = None
    events: deque[Event] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, event: Event) -> None:
        if not isinstance(event, Watched):
            self.play = event.play
        self.events.append(event)
        self.wake.set()
        if isinstance(event, PlaybackStopped):
            self.ended.set()

    async def get(self) -> Event:
        while not self.events:
            self.wake.clear()
            await self.wake.wait()
        return self.events.popleft()


class Lanes:
    """One lane for each open play.

    A play whose item cannot be read now is tried again for as long as it lives, and its start is delivered
    then. `look` reads the sessions once and feeds the tracker; `dispatch` takes events that the tracker says.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        *,
        tracker: Tracker,
        library: PlexLibrary,
        clock: Clock,
        settings: Callable[[], Settings],
        look: Callable[[], Coroutine[None, None, None]],
        on_event: OnEvent,
        known_watched: KnownWatched,
    ) -> None:
        self._group = group
        self._tracker = tracker
        self._library = library
        self._clock = clock
        self._settings = settings
        self._look = look
        self._on_event = on_event
        self._known_watched = known_watched
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._lanes: dict[str, _Lane] = {}
        self._loose: deque[Watched] = deque()
        self._loose_wake = asyncio.Event()
        group.create_task(self._run_loose(), name="watched")
        for play in tracker.plays():
            self._open(play, told=True)

    @property
    def settled(self) -> bool:
        """Whether the start of every open play has been delivered, or is just being."""
        return all(lane.told for lane in self._lanes.values())

    def dispatch(self, events: Collection[Event]) -> None:
        """Put events into their lanes, and open one for each play that has none."""
        for event in events:
            if not isinstance(event, Watched):
                lane = self._lanes.get(event.play.id) or self._open(event.play)
                lane.put(event)
            elif mine := self._lane_of(event):
                mine.put(event)
            else:
                self._loose.append(event)
                self._loose_wake.set()
        for play in self._tracker.pending():
            if play.id not in self._lanes:
                self._open(play)

    def _open(self, play: Play, *, told: bool = False) -> _Lane:
        self._lanes[play.id] = lane = _Lane(play, told=told)
        self._group.create_task(self._run(lane), name=f"play {play.id}")
        return lane

    def _lane_of(self, event: Watched) -> _Lane | None:
        whose = (event.rating_key, event.user.id)
        lanes = self._lanes.values()
        return next((lane for lane in lanes if (lane.play.rating_key, lane.play.user.id) == whose), None)

    async def _run_loose(self) -> None:
        while True:
            while self._loose:
                await self._on_event(self._loose.popleft(), None, [])
            self._loose_wake.clear()
            await self._loose_wake.wait()

    async def _run(self, lane: _Lane) -> None:
        try:
            if not lane.told and not await self._introduce(lane):
                return
            event: Event | None = None
            while not isinstance(event, PlaybackStopped):
                event = await lane.get()
                following = await self._following(lane, event)
                lane.told = True
                await self._on_event(event, lane.item, following)
        except _Over:
            for left in lane.events:
                if isinstance(left, Watched):
                    await self._on_event(left, None, [])
        finally:
            del self._lanes[lane.play.id]

    async def _introduce(self, lane: _Lane) -> bool:
        """Find out what plays and who plays it; False: it is to be left alone. Raises _Over."""
        play_id, key = lane.play.id, lane.play.rating_key
        selected = self._library.libraries
        if self._is_pending(play_id):
            lane.item, _ = await together(self._item(lane), self._look())
        else:
            lane.item = await self._item(lane)
        if lane.item is None and selected != self._library.libraries:
            lane.item = await self._item(lane)  # a reload came between the question and its answer
        if lane.item is None:
            log.debug("play_left_alone", rating_key=key)
            self._tracker.ignore(play_id, self._clock.now())
            return False
        for pause in _LOOKS:
            if not self._is_pending(play_id):
                break
            await self._clock.sleep(pause)
            await self._look()
        nobody = User(UNKNOWN_USER, "")
        if self._is_pending(play_id):
            now, duration = self._clock.now(), lane.item.duration
            self.dispatch(self._tracker.identify(play_id, now, user=nobody, duration=duration))
        return bool(lane.events) or self._tracker.is_open(play_id)

    async def _item(self, lane: _Lane) -> Item | None:
        try:
            return await self._persist(lane, lambda: self._library.item(lane.play.rating_key))
        except PlexNotFound:
            return None

    async def _following(self, lane: _Lane, event: Event) -> list[Item]:
        """Return what comes next, where that is to be acted on. An excluded user wants nothing."""
        item, playback = lane.item, self._settings().playback
        if item is None or not _is_news(event) or self._settings().users.excludes(event.play.user):
            return []
        user = event.play.user
        watched = await self._known_watched(user.id)
        try:
            return await self._persist(
                lane,
                lambda: self._library.next_episodes(
                    item,
                    user,
                    count=playback.next_episodes,
                    min_runtime=playback.next_min_runtime,
                    watched=watched,
                ),
            )
        except (_Over, PlexNotFound):
            return []

    async def _persist(self, lane: _Lane, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask Plex until it answers. Raises PlexNotFound, and _Over once the play has ended."""
        wait = _FIRST_WAIT
        while True:
            try:
                async with self._limit:
                    return await ask()
            except PlexNotFound:
                raise
            except PlexError as error:
                log.debug("play_waits_for_plex", rating_key=lane.play.rating_key, why=str(error))
            if not self._tracker.is_open(lane.play.id):
                raise _Over
            await self._clock.wait(lane.ended, wait)
            wait = min(_LONGEST_WAIT, wait * 2)

    def _is_pending(self, play_id: str) -> bool:
        return any(play.id == play_id for play in self._tracker.pending())


def _is_news(event: Event) -> TypeGuard[PlaybackStarted | PlaybackChanged]:
    return isinstance(event, PlaybackStarted) or (isinstance(event, PlaybackChanged) and event.what == "identified")
