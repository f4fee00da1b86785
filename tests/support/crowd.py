"""A crowd that shares one large server: everybody in the middle of shows, with long watchlists, trends and pins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from daemon.demo.files import write_file
from daemon.demo.server import DemoServer, Request
from daemon.demo.trakt import movie_of
from daemon.model import Role

_DAY = 86_400.0
_YEARS = 5 * 365 * _DAY
_HOME = 14
"""So many live with the owner, as many as plex.tv allows; the others are friends."""
_AHEAD = 12
_FIRST = 8
_NEWEST = 400
_NUMBER = re.compile(r"\b[0-9a-f]{16,}\b|\b\d+(,\d+)*\b|\b0demo\w+")


def names(count: int) -> list[str]:
    """Return so many users' names."""
    return [f"Person{number:02}" for number in range(count)]


@dataclass
class Crowd:
    """What was set up: `wanted` are the items whose files somebody may want, `fresh` shows that nobody has begun."""

    wanted: set[str] = field(default_factory=set)
    fresh: list[str] = field(default_factory=list)
    pins: list[str] = field(default_factory=list)
    trending: list[str] = field(default_factory=list)


def settle(plex: DemoServer, *, deck: int, listed: tuple[int, int], fresh: int = 0, seed: int = 1) -> Crowd:
    """Let everybody be in the middle of `deck` shows and list between so many movies and shows."""
    dice, now = Random(seed), plex.clock.now()
    made = Crowd()
    _date(plex, now)
    shows = list(plex.library.shows)
    made.fresh = [shows.pop(dice.randrange(len(shows))) for _ in range(fresh)]
    for number, person in enumerate(plex.people):
        if 0 < number <= _HOME:
            plex.people.change(person, role=Role.HOME)
        begun = dice.sample(shows, deck)
        for show in begun:
            episodes = plex.library.episodes(show)
            place = dice.randrange(max(1, len(episodes) - _AHEAD))
            at = now - dice.random() * 30 * _DAY
            for key in episodes[:place]:
                plex.views.watched(person.id, key, at - 1)
            plex.views.progress(person.id, episodes[place], 600_000, at)
            made.wanted.update(episodes[place : place + _AHEAD])
        count = dice.randint(*listed)
        # People list shows and go on to watch them.
        on_list = {*begun[: deck // 3], *dice.sample(shows, count // 2 - deck // 3)}
        for key in sorted({*on_list, *dice.sample(plex.library.movies, count - len(on_list))}):
            plex.watchlists.add(person, key, float(int(now - dice.random() * 300 * _DAY)))
            made.wanted.update([node.key for node in plex.library.leaves(key)][:_FIRST])
    made.trending = dice.sample(plex.library.movies, min(20, len(plex.library.movies)))
    made.pins = [*dice.sample(plex.library.movies, min(10, len(plex.library.movies))), *dice.sample(shows, 3)]
    for key in (*made.trending, *made.pins, *made.fresh):
        made.wanted.update(node.key for node in plex.library.leaves(key))
    newest = sorted(plex.library.items.values(), key=lambda node: -node.added_at)
    made.wanted.update(node.key for node in newest[:_NEWEST])
    return made


def write_wanted(plex: DemoServer, crowd: Crowd, folder: Path) -> int:
    """Write the videos that somebody may want below `folder`; return how many. The rest of the library is names."""
    parts = {part.file: part for key in crowd.wanted for part in plex.library[key].parts}
    for part in parts.values():
        write_file(plex.library, folder, part.file, part.size)
    return len(parts)


def trends(plex: DemoServer, crowd: Crowd) -> list[dict[str, object]]:
    """Return what Trakt lists: of every three movies the library has one."""
    absent = {"title": "Not Here", "year": 2024, "ids": {"imdb": "tt99", "tmdb": 99}}
    return [one for key in crowd.trending for one in (movie_of(plex.library[key]), absent, absent)]


def kinds(requests: Iterable[Request]) -> dict[str, int]:
    """Return how many requests of each kind there are: paths without the numbers in them."""
    return dict(Counter(_NUMBER.sub("N", one.path) for one in requests).most_common())


def _date(plex: DemoServer, now: float) -> None:
    """Spread the moments at which everything was added over the last years."""
    nodes = list(plex.library.items.values())
    for place, node in enumerate(nodes, 1):
        node.added_at = node.updated_at = int(now - _YEARS * (1 - place / len(nodes)))
    plex.library.revision += 1
    for section in plex.library.sections.values():
        section.changes += 1
