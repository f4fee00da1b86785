"""Libraries for generated households: shows of all lengths and films of all sizes, as people have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from random import Random

from daemon.simulation.history import Title

DAY = 86_400.0
START = 1_704_067_200.0
"""Monday, 1 January 2024, 00:00 UTC: when every generated history begins."""

_MINUTE = 60.0
_MB = 1_000_000
_LENGTHS = (22, 22, 30, 43, 45, 55)
_EPISODE_BYTES = (1_000 * _MB, 4_000 * _MB)
_FILM_BYTES = (5_000, 25_000)
_FILM_MINUTES = (85, 160)
_SEASONS = (6, 8, 8, 10, 10, 13, 22)
_WITH_SPECIALS = 0.15
_RELEASE_HOUR = 4.0


@dataclass(frozen=True, slots=True)
class Show:
    """A show: its rating key and its episodes in order, specials apart."""

    key: str
    episodes: tuple[Title, ...]
    specials: tuple[Title, ...] = ()


class Shelves:
    """Fills a library. All chance comes from `rng`, so the same one fills it with the same."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._keys = count(1001)
        self.titles: dict[str, Title] = {}

    def shows(self, episodes: int, *, longest: int = 180) -> list[Show]:
        """Return shows that have about so many episodes together, none more than `longest`."""
        found: list[Show] = []
        left = episodes
        while left > 0:
            # Most shows are short; a few long ones fill much of a shelf.
            seasons = 1 if chance(self._rng, 0.55) else 2 + min(8, int(self._rng.expovariate(0.6)))
            found.append(self.show(seasons, longest=min(longest, max(left, _SEASONS[0]))))
            left -= len(found[-1].episodes)
        return found

    def show(self, seasons: int, *, longest: int = 180, minutes: int = 0, season: int = 0) -> Show:
        """Return one show; `season` says how many episodes each season has, 0: chance."""
        minutes = minutes or self._rng.choice(_LENGTHS)
        each = season or self._rng.choice(_SEASONS)
        key, rate = self._key(), self._rng.uniform(42, 75)
        numbers = [(1 + n // each, 1 + n % each) for n in range(min(seasons * each, longest))]
        episodes = tuple(self._episode(key, numbered, minutes, rate) for numbered in numbers)
        few = self._rng.randint(1, 3) if chance(self._rng, _WITH_SPECIALS) else 0
        specials = tuple(self._episode(key, (0, n + 1), minutes, rate) for n in range(few))
        return Show(key, episodes, specials)

    def weekly(self, days: int, *, weekday: int, before: int) -> Show:
        """Return a show of which `before` episodes are there, and one more comes each week on that day."""
        minutes, key, rate = self._rng.choice((43, 45, 55)), self._key(), self._rng.uniform(42, 75)
        releases = [0.0] * before
        releases += [START + day * DAY + _RELEASE_HOUR * 3600 for day in range(weekday, days, 7)]
        numbers = [(2, n + 1) for n in range(len(releases))]
        episodes = [
            self._episode(key, numbered, minutes, rate, at) for numbered, at in zip(numbers, releases, strict=True)
        ]
        return Show(key, tuple(episodes))

    def films(self, number: int) -> list[Title]:
        """Return so many films."""
        return [self._film() for _ in range(number)]

    def _film(self) -> Title:
        low, high = _FILM_BYTES
        # Small files are more common than discs copied whole.
        size = int(low + (high - low) * self._rng.betavariate(1.3, 2.6)) * _MB
        return self._add(Title(self._key(), size, self._rng.randint(*_FILM_MINUTES) * _MINUTE))

    def _episode(self, show: str, numbered: tuple[int, int], minutes: int, rate: float, added_at: float = 0.0) -> Title:
        season, episode = numbered
        size = int(minutes * rate * self._rng.uniform(0.9, 1.1)) * _MB
        low, high = _EPISODE_BYTES
        length = minutes * _MINUTE * self._rng.uniform(0.94, 1.06)
        size = min(max(size, low), high)
        return self._add(Title(self._key(), size, float(int(length)), show, season, episode, added_at))

    def _key(self) -> str:
        return str(next(self._keys))

    def _add(self, title: Title) -> Title:
        self.titles[title.key] = title
        return title


def chance(rng: Random, share: float) -> bool:
    """Return True in that share of all cases."""
    return rng.random() < share


def shortest(shows: Sequence[Show], number: int) -> list[Show]:
    """Return the shows with the fewest minutes, those that are watched over and over."""
    return sorted(shows, key=lambda show: sum(one.duration for one in show.episodes))[:number]
