"""People who watch: when they sit down, how long they stay, what they leave half-way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from daemon.simulation.generate_library import DAY, START, chance
from daemon.simulation.generate_tastes import Taste
from daemon.simulation.history import Title, Viewing

_HOUR = 3600.0
_WEEK = 7
_SATURDAY = 5
_FRIDAY = 4
_MOST_A_DAY = 8
WATCHED = 0.9
"""The share from which on Plex counts a play as watched."""
_LATEST = 0.88


@dataclass(frozen=True, slots=True)
class Slot:
    """A time of day at which somebody may sit down: with this chance, about then, for so many plays."""

    hour: float
    chance: float
    plays: tuple[int, int] = (1, 2)
    spread: float = 0.6


Rhythm = Callable[[int], Sequence[Slot]]
"""The slots of the n-th day; day 0 is a Monday."""


def weekend(day: int) -> bool:
    """Say whether the n-th day is a Saturday or a Sunday."""
    return day % _WEEK >= _SATURDAY


def evenings(day: int) -> Sequence[Slot]:
    """After supper, at weekends sometimes in the afternoon too."""
    if weekend(day):
        return (Slot(15, 0.5, (1, 2)), Slot(20.2, 0.9, (1, 4)))
    return (Slot(20.2, 0.88, (1, 4)),)


def long_sittings(day: int) -> Sequence[Slot]:
    """Not every day, but then half the night."""
    if weekend(day):
        return (Slot(13.5, 0.5, (2, 4)), Slot(20, 0.7, (3, 5)))
    return (Slot(20.5, 0.45, (3, 6)),)


def afternoons(day: int) -> Sequence[Slot]:
    """As children may: before supper, at weekends in the morning too."""
    if weekend(day):
        return (Slot(8, 0.75, (1, 3)), Slot(16.5, 0.7, (1, 2)))
    return (Slot(17, 0.85, (1, 3)),)


def nights_and_weekends(day: int) -> Sequence[Slot]:
    """Hardly on weekdays; late on Fridays, and all weekend."""
    if weekend(day):
        return (Slot(11, 0.5, (1, 2)), Slot(16, 0.5, (1, 3)), Slot(22.5, 0.9, (2, 4)))
    return (Slot(23, 0.9 if day % _WEEK == _FRIDAY else 0.15, (1, 3)),)


def shifts(day: int) -> Sequence[Slot]:
    """One week after the early shift, one after the late, one after the night."""
    hour = (16.5, 23.3, 8.2)[day // _WEEK % 3]
    return (Slot(hour, 0.8, (1, 3), 0.8), Slot((hour + 5) % 24, 0.25))


def all_day(day: int) -> Sequence[Slot]:
    """One account for everybody at home: something plays in the morning, the afternoon and the evening."""
    return (Slot(9, 0.5 if weekend(day) else 0.2), Slot(16.8, 0.6), Slot(20.3, 0.9, (1, 3)))


@dataclass(frozen=True, slots=True)
class Leaning:
    """How often somebody turns to a taste, and how often with the others in the room."""

    taste: Taste
    weight: float = 1.0
    together: float = 0.0


@dataclass
class Viewer:
    """One account. `halfway`: chance that a play stops half-way; `resume`: that it is gone on with at the next sitting.

    `glance`: chance that a play is ended within minutes. `away`: days without any; after them one catches up. The
    others of `company` see what is watched together, and are busy meanwhile, but Plex knows one account's play only.
    """

    name: str
    rng: Random
    rhythm: Rhythm
    leanings: Sequence[Leaning]
    halfway: float = 0.08
    resume: float = 0.85
    glance: float = 0.03
    away: range = range(0)
    company: Sequence[Viewer] = ()
    _paused: dict[str, tuple[Title, float]] = field(default_factory=dict)
    free_at: float = START

    def day(self, number: int) -> Iterator[Viewing]:
        """Yield what is watched on the n-th day; the last of it may end on the next."""
        start = START + number * DAY
        for leaning in self.leanings:
            leaning.taste.daily(start)
        if number in self.away:
            return
        catching_up = bool(self.away) and 0 <= number - self.away.stop < _WEEK
        plays = 0
        for slot in self.rhythm(number):
            if not chance(self.rng, slot.chance):
                continue
            at = max(start, start + (slot.hour + self.rng.gauss(0, slot.spread)) * _HOUR, self.free_at + 600)
            most = min(self.rng.randint(*slot.plays) + 2 * catching_up, _MOST_A_DAY - plays)
            if at < start + DAY:
                for viewing in self._sit(at, most):
                    plays += 1
                    yield viewing

    def _sit(self, at: float, most: int) -> Iterator[Viewing]:
        leaning = self.rng.choices(self.leanings, [one.weight for one in self.leanings])[0]
        others = self.company if chance(self.rng, leaning.together) else ()
        for number in range(most):
            title = self._take_up() if number == 0 else None
            title = title or leaning.taste.choose(at, first=number == 0)
            if title is None:
                return
            viewing = self._watch(title, at, leaning.taste, others)
            yield viewing
            # The next one begins by itself, or after somebody was in the kitchen.
            pause = self.rng.uniform(5, 15) if chance(self.rng, 0.7) else self.rng.uniform(120, 1500)
            at += max(20.0, (viewing.end - viewing.begin) * title.duration) + pause
            for viewer in (self, *others):
                viewer.free_at = max(viewer.free_at, at)
            if viewing.end < WATCHED and not chance(self.rng, self.glance):
                return

    def _take_up(self) -> Title | None:
        """Return what was left half-way, if it is gone on with now; what is not may be forgotten for good."""
        if not self._paused:
            return None
        key, (title, _) = list(self._paused.items())[-1]
        if chance(self.rng, self.resume):
            return title
        if chance(self.rng, 0.4):
            del self._paused[key]
        return None

    def _watch(self, title: Title, at: float, taste: Taste, others: Sequence[Viewer]) -> Viewing:
        begin = self._paused.pop(title.key, (title, 0.0))[1]
        if chance(self.rng, self.glance):
            end = min(_LATEST, begin + self.rng.uniform(0.01, 0.06))
            if begin:
                self._paused[title.key] = (title, begin)
        elif chance(self.rng, self.halfway):
            end = begin + self.rng.uniform(0.25, 0.75) * (_LATEST - begin)
            self._paused[title.key] = (title, round(end, 3))
        else:
            end = self.rng.uniform(0.93, 1.0)
            for one in (taste, *(leaning.taste for viewer in (self, *others) for leaning in viewer.leanings)):
                one.saw(title)
        return Viewing(round(at), self.name, title.key, begin, round(end, 3))
