"""Whether the array is awake: by what plays from it, by our own work on it, and where the system says by its disks."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from daemon.bell import Bell
from daemon.clock import Clock
from daemon.feed import RESYNC, Feed
from daemon.interop import unraid
from daemon.live import Live
from daemon.metrics import Metrics
from daemon.model import Task, TaskKind
from daemon.mounts import file_systems
from daemon.planning.waiting import goes_along, has_just_begun
from daemon.storage.paths import Mappings

_TELLING = {"session", "task", "entry", RESYNC}
"""Notices after which something else may play from the array."""
_POLL = 60.0
"""Seconds between two looks at what the system says of its disks."""
_LAG = 60.0
"""Seconds for which our own use of a disk counts more than what the system says of it."""
_REASONS = {TaskKind.CACHE_IN: "copy", TaskKind.EVICT: "evict"}

Disks = Callable[[], Awaitable[Mapping[str, bool] | None]]


async def _says_nothing() -> None:
    """Say what a system says that tells nothing of its disks."""


@dataclass(slots=True)
class _Array:
    """One file system of the slow tier. `since` is when it was woken last; `spins` what the system said at `said_at`.

    Nothing is known of one at first, and it counts as asleep.
    """

    roots: dict[str, str] = field(default_factory=dict)
    """The array's root of each mapping that lies on it, by the mapping's name."""
    used_at: float = -math.inf
    in_use: bool = False
    since: float = -math.inf
    awake: bool = False
    along: bool = False
    spins: bool | None = None
    said_at: float = -math.inf

    def is_awake(self, spin_down: float, now: float) -> bool:
        """Say whether it is awake, as far as can be told without asking it."""
        if self.in_use or not spin_down:
            return True
        if self.spins is not None and self.said_at > self.used_at + _LAG:
            return self.spins
        return now < self.used_at + spin_down

    def takes_along(self, spin_down: float, now: float) -> bool:
        """Say whether waiting work goes along with what uses it."""
        idle = 0.0 if self.in_use else now - self.used_at
        return goes_along(awake=self.is_awake(spin_down, now), idle=idle, spin_down=spin_down)


@dataclass(slots=True)
class _Running:
    """A task that runs, and whether it has come as far as the array."""

    task: Task
    touched: bool = False


class ArrayWatch:
    """Knows of each array whether it is awake, and rings `bell` when one is used, so that waiting work goes along.

    Mappings on one file system share an array. `streams` says whether somebody plays from a mapping's array; `disks`
    asks the system which of its disks spin, and answers None where it never knows; TimeoutError: not now. `begun_at` is
    when the daemon began.
    """

    def __init__(
        self,
        live: Live,
        clock: Clock,
        feed: Feed,
        metrics: Metrics,
        bell: Bell,
        *,
        streams: Callable[[str], bool],
        begun_at: float = -math.inf,
        disks: Disks = _says_nothing,
        on_file_systems: Callable[[list[str]], Mapping[str, str]] = file_systems,
    ) -> None:
        self._live = live
        self._clock = clock
        self._feed = feed
        self._metrics = metrics
        self._bell = bell
        self._streams = streams
        self._disks = disks
        self._on_file_systems = on_file_systems
        self._begun_at = begun_at
        self._loop = asyncio.get_running_loop()
        self._running: dict[int, _Running] = {}
        self._mappings: Mappings | None = None
        self._arrays: dict[str, _Array] = {}
        metrics.watch_arrays(self.states)

    def along(self) -> dict[str, float]:
        """Return since when the arrays are awake with which waiting work goes along now, by their mappings' names."""
        self._look()
        begun_at = self._begun_at
        begins = has_just_begun(begun_at, self._live.settings.schedule, self._clock.now())
        return {
            name: array.since if array.along else begun_at
            for array in self._arrays.values()
            if array.along or begins
            for name in array.roots
        }

    def begin(self) -> None:
        """Have nothing wait for a while, as after the start: a person has changed something, and wants to see it."""
        self._begun_at = self._clock.now()
        self._bell.ring()

    def brought(self, mapping: str) -> None:
        """Take a mapping's array for used: somebody has just put something there."""
        self._look({mapping: "arrival"})

    def states(self) -> dict[str, bool]:
        """Return by mapping whether its array is awake."""
        self._look()
        return {name: array.awake for array in self._arrays.values() for name in array.roots}

    @contextmanager
    def during(self, task: Task) -> Iterator[None]:
        """Take the array for awake while `task` runs, from the moment when it touches it."""
        self._find_arrays()
        running = self._running[task.id] = _Running(task)
        try:
            yield
        finally:
            del self._running[task.id]
            if running.touched:
                self._look({task.file.mapping: _REASONS[task.kind]})

    def touched(self, operation: str, reason: str) -> None:
        """Count an operation on some array, and what it was for. May be called from any thread."""
        self._metrics.array_operation(operation, reason)
        with suppress(RuntimeError):  # a thread that hung in a dead disk, and came back after the end
            self._loop.call_soon_threadsafe(self._note, reason)

    async def run(self) -> None:
        """Notice what plays from the array and, where the system tells, what wakes it. Never returns."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="array-watch")
            group.create_task(self._listen_to_disks(), name="spin-states")

    async def _follow(self) -> None:
        async with self._feed.subscribe() as notices:
            async for notice in notices:
                if notice.kind in _TELLING:
                    self._look()

    async def _listen_to_disks(self) -> None:
        while (disks := await self._said()) is not None:
            now = self._clock.now()
            self._find_arrays()
            for array in self._arrays.values():
                said = [unraid.spins(disks, root) for root in array.roots.values()]
                array.spins = any(said) if None not in said else None
                array.said_at = now
            self._look()
            await self._clock.sleep(_POLL)

    async def _said(self) -> Mapping[str, bool] | None:
        try:
            return await self._disks()
        except TimeoutError:  # all threads hang in a dead disk, maybe
            return {}

    def _note(self, reason: str) -> None:
        # Which array it was nobody says: that of the work that runs, or the only one there is.
        running = [one for one in self._running.values() if one.task.kind == reason] or [*self._running.values()]
        for one in running:
            one.touched = True
        self._look({} if running or len(self._arrays) > 1 else dict.fromkeys(self._names(), reason))

    def _look(self, used: Mapping[str, str] = MappingProxyType({})) -> None:
        """See which arrays are in use now; `used`: by mapping, what its array has just been used for."""
        if self._mappings is not self._live.mappings:
            self._find_arrays()
        now, spin_down = self._clock.now(), self._live.settings.schedule.spin_down
        heard = False
        # On a clock that was set back nothing has happened later than now.
        self._begun_at = min(self._begun_at, now)
        for array in self._arrays.values():
            array.used_at = min(array.used_at, now)
            was = array.awake and array.is_awake(spin_down, now)
            went = array.along and array.takes_along(spin_down, now)
            using = self._used_by(array)
            why = using or next((used[name] for name in array.roots if name in used), "")
            if why or array.in_use:  # what was in use at the last look may have ended only now
                array.used_at = now
            array.in_use = bool(using)
            array.awake, array.along = array.is_awake(spin_down, now), array.takes_along(spin_down, now)
            heard |= array.along and not went
            if array.awake and not was:
                array.since = now
                if why:
                    self._metrics.array_woken(why)
        if heard:
            self._bell.ring()

    def _used_by(self, array: _Array) -> str:
        """Return what uses an array now; empty: nothing that is known."""
        if any(self._streams(name) for name in array.roots):
            return "play"
        touching = (one.task for one in self._running.values() if one.touched)
        return next((_REASONS[task.kind] for task in touching if task.file.mapping in array.roots), "")

    def _names(self) -> list[str]:
        return [name for array in self._arrays.values() for name in array.roots]

    def _find_arrays(self) -> None:
        """See which mappings share an array; what may have changed with the settings, or with what is mounted."""
        mappings = self._mappings = self._live.mappings
        disks = self._on_file_systems([mapping.array for mapping in mappings.all])
        known, self._arrays = self._arrays, {}
        for mapping in mappings.all:
            key = disks[mapping.array]
            if key not in self._arrays:
                self._arrays[key] = known.get(key) or _Array()
                self._arrays[key].roots = {}
            self._arrays[key].roots[mapping.name] = mapping.array
