"""From an event to committed tasks: handler, demands, plan and queue in one transaction."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

import handlers.playback
import handlers.retention
import handlers.scrobble
from daemon.bell import Bell
from daemon.clock import Clock
from daemon.feed import Feed
from daemon.live import Live
from daemon.metrics import Metrics
from daemon.model import (
    Event,
    Item,
    Plan,
    PlaybackChanged,
    PlaybackStarted,
    PlaybackStopped,
    TaskState,
    Watched,
)
from daemon.planning.planner import NO_ROOM, is_enough, plan
from daemon.recording import record
from daemon.rooms import Rooms
from daemon.situation import Enqueued, Outside, Picture, counting, enqueue, look
from daemon.state import demands, ledger, plays, tasks
from daemon.state.store import Connection, Store

log = structlog.get_logger()

T = TypeVar("T")

_LOOK_AGAIN = 15.0
"""Seconds after which to plan again while something is amiss that ends without a word."""
_MEASURE_AGAIN = 10.0
"""Seconds after which to look whether somebody else has filled a cache, which nobody tells."""
_FILLS_SLOWLY = 60.0
"""Seconds after which a cache that is only a little fuller, as one always is that others write to, is planned for."""
_MUCH = 0.01
"""The share of a cache that is planned for at once."""
_REST = 4
"""Times as long as a plan took, for which those that are only asked for wait."""
_HISTORY = 365 * 86_400.0
"""Seconds for which ended plays are remembered."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan, and what became of it on the queue; not all that it was made from, which may be large.

    `streaming` and `unmapped` are the picture's; `full` counts the files of each mapping for which there is no room;
    `blind`: it was not known what plays.
    """

    plan: Plan
    streaming: frozenset[str]
    unmapped: Mapping[str, str]
    full: Counter[str]
    blind: bool
    enqueued: Enqueued


class Dispatcher:
    """The only writer of demands, and the only caller of the planner that acts on its answer.

    `sessions_known` says whether the sessions of Plex are known now; `copying` gives the bytes that each running copy
    has still to write, by array path. `tasks_added` rings when there is something for the workers, `take_back` is told
    of each running copy that nobody wants any more.
    """

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        feed: Feed,
        metrics: Metrics,
        rooms: Rooms,
        *,
        sessions_known: Callable[[], bool],
        copying: Callable[[], Mapping[str, int]],
        take_back: Callable[[int], None],
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._feed = feed
        self._metrics = metrics
        self._rooms = rooms
        self.sessions_known = sessions_known
        self._copying = copying
        self._take_back = take_back
        self._dry_run = dry_run
        self._said: frozenset[tuple[str, str]] = frozenset()
        self._streaming: frozenset[str] = frozenset()
        self._next_out: frozenset[str] = frozenset()
        self._blind = True
        self._measured: Mapping[str, tuple[str, int, int]] = {}
        self._reported: set[str] = set()
        self._next_due: float | None = None
        self._replan = asyncio.Event()
        self._recount = True
        self.tasks_added = Bell(clock)

    async def on_event(self, event: Event, item: Item | None = None, following: Sequence[Item] = ()) -> None:
        """Record an event and all that follows from it, durably, before returning."""
        # A start only adds wishes; what else happens may free what the last plan could not let go.
        among = self._next_out if isinstance(event, PlaybackStarted) else frozenset[str]()
        decision, tier = await self._commit(
            lambda connection: record(connection, event, item, following, self._live.settings), among=among
        )
        if isinstance(event, PlaybackStarted):
            self._metrics.play(tier)
            self._metrics.event_to_task(max(0.0, self._clock.now() - event.at))
        self._tell(event, item, tier, decision)

    async def change(self, work: Callable[[Connection], object]) -> Decision:
        """Do `work` and plan anew, in one transaction."""
        decision, _ = await self._commit(work)
        return decision

    async def preview(self, read: Callable[[Connection, Plan], T]) -> T:
        """Plan without writing anything, and return what `read` makes of it (in the database's thread)."""
        outside = await self._look_outside()

        def work(connection: Connection) -> T:
            _, made = self._plan(connection, outside, everything=True)
            return read(connection, made)

        return await self._store.run(work)

    def is_streaming(self, mapping: str) -> bool:
        """Say whether somebody plays from the array of this mapping, as of the last plan."""
        return mapping in self._streaming

    def request_replan(self, *, recount: bool = False) -> None:
        """Have the plan made anew soon; many requests at once make one plan. `recount`: other settings count."""
        self._recount |= recount
        self._replan.set()

    async def run(self) -> None:
        """Wait for the moments at which time alone, or a request, changes the plan. Never returns."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self.change(self._expire)
            # While thousands of copies are made, each of them asks for a plan: events must not wait behind these.
            await asyncio.sleep(_REST * (loop.time() - began))
            wait = None if self._next_due is None else self._next_due - self._clock.now()
            if self._is_amiss():
                wait = min(wait or _LOOK_AGAIN, _LOOK_AGAIN)
            await self._wait(wait)
            self._replan.clear()

    async def _wait(self, seconds: float | None) -> None:
        """Wait so long (None: without end), until a plan is asked for, or until a cache is fuller than it was."""
        began = self._clock.now()
        end = math.inf if seconds is None else began + seconds
        while (left := end - self._clock.now()) > 0:
            if await self._clock.wait(self._replan, min(left, _MEASURE_AGAIN)):
                return
            rooms = await self._rooms.measure()
            much = 0.0 if self._clock.now() >= began + _FILLS_SLOWLY else _MUCH
            known = [(before, rooms[name]) for name, before in self._measured.items() if name in rooms]
            if any(free < had - total * much for (_, _, had), (_, total, free) in known):
                return

    def _is_amiss(self) -> bool:
        """Say whether the plan waits for something of whose end nobody tells: sessions, a cache, room on it."""
        # The last plan counts: the sessions may have become known since, and then nobody would plan again.
        return self._blind or not self.sessions_known() or bool(self._rooms.problems or self._rooms.full)

    def _expire(self, connection: Connection) -> None:
        now = self._clock.now()
        demands.apply(connection, handlers.retention.expired(*demands.due(connection, now)))
        if self._recount:
            demands.recount(connection, counting(connection, self._live.settings).until)
            self._recount = False

    async def forget_old(self) -> None:
        """Delete rows that nothing needs any more: old plays, items that nothing refers to."""
        before = self._clock.now() - _HISTORY

        def work(connection: Connection) -> None:
            plays.forget_before(connection, before)
            demands.forget_idle(connection, before)

        await self._store.run(work)

    async def _commit(
        self, work: Callable[[Connection], object], *, among: frozenset[str] = frozenset()
    ) -> tuple[Decision, str]:
        outside = await self._look_outside()
        self._measured = outside.rooms

        def transaction(connection: Connection) -> tuple[Decision, str, float | None]:
            said = work(connection)
            picture, made = self._plan(connection, outside, everything=False, among=among)
            if made.pressed and not (among and is_enough(made)):
                picture, made = self._plan(connection, outside, everything=True)
            situation = picture.situation
            enqueued = Enqueued() if self._dry_run else enqueue(connection, made, situation, outside.now)
            full = Counter(one.file.mapping for one in made.refused if one.why == NO_ROOM)
            blind = not situation.sessions_known
            decision = Decision(made, picture.streaming, picture.unmapped, full, blind, enqueued)
            return decision, str(said or ""), self._due(connection, outside.now)

        decision, said, due = await self._store.run(transaction)
        self._settle(decision, due)
        return decision, said

    async def _look_outside(self) -> Outside:
        # Asked for on the loop: what these look at changes there, and must not while the database's thread reads it.
        return Outside(await self._rooms.measure(), self._copying(), self.sessions_known(), self._clock.now())

    def _plan(
        self, connection: Connection, outside: Outside, *, everything: bool, among: frozenset[str] = frozenset()
    ) -> tuple[Picture, Plan]:
        settings, mappings = self._live.settings, self._live.mappings
        picture = look(connection, mappings, outside, settings.retention.min_stay, everything=everything, among=among)
        return picture, plan(picture.situation, settings, outside.now)

    def _due(self, connection: Connection, now: float) -> float | None:
        """Return when time alone changes the plan."""
        moments = (
            demands.next_due(connection, now),
            ledger.next_unfresh(connection, self._live.settings.retention.min_stay, now),
            tasks.next_rested(connection, now),
        )
        return min((one for one in moments if one is not None), default=None)

    def _settle(self, decision: Decision, due: float | None) -> None:
        self._streaming = decision.streaming
        # With what leaves already, whose tasks an event's plan must not take for forgotten.
        leaving = {one.entry.file.array_path for one in decision.plan.evictions}
        self._next_out = frozenset(leaving.union(path for path, _ in decision.plan.ranking))
        self._blind = decision.blind
        if self._dry_run:
            self._say(decision.plan)
        if due != self._next_due:
            # The waiting coroutine plans once more and then sleeps until the new moment.
            sooner = due is not None and (self._next_due is None or due < self._next_due)
            self._next_due = due
            if sooner:
                self._replan.set()
        self._rooms.note_full(decision.full)
        for path, why in decision.unmapped.items():
            if path not in self._reported:
                self._reported.add(path)
                log.warning("path_unmapped", path=path, why=why)
                self._feed.publish("notice", {"level": "warning", "text": why})
        for task_id in decision.enqueued.unwanted:
            self._take_back(task_id)
        if decision.enqueued.added:
            self.tasks_added.ring()
            for task_id, new in decision.enqueued.added.items():
                about = {"id": task_id, "kind": new.kind, "file": new.file.plex_path}
                self._feed.publish("task", {**about, "state": TaskState.QUEUED})

    def _say(self, made: Plan) -> None:
        """Log what a dry run would do, once for each file."""
        would = {("cache_in", one.file.array_path): one.why for one in made.cache_ins} | {
            ("evict", one.entry.file.array_path): one.why for one in made.evictions
        }
        for kind, path in would.keys() - self._said:
            log.info("would_cache_in" if kind == "cache_in" else "would_evict", path=path, why=would[kind, path])
        self._said = frozenset(would)

    def _tell(self, event: Event, item: Item | None, tier: str, decision: Decision) -> None:
        if isinstance(event, Watched):
            log.info("watched", rating_key=event.rating_key, user=event.user.title, why=event.source)
            return
        play = event.play
        fields = {"rating_key": play.rating_key, "user": play.user.title}
        if isinstance(event, PlaybackStarted):
            path = item.files[0].plex_path if item and item.files else ""
            added = len(decision.enqueued.added)
            log.info("playback_started", **fields, path=path, tier=tier, tasks=added, play=play.id)
        elif isinstance(event, PlaybackStopped):
            log.info("playback_stopped", **fields, seconds=round(event.at - play.started_at, 1), watched=play.watched)
        elif isinstance(event, PlaybackChanged):
            log.debug("playback_changed", **fields, what=event.what)
        self._feed.publish("session", {"session_key": play.session_key, "state": play.state, **fields})
