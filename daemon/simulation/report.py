"""What came of a household under each policy: the figures that people read, and what they are held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from daemon.simulation.engine import Result
from daemon.simulation.history import Household
from daemon.simulation.report_floor import Floor

OURS, BATCH, LRU, NOTHING, CLAIRVOYANT = "ondeckd", "batch", "lru", "nothing", "clairvoyant"
EXPLAINED: Mapping[str, str] = {
    OURS: "these settings",
    BATCH: "a run every hour over On Deck and the watchlists",
    LRU: "what was played stays until there is no room",
    NOTHING: "no cache",
    CLAIRVOYANT: "knows the future",
}
"""Each policy in a few words, in the order in which they are shown."""

HEADS = (
    "policy",
    "plays cached",
    "hours cached",
    "of shows begun",
    "missed",
    "wake-ups/day",
    "hours awake/day",
    "GB written/day",
)
"""The columns of `row`."""

_GB = 1e9


def row(result: Result) -> tuple[str, ...]:
    """Return the figures of a policy as text."""
    return (
        result.policy,
        percent(result.plays_cached, result.plays),
        percent(result.hours_cached, result.hours),
        percent(result.followed - result.followed_missed, result.followed),
        f"{result.followed_missed} of {result.followed}",
        f"{result.wakeups_a_day:.2f}",
        f"{result.hours_awake_a_day:.2f}",
        f"{written_a_day(result):.1f}",
    )


def document(result: Result) -> dict[str, Any]:
    """Return the figures of a policy for a program."""
    return {
        **asdict(result),
        "plays_cached_share": share(result.plays_cached, result.plays),
        "hours_cached_share": share(result.hours_cached, result.hours),
        "followed_missed_share": share(result.followed_missed, result.followed),
        "wakeups_a_day": result.wakeups_a_day,
        "hours_awake_a_day": result.hours_awake_a_day,
        "bytes_written_a_day": result.bytes_written / result.days,
    }


def percent(part: float, whole: float) -> str:
    """Return a share as text; a dash where there is nothing to share."""
    found = share(part, whole)
    return "-" if found is None else f"{100 * found:.1f} %"


def share(part: float, whole: float) -> float | None:
    """Return a share, None where there is nothing to share."""
    return part / whole if whole else None


def written_a_day(result: Result) -> float:
    """Return how many gigabytes go to the cache on an average day."""
    return result.bytes_written / result.days / _GB


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure and the most that it may be. `ratio` is None where there is nothing to compare with.

    `floor` is what is left of it without a miss of anything that could be foreseen; None: nothing need be left.
    """

    name: str
    ratio: float | None
    most: float
    floor: float | None = None

    @property
    def holds(self) -> bool:
        """Say whether it is kept."""
        return self.ratio is None or self.ratio <= self.most

    def __str__(self) -> str:
        return f"{'-' if self.ratio is None else f'{self.ratio:.2f}'} {'✓' if self.holds else '✗'}"


@dataclass(frozen=True, slots=True)
class Case:
    """One household at one capacity. `bare` is ondeckd with ``playback.cache_current = false``.

    `played` are the bytes of what was played, each title once; `floor` is the least that can be reached.
    """

    kind: str
    capacity: str
    played: int
    results: Mapping[str, Result]
    bare: Result
    floor: Floor

    def bounds(self) -> tuple[Bound, ...]:
        """Return what ondeckd is held to, against the hourly batch."""
        ours, batch, floor = self.results[OURS], self.results[BATCH], self.floor
        return (
            Bound("followed plays missed", _against(ours.followed_missed, batch.followed_missed), 0.5),
            Bound("wake-ups", _against(ours.wakeups, batch.wakeups), 0.6, _against(floor.wakeups, batch.wakeups)),
            Bound(
                "hours awake",
                _against(ours.hours_awake, batch.hours_awake),
                0.6,
                _against(floor.hours_awake, batch.hours_awake),
            ),
            Bound(
                "bytes written, cache_current off",
                _against(self.bare.bytes_written, batch.bytes_written),
                1.2,
                _against(floor.followed_bytes, batch.bytes_written),
            ),
            Bound("bytes written more with it on, of those played", self._more(), 1.0),
        )

    def _more(self) -> float | None:
        return _against(max(0, self.results[OURS].bytes_written - self.bare.bytes_written), self.played)


def average(cases: Sequence[Case]) -> Bound:
    """Return the mean over households of the share that ondeckd misses of what the batch misses."""
    ratios = [ratio for case in cases if (ratio := case.bounds()[0].ratio) is not None]
    return Bound("followed plays missed, on average", sum(ratios) / len(ratios) if ratios else None, 1 / 3)


def played_bytes(household: Household) -> int:
    """Return the bytes of what was played, each title once."""
    return sum(household.titles[key].size for key in {viewing.key for viewing in household.viewings})


def failures(cases: Sequence[Case]) -> Iterator[str]:
    """Yield each bound that does not hold, in words."""
    for case in cases:
        for bound in case.bounds():
            if not bound.holds:
                least = "" if bound.floor is None else f", {bound.floor:.2f} can be reached at best"
                found = f"{bound.name} {bound.ratio:.2f}, at most {bound.most:g} wanted"
                yield f"{case.kind} at {case.capacity}: {found}{least}"


def _against(ours: float, theirs: float) -> float | None:
    """Return how much ours is of theirs; nothing against nothing is nothing to compare."""
    if theirs:
        return ours / theirs
    return float("inf") if ours else None
