"""The plot of a household: what each policy serves from caches of several sizes."""

from __future__ import annotations

from daemon.config import Settings
from daemon.simulation.history import Household
from daemon.simulation.plot import Line, chart
from daemon.simulation.report import EXPLAINED, share
from daemon.simulation.report_runs import Job, Tell, run
from daemon.units import Size

_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"))


def plot(household: Household, settings: Settings, capacity: int, tell: Tell) -> str:
    """Return the plot as SVG, with caches from a quarter of `capacity` to four times as much."""
    sizes = [int(capacity * factor) for factor in _FACTORS]
    jobs = [Job(household, policy, settings, Size(bytes=size)) for policy in EXPLAINED for size in sizes]
    results = run(jobs, tell)
    lines = []
    for number, policy in enumerate(EXPLAINED):
        mine = results[number * len(sizes) : (number + 1) * len(sizes)]
        lines.append(Line(policy, [100 * (share(one.plays_cached, one.plays) or 0.0) for one in mine]))
    plays = len(household.viewings)
    return chart(
        "Plays served from the cache",
        f"{household.kind}, {plays} plays"[:58],
        points=[short(size) for size in sizes],
        along="size of the cache",
        lines=lines,
    )


def short(size: int) -> str:
    """Return an amount with two figures or three: ``85 GB``, ``1.3 TB``."""
    factor, unit = next(((factor, unit) for factor, unit in _UNITS if size >= factor), _UNITS[-1])
    number = size / factor
    return f"{number:.0f} {unit}" if number >= 10 else f"{number:.1f} {unit}"  # noqa: PLR2004 - two figures
