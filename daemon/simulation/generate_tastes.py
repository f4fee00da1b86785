"""What people choose to watch next: one class for each taste."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from daemon.simulation.generate_library import DAY, Show, chance
from daemon.simulation.history import Listing, Title


class Taste(ABC):
    """Chooses what comes next. `first` says that a sitting begins with it."""

    @abstractmethod
    def choose(self, now: float, *, first: bool) -> Title | None:
        """Return what is watched next; None: nothing."""

    def saw(self, title: Title) -> None:  # noqa: B027 - not every taste cares
        """Be told that a title was watched to its end."""

    def daily(self, day: float) -> None:  # noqa: B027 - likewise
        """Be told that a day begins."""


@dataclass
class _Course:
    show: Show
    position: int = 0

    def next(self, now: float) -> Title | None:
        episodes = self.show.episodes
        if self.position < len(episodes) and episodes[self.position].added_at <= now:
            return episodes[self.position]
        return None

    def is_at_end(self, title: Title) -> bool:
        """Say whether a season, or all, ends with the episode before the position."""
        rest = self.show.episodes[self.position :]
        return not rest or rest[0].season != title.season


class Serial(Taste):
    """Follows a few shows at once, in order; a show that has ended makes room for the next one.

    `drop` is the chance, at each sitting, that one is given up. With `again` each begins anew when it has ended; else
    some are left alone after a season, though Plex keeps them on deck.
    """

    def __init__(
        self,
        rng: Random,
        shows: Sequence[Show],
        *,
        at_once: int = 2,
        drop: float = 0.01,
        again: bool = False,
        under_way: bool = True,
    ) -> None:
        self._rng, self._drop, self._again = rng, drop, again
        self.upcoming = list(shows)
        rng.shuffle(self.upcoming)
        self._courses = [_Course(self.upcoming.pop()) for _ in range(min(at_once, len(shows)))]
        for course in self._courses:
            # Nobody begins everything on the day on which a history begins.
            if under_way and not course.show.episodes[-1].added_at:
                course.position = rng.randrange(max(1, len(course.show.episodes) * 2 // 3))
        self._chosen: _Course | None = None

    def choose(self, now: float, *, first: bool) -> Title | None:
        if first or self._chosen is None or chance(self._rng, 0.1):
            if first and self._courses and chance(self._rng, self._drop):
                self._end(self._rng.choice(self._courses))
            there = [course for course in self._courses if course.next(now)]
            # What was watched last is most on one's mind.
            weights = [3 if course is self._chosen else 2 for course in there]
            self._chosen = self._rng.choices(there, weights)[0] if there else None
        return self._chosen.next(now) if self._chosen else None

    def saw(self, title: Title) -> None:
        for course in list(self._courses):
            if title not in course.show.episodes[course.position :]:
                continue
            course.position = course.show.episodes.index(title) + 1
            if not title.added_at and course.is_at_end(title) and self._leaves(course):
                self._end(course)

    def _leaves(self, course: _Course) -> bool:
        over = course.position == len(course.show.episodes)
        return over or (not self._again and chance(self._rng, 0.25))

    def _end(self, course: _Course) -> None:
        if self._again:
            course.position = 0
        elif self.upcoming:
            self._courses[self._courses.index(course)] = _Course(self.upcoming.pop())
            self._chosen = None


class Favourites(Taste):
    """The same few titles over and over, some far more often than others; a new one now and then.

    `titles` stand in order, so that what follows an episode may play by itself.
    """

    def __init__(self, rng: Random, titles: Sequence[Title], *, number: int) -> None:
        self._rng = rng
        self._following = {one.key: two for one, two in pairwise(titles) if one.show and one.show == two.show}
        self._others = list(titles)
        rng.shuffle(self._others)
        self._loved = [self._others.pop() for _ in range(number)]
        self._last: Title | None = None

    def choose(self, now: float, *, first: bool) -> Title | None:
        del now
        if self._last and not first and chance(self._rng, 0.4):
            self._last = self._following.get(self._last.key, self._last)
            return self._last
        weights = [1 / (rank + 1) for rank in range(len(self._loved))]
        self._last = self._rng.choices(self._loved, weights)[0]
        return self._last

    def daily(self, day: float) -> None:
        del day
        if self._others and chance(self._rng, 0.12):
            self._loved.pop(self._rng.randrange(len(self._loved) // 2, len(self._loved)))
            self._loved.insert(self._rng.randrange(len(self._loved)), self._others.pop())


class Films(Taste):
    """A film that was not seen before, whichever; a few are seen again."""

    def __init__(self, rng: Random, films: Sequence[Title], *, again: float = 0.05) -> None:
        self._rng, self._again = rng, again
        self._films = list(films)
        rng.shuffle(self._films)
        self._seen: list[Title] = []

    def choose(self, now: float, *, first: bool) -> Title | None:
        del now
        if not first and chance(self._rng, 0.7):
            return None
        if self._seen and (not self._films or chance(self._rng, self._again)):
            return self._rng.choice(self._seen)
        return self._films[-1]

    def saw(self, title: Title) -> None:
        if title in self._films:
            self._films.remove(title)
            self._seen.append(title)


class Wishes(Films):
    """Films from one's watchlist for the most part; it also lists a show of `serial` before that one is begun."""

    def __init__(self, rng: Random, user: str, films: Sequence[Title], *, serial: Serial | None = None) -> None:
        super().__init__(rng, films)
        self.listings: list[Listing] = []
        self._user, self._serial = user, serial
        self._wished: list[Title] = []

    def choose(self, now: float, *, first: bool) -> Title | None:
        listed = {one.key for one in self.listings if one.at <= now}
        ripe = [title for title in self._wished if title.key in listed]
        if first and ripe and chance(self._rng, 0.8):
            # What was listed long ago is half forgotten.
            return ripe[max(self._rng.randrange(len(ripe)), self._rng.randrange(len(ripe)))]
        return super().choose(now, first=first)

    def saw(self, title: Title) -> None:
        super().saw(title)
        if title in self._wished:
            self._wished.remove(title)

    def daily(self, day: float) -> None:
        at = day + self._rng.uniform(8, 23) / 24 * DAY
        if chance(self._rng, 0.45):
            title = self._rng.choice(self._films)
            if title not in self._wished:
                self._wished.append(title)
                self.listings.append(Listing(at, self._user, title.key))
        if self._serial and self._serial.upcoming and chance(self._rng, 0.05):
            key = self._serial.upcoming[-1].key
            if all(one.key != key for one in self.listings):
                self.listings.append(Listing(at, self._user, key))


class Picks(Taste):
    """Whatever turns up: any film, or any episode of any show and perhaps some of those that follow it."""

    def __init__(self, rng: Random, shows: Sequence[Show], films: Sequence[Title], *, film: float = 0.4) -> None:
        self._rng, self._shows, self._films, self._film = rng, list(shows), list(films), film
        self._course: _Course | None = None

    def choose(self, now: float, *, first: bool) -> Title | None:
        if self._course and not first and chance(self._rng, 0.65) and (title := self._course.next(now)):
            return title
        self._course = None
        if chance(self._rng, self._film):
            return self._rng.choice(self._films)
        show = self._rng.choice(self._shows)
        self._course = _Course(show, self._rng.randrange(len(show.episodes)))
        return self._course.next(now)

    def saw(self, title: Title) -> None:
        if self._course and title in self._course.show.episodes:
            self._course.position = self._course.show.episodes.index(title) + 1
