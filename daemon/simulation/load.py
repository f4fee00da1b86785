"""A history that somebody has: what every reader of one hands over, and how a library is made of what is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from daemon.errors import OndeckdError
from daemon.simulation.history import Household, Title, Viewing

DAY = 86_400.0
_MOST_FAULTS = 10
_EPISODE = Title("", 2_000_000_000, 45 * 60.0)
_MOVIE = Title("", 8_000_000_000, 110 * 60.0)
"""What a title is taken for of which nobody says how large and how long it is."""


class HistoryFault(OndeckdError):
    """A history cannot be read. `faults`: one line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = (*faults[:_MOST_FAULTS], *([f"and {len(faults) - _MOST_FAULTS} more"] * _is_long(faults)))
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True, slots=True)
class History:
    """A household as far as it is known. `notes` say what is not, or was taken for granted, one line each."""

    household: Household
    notes: tuple[str, ...] = ()


def assemble(kind: str, titles: Iterable[Title], viewings: Iterable[Viewing], notes: Sequence[str] = ()) -> History:
    """Return the history of these titles and plays; what is unknown of a title (0) is filled in."""
    known = {title.key: title for title in titles}
    played = tuple(sorted(viewings, key=lambda one: (one.at, one.user)))
    filled, more = _filled(known)
    return History(Household(kind, _present(filled, played), played), (*notes, *more))


def latest(history: History, days: int) -> History:
    """Return the last `days` of a history."""
    household = history.household
    since = household.viewings[-1].at - days * DAY if household.viewings else 0.0
    viewings = tuple(one for one in household.viewings if one.at >= since)
    return replace(history, household=replace(household, viewings=viewings))


def _filled(titles: Mapping[str, Title]) -> tuple[dict[str, Title], list[str]]:
    movies = _typical([title for title in titles.values() if not title.show], _MOVIE)
    episodes = _typical([title for title in titles.values() if title.show], _EPISODE)
    found, unsized, untimed = {}, 0, 0
    for key, title in titles.items():
        usual = episodes if title.show else movies
        unsized += not title.size
        untimed += not title.duration
        found[key] = replace(title, size=title.size or usual.size, duration=title.duration or usual.duration)
    taken = f"taken for {episodes.size / 1e9:.1f} GB (episodes) and {movies.size / 1e9:.1f} GB (movies)"
    lengths = f"taken for {episodes.duration / 60:.0f} and {movies.duration / 60:.0f} minutes"
    notes = [f"{unsized} titles without a size, {taken}"] * bool(unsized)
    return found, notes + [f"{untimed} titles without a duration, {lengths}"] * bool(untimed)


def _typical(titles: Sequence[Title], usual: Title) -> Title:
    sizes = [title.size for title in titles if title.size]
    durations = [title.duration for title in titles if title.duration]
    return replace(
        usual,
        size=int(median(sizes)) if sizes else usual.size,
        duration=median(durations) if durations else usual.duration,
    )


def _present(titles: Mapping[str, Title], viewings: Sequence[Viewing]) -> dict[str, Title]:
    """Return the titles, each there when it is first played: a file that was replaced says a later moment."""
    first: dict[str, float] = {}
    for viewing in viewings:
        first.setdefault(viewing.key, viewing.at)
    return {
        key: replace(title, added_at=min(title.added_at, first.get(key, title.added_at)))
        for key, title in titles.items()
    }


def _is_long(faults: Sequence[str]) -> bool:
    return len(faults) > _MOST_FAULTS
