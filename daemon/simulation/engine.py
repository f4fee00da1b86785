"""Replays the history of a household against a policy: a simulated clock, simulated disks, and what came of it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Protocol

from daemon.config import Settings
from daemon.plex.plays import WATCHED_SHARE
from daemon.simulation.disks import COPY_SPEED, Disks
from daemon.simulation.history import Household, Listing, Title, Viewing
from daemon.simulation.household_view import PlexView

TICK = 3600.0
"""Seconds between two regular looks: the batch runs then, and sources are read again."""

GLANCE = 60.0
"""Seconds of a play that Plex does not take for one that is in progress."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a policy made of a history. Nothing is left out at its begin, when the cache is still empty.

    `followed` are the plays of an episode of a show of which anybody in the house had started an episode before;
    `followed_missed` those of them that had to be read from the array.
    """

    kind: str
    policy: str
    capacity: int
    days: float
    plays: int
    plays_cached: int
    hours: float
    hours_cached: float
    followed: int
    followed_missed: int
    wakeups: int
    hours_awake: float
    bytes_written: int
    bytes_missed: int
    """The size of the file of each play that was read from the array: what copying all of them writes at most."""
    evictions: int

    @property
    def wakeups_a_day(self) -> float:
        """Return how often the array woke on an average day."""
        return self.wakeups / self.days

    @property
    def hours_awake_a_day(self) -> float:
        """Return how long the array was awake on an average day."""
        return self.hours_awake / self.days


@dataclass(frozen=True, slots=True)
class Playing:
    """One play of the history, under way. `cached`: it is read from the cache, to its end."""

    id: str
    viewing: Viewing
    title: Title
    cached: bool

    @property
    def user(self) -> str:
        """Return who plays."""
        return self.viewing.user


@dataclass(slots=True)
class Stage:
    """What a policy sees, and acts on."""

    household: Household
    """The whole history, the future too: only for a policy that may know it."""
    settings: Settings
    plex: PlexView
    disks: Disks
    now: float = 0.0
    playing: dict[str, Playing] = field(default_factory=dict)

    def is_playing(self, key: str) -> bool:
        """Say whether anybody plays this title now."""
        return any(play.title.key == key for play in self.playing.values())

    def evict(self, key: str) -> None:
        """Take a copy off the cache."""
        if self.is_playing(key):
            raise ValueError(f"{key} plays and must not leave")
        self.disks.evict(key, self.now)


class Policy(Protocol):
    """What decides. Each method is told of something that has just happened; `Stage.now` says when."""

    @property
    def name(self) -> str:
        """Return what people call it."""

    def started(self, play: Playing) -> None:
        """Somebody begins to play."""

    def confirmed(self, play: Playing) -> None:
        """A play has lasted ``playback.min_play``."""

    def watched(self, play: Playing) -> None:
        """A play has come so far that Plex counts the item as watched."""

    def stopped(self, play: Playing) -> None:
        """A play has ended; it is no longer among `Stage.playing`."""

    def listed(self, listing: Listing) -> None:
        """Somebody has put something on the watchlist."""

    def arrived(self, title: Title) -> None:
        """Something new is in the library."""

    def tick(self) -> None:
        """An hour is over."""

    def copied(self, title: Title) -> None:
        """A copy is complete."""

    def next_copy(self) -> Title | None:
        """Return what to copy now, since nothing is being copied, if anything."""


MakePolicy = Callable[[Stage], Policy]


@dataclass(slots=True)
class _Tally:
    plays: int = 0
    plays_cached: int = 0
    seconds: float = 0.0
    seconds_cached: float = 0.0
    followed: int = 0
    followed_missed: int = 0
    begun: set[str] = field(default_factory=set)
    bytes_missed: int = 0

    def count(self, play: Playing) -> None:
        seconds = _length(play.viewing, play.title)
        followed = play.title.show in self.begun
        self.plays += 1
        self.seconds += seconds
        self.followed += followed
        if play.cached:
            self.plays_cached += 1
            self.seconds_cached += seconds
        else:
            self.followed_missed += followed
            self.bytes_missed += play.title.size
        if play.title.show:
            self.begun.add(play.title.show)


def replay(household: Household, policy: MakePolicy, settings: Settings, capacity_bytes: int) -> Result:
    """Return what `policy` makes of the history with a cache of `capacity_bytes`."""
    return _Replay(household, policy, settings, capacity_bytes).run()


class _Replay:
    """The clock: all that happens, in order."""

    def __init__(self, household: Household, policy: MakePolicy, settings: Settings, capacity_bytes: int) -> None:
        acts: tuple[Viewing | Listing, ...] = (*household.viewings, *household.listings)
        users = {one.user for one in acts}
        first = min((one.at for one in acts), default=0.0)
        here = (title for title in household.titles.values() if title.added_at <= first)
        self._stage = Stage(household, settings, PlexView(here, users), Disks(capacity_bytes), first)
        self._policy = policy(self._stage)
        self._tally = _Tally()
        self._first = first
        self._numbers = count()
        self._due: list[tuple[float, int, int, Callable[[], None]]] = []

    def run(self) -> Result:
        stage = self._stage
        last = self._first
        for at, order, what in self._history():
            self._put(at, order, what)
        last = max((self._end(viewing) for viewing in stage.household.viewings), default=self._first)
        hour = self._first - self._first % TICK
        while (hour := hour + TICK) <= last:
            self._put(hour, _TICK, self._policy.tick)
        while self._due and self._due[0][0] <= last:
            stage.now, _, _, act = heapq.heappop(self._due)
            act()
            self._keep_copying()
        return self._result(max(1.0, (last - self._first) / 86_400))

    def _result(self, days: float) -> Result:
        tally, disks = self._tally, self._stage.disks
        return Result(
            kind=self._stage.household.kind,
            policy=self._policy.name,
            capacity=disks.capacity,
            days=days,
            plays=tally.plays,
            plays_cached=tally.plays_cached,
            hours=tally.seconds / 3600,
            hours_cached=tally.seconds_cached / 3600,
            followed=tally.followed,
            followed_missed=tally.followed_missed,
            wakeups=disks.array.wakeups,
            hours_awake=disks.array.seconds / 3600,
            bytes_written=disks.written,
            bytes_missed=tally.bytes_missed,
            evictions=disks.evictions,
        )

    def _end(self, viewing: Viewing) -> float:
        return viewing.at + _length(viewing, self._stage.household.titles[viewing.key])

    def _put(self, at: float, order: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at, order, next(self._numbers), act))

    def _history(self) -> Iterator[tuple[float, int, Callable[[], None]]]:
        household = self._stage.household
        for title in household.titles.values():
            if title.added_at > self._first:
                yield title.added_at, _ARRIVAL, partial(self._arrive, title)
        for listing in household.listings:
            yield listing.at, _LISTING, partial(self._list, listing)
        for viewing in household.viewings:
            yield viewing.at, _START, partial(self._start, viewing)

    def _arrive(self, title: Title) -> None:
        # Whoever brings it writes it to the array, and so wakes it, whatever the policy.
        self._stage.disks.array.use(self._stage.now, title.size / COPY_SPEED)
        self._stage.plex.arrive(title)
        self._policy.arrived(title)

    def _list(self, listing: Listing) -> None:
        self._stage.plex.put_on_list(listing)
        self._policy.listed(listing)

    def _start(self, viewing: Viewing) -> None:
        stage, title = self._stage, self._stage.household.titles[viewing.key]
        held = stage.disks.held.get(title.key)
        play = Playing(str(next(self._numbers)), viewing, title, cached=held is not None)
        length = _length(viewing, title)
        if held:
            held.plays += 1
            held.last_played_at = stage.now
        else:
            stage.disks.array.use(stage.now, length)
        self._tally.count(play)
        stage.playing[play.id] = play
        stage.plex.begin(viewing.user, title, stage.now)
        self._policy.started(play)
        if length >= stage.settings.playback.min_play:
            self._put(stage.now + stage.settings.playback.min_play, _CONFIRM, partial(self._policy.confirmed, play))
        if viewing.begin < WATCHED_SHARE <= viewing.end:
            at = stage.now + (WATCHED_SHARE - viewing.begin) * title.duration
            self._put(at, _WATCHED, partial(self._finish, play))
        self._put(stage.now + length, _STOP, partial(self._stop, play))

    def _finish(self, play: Playing) -> None:
        self._stage.plex.finish(play.user, play.title, self._stage.now)
        self._policy.watched(play)

    def _stop(self, play: Playing) -> None:
        viewing = play.viewing
        if viewing.end < WATCHED_SHARE and _length(viewing, play.title) < GLANCE:
            self._stage.plex.forget(play.user, play.title)
        del self._stage.playing[play.id]
        if held := self._stage.disks.held.get(play.title.key):
            held.last_played_at = self._stage.now
        self._policy.stopped(play)

    def _keep_copying(self) -> None:
        stage = self._stage
        if stage.disks.copying is None and (title := self._policy.next_copy()):
            self._put(stage.disks.begin(title, stage.now), _COPIED, self._complete)

    def _complete(self) -> None:
        self._policy.copied(self._stage.disks.finish(self._stage.now))


_COPIED, _WATCHED, _STOP, _ARRIVAL, _LISTING, _CONFIRM, _TICK, _START = range(8)
"""What comes first of what happens at the same moment: an episode ends before the next one begins."""


def _length(viewing: Viewing, title: Title) -> float:
    return max(0.0, viewing.end - viewing.begin) * title.duration
