"""Which replays a report needs, and what is made of their results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from daemon.config import Settings
from daemon.simulation.engine import Result
from daemon.simulation.history import Household
from daemon.simulation.report import EXPLAINED, OURS, Case, played_bytes
from daemon.simulation.report_floor import floor
from daemon.simulation.report_runs import Job, Recipe, Tell, run
from daemon.units import Size


def compare(household: Household, settings: Settings, capacity: Size, tell: Tell) -> list[Result]:
    """Return what each policy makes of one household, in the order in which they are shown."""
    return run([Job(household, policy, settings, capacity) for policy in EXPLAINED], tell)


def measure(recipes: Sequence[Recipe], capacities: Sequence[Size], settings: Settings, tell: Tell) -> list[Case]:
    """Return the cases of all these households at all these capacities."""
    bare = without_current(settings)
    jobs = [
        job
        for capacity in capacities
        for recipe in recipes
        for job in (
            *(Job(recipe, policy, settings, capacity) for policy in EXPLAINED),
            Job(recipe, OURS, bare, capacity),
        )
    ]
    return list(_cases(jobs, run(jobs, tell)))


def without_current(settings: Settings) -> Settings:
    """Return settings by which what plays is not copied itself."""
    playback = settings.playback.model_copy(update={"cache_current": False})
    return settings.model_copy(update={"playback": playback})


def _cases(jobs: Sequence[Job], results: Sequence[Result]) -> Iterator[Case]:
    size = len(EXPLAINED) + 1
    for start in range(0, len(jobs), size):
        *mine, bare = results[start : start + size]
        job = jobs[start]
        household = job.source.make() if isinstance(job.source, Recipe) else job.source
        by_policy = {result.policy: result for result in mine}
        yield Case(household.kind, str(job.capacity), played_bytes(household), by_policy, bare, floor(household))
