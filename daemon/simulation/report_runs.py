"""Runs many replays at once, each in a process of its own kind: nothing but arithmetic, and much of it."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from daemon.config import Settings, SpaceSettings
from daemon.simulation.engine import Result, replay
from daemon.simulation.generate import household
from daemon.simulation.history import Household
from daemon.simulation.policies import POLICIES
from daemon.storage.space import room
from daemon.units import Size

_PROCESSES = 2
_LIGHT = 30
"""Plays."""
_OFF = Size()

Tell = Callable[[int, int], None]
"""Told how many replays of how many are done."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A household that is yet to be generated: small to send to another process."""

    kind: str
    seed: int = 1
    days: int = 90

    def make(self) -> Household:
        """Return the household."""
        return household(self.kind, seed=self.seed, days=self.days)


@dataclass(frozen=True, slots=True)
class Job:
    """One replay. `capacity` may be a share of the library."""

    source: Household | Recipe
    policy: str
    settings: Settings
    capacity: Size

    @property
    def is_light(self) -> bool:
        """Say whether it is done before another process could begin."""
        return isinstance(self.source, Household) and len(self.source.viewings) <= _LIGHT

    def run(self) -> Result:
        """Return what the policy makes of the history."""
        home = self.source.make() if isinstance(self.source, Recipe) else self.source
        settings = self.settings.model_copy(update={"space": _all_of_it(self.settings.space)})
        return replay(home, POLICIES[self.policy], settings, self.capacity.of(home.bytes))


def run(jobs: Sequence[Job], tell: Tell) -> list[Result]:
    """Return the result of each job, in their order."""
    if all(job.is_light for job in jobs):
        return [job.run() for job in jobs]
    results: dict[int, Result] = {}
    # Not forked: who calls may have threads, such as one that draws a bar.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_PROCESSES, context, _end_at_interrupt) as executor:
        numbers = {executor.submit(job.run): number for number, job in enumerate(jobs)}
        try:
            for future in as_completed(numbers):
                results[numbers[future]] = future.result()
                tell(len(results), len(jobs))
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    return [results[number] for number in range(len(jobs))]


def configured_capacity(settings: Settings) -> int:
    """Return what may be placed on the caches of all mappings together; 0 where none can be measured."""
    rooms: dict[str, int] = {}
    space = settings.space
    for mapping in settings.mapping:
        try:
            name, total, _ = room(mapping.cache)
        except OSError:
            continue
        limit = space.limit.of(total) if space.limit else total
        quota = space.quota.of(total) if space.quota else total
        rooms[name] = max(0, min(limit, total - space.min_free.of(total), quota))
    return sum(rooms.values())


def _end_at_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _all_of_it(space: SpaceSettings) -> SpaceSettings:
    """Return settings by which the capacity is what may be used; it is freed by as much at a time as before."""
    limit, evict_to = space.limit.percent, space.evict_to.percent
    target = Size(percent=round(100 * evict_to / limit, 3)) if limit and evict_to and evict_to < limit else _OFF
    return space.model_copy(update={"limit": _OFF, "min_free": _OFF, "quota": _OFF, "evict_to": target})
