"""Delivers each play's events in order, with the item and what follows it; no play waits for another."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import suppress
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
from daemon.plex.lane import Lane, Over
from daemon.plex.library import PlexLibrary
from daemon.plex.sessions import Tracker

log = structlog.get_logger()

OnEvent = Callable[[Event, Item | None, list[Item]], Awaitable[None]]
KnownWatched = Callable[[str], Awaitable[Mapping[str, float]]]

_AT_ONCE = 8
_LOOKS = (0.3, 0.7, 2.0)
"""Seconds between the looks for a session that Plex does not list yet; it may lag by a second or so."""

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0

_PROMPT = 2.0
"""Seconds (real ones: the viewer waits) that a start waits for the episodes that follow; they can come later."""

T = TypeVar("T")


class Lanes:
    """One lane for each open play.

    A play whose item cannot be read now is tried again for as long as it lives, and its start is delivered
    then. A start does not wait for long for what follows: that is delivered by ``identified``. `look` reads
    the sessions once and feeds the tracker; `dispatch` takes events that the tracker says.
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
        self._lanes: dict[str, Lane] = {}
        self._loose: deque[Watched] = deque()
        self._loose_wake = asyncio.Event()
        group.create_task(self._run_loose(), name="watched")
        for play in tracker.plays():
            self._open(play, told=True)

    @property
    def recorded(self) -> bool:
        """Whether the start of every open play has been delivered, and whoever got it is done with it."""
        return all(lane.recorded for lane in self._lanes.values())

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

    def reselect(self) -> None:
        """Look anew at each play, because other libraries count now."""
        for lane in self._lanes.values():
            if lane.told or lane.item is not None:
                self._group.create_task(self._reselect(lane), name=f"reselect {lane.play.id}")

    async def _reselect(self, lane: Lane) -> None:
        before = lane.item
        with suppress(Over):
            await self._read_item(lane)
            changed = lane.item is not None and (before is None or before.selected != lane.item.selected)
            if changed and not lane.starts and not self._is_pending(lane.play.id):
                lane.put(PlaybackChanged(lane.play, self._clock.now(), "identified"))

    def _open(self, play: Play, *, told: bool = False) -> Lane:
        self._lanes[play.id] = lane = Lane(play, told=told, recorded=told)
        self._group.create_task(self._run(lane), name=f"play {play.id}")
        return lane

    def _lane_of(self, event: Watched) -> Lane | None:
        whose = (event.rating_key, event.user.id)
        lanes = self._lanes.values()
        return next((lane for lane in lanes if (lane.play.rating_key, lane.play.user.id) == whose), None)

    async def _run_loose(self) -> None:
        while True:
            while self._loose:
                await self._on_event(self._loose.popleft(), None, [])
            self._loose_wake.clear()
            await self._loose_wake.wait()

    async def _run(self, lane: Lane) -> None:
        try:
            if not lane.told and not await self._introduce(lane):
                return
            event: Event | None = None
            while not isinstance(event, PlaybackStopped):
                event, following = await lane.get()
                if following is None:
                    following = await self._following(lane, event)
                if following is None and isinstance(event, PlaybackChanged):
                    continue  # what was told stands until there is something to put in its place
                if _is_news(event) and lane.repeats(event.play, following or []):
                    continue
                lane.told = True
                await self._on_event(event, lane.item, following or [])
                lane.recorded = True
        except Over:
            for left, _ in lane.events:
                if isinstance(left, Watched):
                    await self._on_event(left, None, [])
        finally:
            if lane.asking is not None:
                lane.asking.cancel()
            del self._lanes[lane.play.id]

    async def _introduce(self, lane: Lane) -> bool:
        """Find out what plays and who plays it; False: it is to be left alone. Raises Over."""
        play_id, key = lane.play.id, lane.play.rating_key
        if self._is_pending(play_id):
            await together(self._read_item(lane), self._look())
        else:
            await self._read_item(lane)
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

    async def _read_item(self, lane: Lane) -> None:
        lane.item = await self._persist(lane, lambda: self._item(lane.play.rating_key), self._gone(lane))

    async def _item(self, rating_key: str) -> Item | None:
        found = await self._library.item(rating_key)
        if found is not None and not found.files:
            # Plex is replacing the file: acting on an item without any would make all think that it has none.
            raise PlexNotFound(f"Plex lists no file of {rating_key}")
        return found

    async def _following(self, lane: Lane, event: Event) -> list[Item] | None:
        """Return what comes next, where that is to be acted on; None: Plex does not say it promptly.

        An excluded user wants nothing, and nothing is wanted of a library that is not selected.
        """
        if not _is_news(event):
            return []
        if lane.asking is not None:
            lane.asking.cancel()  # it asks for another user or by other settings
            lane.asking = None
        if lane.item is None:
            await self._read_item(lane)  # a play from before a restart, of which something has become known
        if lane.item is None or not lane.item.selected or self._settings().users.excludes(event.play.user):
            return []
        answer: asyncio.Future[list[Item] | None] = asyncio.get_running_loop().create_future()
        asking = self._ask(lane, lane.item, event.play, answer)
        lane.asking = self._group.create_task(asking, name=f"following {lane.play.id}")
        try:
            async with asyncio.timeout(_PROMPT):
                return await answer
        except TimeoutError:
            return None

    async def _ask(self, lane: Lane, item: Item, play: Play, answer: asyncio.Future[list[Item] | None]) -> None:
        """Ask what follows until Plex says it. The first failure answers with None; then it is told later."""
        watched = await self._known_watched(play.user.id)

        async def ask() -> list[Item]:
            return await self._next(item, play, watched)

        async def for_now(_error: PlexError) -> None:
            if not answer.done():
                answer.set_result(None)

        try:
            following = await self._persist(lane, ask, for_now)
        except Over:
            return
        if not answer.done():
            answer.set_result(following)
        else:
            lane.put(PlaybackChanged(lane.play, self._clock.now(), "identified"), following)

    async def _next(self, item: Item, play: Play, watched: Mapping[str, float]) -> list[Item]:
        """Return what the client's play queue says comes next, or else the order of the show."""
        playback = self._settings().playback
        count, min_runtime = playback.next_episodes, playback.next_min_runtime
        place, library = self._tracker.place_of(play.id), self._library
        queued, in_order = await together(
            library.queues.following(place, item, count=count, min_runtime=min_runtime),
            library.next_episodes(
                item, play.user, count=count, min_runtime=min_runtime, watched=watched, started_at=play.started_at
            ),
        )
        return in_order if queued is None else queued

    async def _persist(
        self, lane: Lane, ask: Callable[[], Awaitable[T]], failed: Callable[[PlexError], Awaitable[None]]
    ) -> T:
        """Ask Plex until it answers; `failed` is told of each error. Raises Over once the play has ended."""
        wait = _FIRST_WAIT
        while True:
            try:
                async with self._limit:
                    return await ask()
            except PlexError as error:
                log.debug("play_waits_for_plex", rating_key=lane.play.rating_key, why=str(error))
                await failed(error)
            if not self._tracker.is_open(lane.play.id):
                raise Over
            await self._clock.wait(lane.ended, wait)
            wait = min(_LONGEST_WAIT, wait * 2)

    def _gone(self, lane: Lane) -> Callable[[PlexError], Awaitable[None]]:
        """Return what gives up a play whose item Plex does not find, once it does not list the play either.

        One 404 says little: Plex may be busy with the item. A play that goes on makes itself heard again.
        """
        misses = 0

        async def failed(error: PlexError) -> None:
            nonlocal misses
            if not isinstance(error, PlexNotFound) or not self._is_pending(lane.play.id):
                return
            misses += 1
            await self._look()
            if misses >= len(_LOOKS) and self._is_pending(lane.play.id) and not self._tracker.is_listed(lane.play.id):
                self._tracker.drop(lane.play.id)

        return failed

    def _is_pending(self, play_id: str) -> bool:
        return any(play.id == play_id for play in self._tracker.pending())


def _is_news(event: Event) -> TypeGuard[PlaybackStarted | PlaybackChanged]:
    return isinstance(event, PlaybackStarted) or (isinstance(event, PlaybackChanged) and event.what == "identified")
