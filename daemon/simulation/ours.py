"""ondeckd's own policy: the handlers and the planner of the daemon decide, from demands in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import handlers.playback
import handlers.retention
import handlers.scrobble
from daemon.model import (
    Entry,
    File,
    Holding,
    Plan,
    Play,
    PlaybackConfirmed,
    PlaybackStarted,
    PlaybackStopped,
    PlayState,
    Room,
    TaskKind,
    User,
    Want,
    Watched,
)
from daemon.planning import planner, waiting
from daemon.planning.counting import Counting
from daemon.plex.episodes import next_up, seen_by
from daemon.simulation.disks import SPIN_DOWN, Held
from daemon.simulation.engine import Playing, Stage
from daemon.simulation.history import Title
from daemon.simulation.idle import Idle
from daemon.simulation.memory import Memory
from daemon.simulation.readings import Readings

_MAPPING = "library"


class Ours(Idle):
    """What the daemon would do: sources are read after each stop, each thing watched and every hour.

    Nobody tells of a watchlist, so that one waits for the hour.
    """

    name: ClassVar[str] = "ondeckd"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._last_plays: dict[str, float] = {}
        users = {user: user for user in stage.plex.users}
        self.memory = Memory(Counting(stage.settings, users, self._last_plays).until)
        self._readings = Readings(stage, self.memory)
        self._plays: dict[str, Play] = {}
        self._finished: dict[str, float] = {}
        self._plan = Plan()
        self._queued_at: dict[tuple[TaskKind, str], float] = {}
        self._files: dict[str, File] = {}

    def started(self, play: Playing) -> None:
        """Demand what plays and what follows."""
        now, settings, plex = self.stage.now, self.stage.settings, self.stage.plex
        item = plex.item(play.title)
        self._last_plays[play.user] = now
        if settings.users.inactive_after:
            self.memory.recount(play.user)
        known = self._plays[play.id] = Play(
            id=play.id,
            session_key=play.id,
            rating_key=item.rating_key,
            user=User(play.user, play.user),
            client="",
            player="",
            state=PlayState.PLAYING,
            started_at=now,
            last_seen=now,
        )
        playback = settings.playback
        views = plex.history(play.user)
        seen = seen_by(item, views, now)
        episodes = plex.items(item.show) if item.show else []
        count, runtime = playback.next_episodes, playback.next_min_runtime
        after = next_up(item, episodes, seen, views, now, count=count, min_runtime=runtime) if episodes else []
        self.memory.apply(handlers.playback.started(PlaybackStarted(known, now), item, after, settings))
        self._replan()

    def confirmed(self, play: Playing) -> None:
        """Let it take the place of the user's earlier plays of the show."""
        known = self._plays[play.id]
        of_show = self.memory.of_show(play.user, play.title.show) if play.title.show else []
        event = PlaybackConfirmed(known, self.stage.now)
        self.memory.apply(handlers.playback.confirmed(event, of_show, self._plays))
        self._replan()

    def watched(self, play: Playing) -> None:
        """End the user's wishes for it, and see what is on deck now."""
        known = self._plays[play.id] = replace(self._plays[play.id], watched=True)
        event = Watched(known.rating_key, known.user, self.stage.now, "playback")
        of_item = self.memory.of_item(known.rating_key)
        self.memory.apply(handlers.scrobble.watched(event, of_item, self.stage.settings, playing=True))
        self._readings.refresh(play.user)
        self._replan()

    def stopped(self, play: Playing) -> None:
        """Start the retention, and see what is on deck now."""
        known = self._plays.pop(play.id)
        event = PlaybackStopped(known, self.stage.now)
        made, before = self.memory.of_play(play.id), self._finished.get(known.rating_key)
        views, since = self.stage.plex.history(play.user), self.stage.now - handlers.playback.FAVOURITE_FOR
        # The last one is this very play.
        lately = [key for key, at in (views[:-1] if known.watched else views) if at > since]
        settings = self.stage.settings
        changes = handlers.playback.stopped(event, made, settings, watched_before=before, lately=lately)
        if known.watched:
            self._finished[known.rating_key] = self.stage.now
        self.memory.apply(changes)
        for key, since in changes.waived:
            held = self.stage.disks.held.get(key)
            if held and held.cached_at >= since:
                held.waived = True
        self._readings.refresh(play.user)
        self._replan()

    def arrived(self, title: Title) -> None:
        """Read the sources again: Plex tells what is new."""
        del title
        self._readings.refresh_all()
        self._replan()

    def tick(self) -> None:
        """Read the sources again, and drop what is over."""
        self._readings.refresh_all()
        due = self._plan.next_due
        # Nothing else changes a plan by itself; what found no room may find some as the wishes before it grow old.
        if self.memory.is_due(self.stage.now) or self._plan.refused or (due and due <= self.stage.now):
            self._replan()

    def next_copy(self) -> Title | None:
        """Do what may be done now: evictions at once, then the first of the copies."""
        disks = self.stage.disks
        for eviction in self._plan.evictions:
            key = eviction.entry.file.array_path
            if key in disks.held and self._may_run(TaskKind.EVICT, key, urgent=eviction.urgent):
                self.stage.evict(key)
        for one in self._plan.cache_ins:
            key = one.file.array_path
            title = self.stage.plex.title(key)
            if title is None or key in disks.held or title.size > disks.free:
                continue
            if self._may_run(TaskKind.CACHE_IN, key, urgent=one.urgent):
                return title
        return None

    def _may_run(self, kind: TaskKind, key: str, *, urgent: bool) -> bool:
        now, array = self.stage.now, self.stage.disks.array
        along = waiting.goes_along(awake=array.awake(now), idle=array.idle(now), spin_down=SPIN_DOWN)
        queued_at, schedule = self._queued_at[kind, key], self.stage.settings.schedule
        return waiting.may_run(urgent=urgent, queued_at=queued_at, along=along, schedule=schedule, now=now)

    def _replan(self) -> None:
        stage, now = self.stage, self.stage.now
        self.memory.apply(handlers.retention.expired(*self.memory.due(now)))
        self.memory.changed = False
        self._plan = planner.plan(self._situation(), stage.settings, now)
        tasks = [(TaskKind.CACHE_IN, one.file.array_path) for one in self._plan.cache_ins]
        tasks += [(TaskKind.EVICT, one.entry.file.array_path) for one in self._plan.evictions]
        self._queued_at = {task: self._queued_at.get(task, now) for task in tasks}

    def _situation(self) -> planner.Situation:
        disks, memory, stage = self.stage.disks, self.memory, self.stage
        wants = [
            Want(self._file(title), demands)
            for key in memory.wanted()
            if key not in disks.held
            and (demands := memory.counted(key, stage.now))
            and (title := stage.plex.title(key))
        ]
        reserved = disks.copying.size if disks.copying else 0
        room = Room(_MAPPING, disks.capacity, disks.capacity - disks.used, disks.used, reserved)
        return planner.Situation(
            wants=wants,
            holdings=[self._holding(held) for held in disks.held.values()],
            rooms={_MAPPING: room},
            playing=frozenset(play.title.key for play in stage.playing.values()),
            running=frozenset([disks.copying.key] if disks.copying else []),
        )

    def _holding(self, held: Held) -> Holding:
        key = held.title.key
        entry = Entry(self._file(held.title), 0, held.cached_at, held.last_played_at, waived=held.waived)
        return Holding(entry, self.memory.counted(key, self.stage.now), self.memory.keep_until(key))

    def _file(self, title: Title) -> File:
        if title.key not in self._files:
            self._files[title.key] = File(title.key, title.key, title.key, _MAPPING, title.size)
        return self._files[title.key]
