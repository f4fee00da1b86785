"""Makes households and their histories: many ways of watching, each repeatable by its seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType

from daemon.simulation.generate_library import START, Shelves, shortest
from daemon.simulation.generate_people import (
    Leaning,
    Viewer,
    afternoons,
    all_day,
    evenings,
    long_sittings,
    nights_and_weekends,
    shifts,
)
from daemon.simulation.generate_tastes import Favourites, Films, Picks, Serial, Wishes
from daemon.simulation.history import Household

__all__ = ["KINDS", "START", "household"]


def household(kind: str, *, seed: int = 1, days: int = 90) -> Household:
    """Return a household of that kind. The same kind, seed and days give the same one everywhere."""
    _, build = _KINDS[kind]
    home = _Home(Random(f"{kind} {seed}"), days)
    viewers = build(home)
    viewings = [viewing for day in range(days) for viewer in viewers for viewing in viewer.day(day)]
    listings = [one for wishes in home.wishes for one in wishes.listings]
    return Household(
        kind=kind,
        titles=dict(home.shelves.titles),
        viewings=tuple(sorted(viewings, key=lambda one: (one.at, one.user))),
        listings=tuple(sorted(listings, key=lambda one: (one.at, one.user))),
    )


@dataclass
class _Home:
    """What the builders share: the dice, the library and who keeps a watchlist."""

    rng: Random
    days: int
    wishes: list[Wishes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shelves = Shelves(self.rng)

    @property
    def away(self) -> range:
        """Two weeks in the middle of it, or a third of a short history."""
        first = self.days // 3
        return range(first, first + min(14, first))

    def wishing(self, user: str, count: int, serial: Serial | None = None) -> Wishes:
        wishes = Wishes(self.rng, user, self.shelves.films(count), serial=serial)
        self.wishes.append(wishes)
        return wishes


def _serial(home: _Home) -> list[Viewer]:
    rng, shows = home.rng, home.shelves.shows(1500)
    films = home.shelves.films(150)
    return [
        Viewer(name, rng, evenings, (Leaning(Serial(rng, half, at_once=3), 9), Leaning(Films(rng, films), 1)))
        for name, half in (("Ann", shows[::2]), ("Ben", shows[1::2]))
    ]


def _binge(home: _Home) -> list[Viewer]:
    rng, shows = home.rng, home.shelves.shows(1800)
    home.shelves.films(180)
    return [
        Viewer("Ann", rng, long_sittings, (Leaning(Serial(rng, shows[::2], at_once=1)),)),
        Viewer("Ben", rng, long_sittings, (Leaning(Serial(rng, shows[1::2], at_once=1, drop=0.03)),)),
    ]


def _children(home: _Home) -> list[Viewer]:
    rng, shows, films = home.rng, home.shelves.shows(1400), home.shelves.films(200)
    cartoons = [home.shelves.show(2, minutes=22, season=12) for _ in range(5)]
    episodes = [episode for show in cartoons for episode in show.episodes]
    children = [
        Viewer(
            name,
            rng,
            afternoons,
            (Leaning(Favourites(rng, episodes, number=16), 2), Leaning(Favourites(rng, films[:40], number=7), 1)),
            halfway=0.15,
            resume=0.3,
        )
        for name in ("Cleo", "Dan")
    ]
    return [*children, Viewer("Ann", rng, evenings, (Leaning(Serial(rng, shows)),))]


def _one_show(home: _Home) -> list[Viewer]:
    rng, shows = home.rng, home.shelves.shows(1500)
    home.shelves.films(150)
    shared = [home.shelves.show(seasons) for seasons in (6, 7)]
    viewers = [
        Viewer(name, rng, evenings, (Leaning(Serial(rng, shared), 4, together=0.3), Leaning(Serial(rng, part), 1)))
        for name, part in (("Ann", shows[::3]), ("Ben", shows[1::3]), ("Cleo", shows[2::3]))
    ]
    for viewer in viewers:
        viewer.company = [other for other in viewers if other is not viewer]
    return viewers


def _holidays(home: _Home) -> list[Viewer]:
    rng, shows = home.rng, home.shelves.shows(1600)
    films = home.shelves.films(160)
    news = [home.shelves.weekly(home.days, weekday=day, before=3) for day in (1, 3)]
    return [
        Viewer(
            name,
            rng,
            evenings,
            (
                Leaning(Serial(rng, half), 4),
                Leaning(Serial(rng, news, at_once=2), 2),
                Leaning(Films(rng, films), 1),
            ),
            away=home.away,
        )
        for name, half in (("Ann", shows[::2]), ("Ben", shows[1::2]))
    ]


def _random(home: _Home) -> list[Viewer]:
    rng, shows, films = home.rng, home.shelves.shows(3400), home.shelves.films(500)
    return [Viewer(name, rng, evenings, (Leaning(Picks(rng, shows, films)),)) for name in ("Ann", "Ben")]


def _weekly(home: _Home) -> list[Viewer]:
    rng, shows = home.rng, home.shelves.shows(1400)
    films = home.shelves.films(140)
    news = [home.shelves.weekly(home.days, weekday=day, before=day) for day in (0, 1, 2, 3, 4, 6)]
    return [
        Viewer(
            name,
            rng,
            evenings,
            (
                Leaning(Serial(rng, mine, at_once=4), 6),
                Leaning(Serial(rng, half, at_once=1), 2),
                Leaning(Films(rng, films), 1),
            ),
        )
        for name, mine, half in (("Ann", news[:4], shows[::2]), ("Ben", news[2:], shows[1::2]))
    ]


def _large_family(home: _Home) -> list[Viewer]:
    rng, shows, films = home.rng, home.shelves.shows(3000), home.shelves.films(400)
    cartoons = [episode for show in shortest(shows, 8) for episode in show.episodes]
    common = Serial(rng, shows[::7], at_once=1)
    own = [Serial(rng, shows[first::7], at_once=2, drop=0.03) for first in range(1, 7)]
    ann = Viewer("Ann", rng, evenings, (Leaning(own[0], 2), Leaning(common, 2, together=1.0)))
    ben = Viewer("Ben", rng, nights_and_weekends, (Leaning(own[1], 2), Leaning(home.wishing("Ben", 60), 1)))
    ann.company = [ben]
    return [
        ann,
        ben,
        Viewer("Cleo", rng, long_sittings, (Leaning(own[2]),)),
        Viewer("Dan", rng, afternoons, (Leaning(Favourites(rng, cartoons, number=14), 3), Leaning(own[3], 1))),
        Viewer("Eva", rng, afternoons, (Leaning(Favourites(rng, films[:40], number=6), 1), Leaning(own[4], 2))),
        Viewer("Finn", rng, evenings, (Leaning(Films(rng, films), 2), Leaning(own[5], 1))),
    ]


def _film_lovers(home: _Home) -> list[Viewer]:
    rng, shows = home.rng, home.shelves.shows(1300)
    serials = [Serial(rng, shows[first::2], at_once=1) for first in (0, 1)]
    return [
        Viewer(name, rng, evenings, (Leaning(home.wishing(name, 280, serial), 3), Leaning(serial, 1)))
        for name, serial in zip(("Ann", "Ben"), serials, strict=True)
    ]


def _starters(home: _Home) -> list[Viewer]:
    rng, shows, films = home.rng, home.shelves.shows(2600), home.shelves.films(250)
    tastes = Leaning(Serial(rng, shows, at_once=4, drop=0.35, under_way=False), 4), Leaning(Films(rng, films), 1)
    return [Viewer("Ann", rng, evenings, tastes, halfway=0.22, resume=0.35, glance=0.12)]


def _weekend(home: _Home) -> list[Viewer]:
    rng, shows, films = home.rng, home.shelves.shows(1600), home.shelves.films(160)
    return [
        Viewer(name, rng, nights_and_weekends, (Leaning(Serial(rng, half), 4), Leaning(Films(rng, films), 1)))
        for name, half in (("Ann", shows[::2]), ("Ben", shows[1::2]))
    ]


def _shift_worker(home: _Home) -> list[Viewer]:
    rng, shows, films = home.rng, home.shelves.shows(1500), home.shelves.films(120)
    return [Viewer("Ann", rng, shifts, (Leaning(Serial(rng, shows), 6), Leaning(Films(rng, films), 1)), halfway=0.15)]


def _couple(home: _Home) -> list[Viewer]:
    rng, shows = home.rng, home.shelves.shows(1700)
    films = home.shelves.films(180)
    common = Serial(rng, shows[::3], at_once=2)
    # The television is mostly signed in as Ann.
    ann = Viewer(
        "Ann",
        rng,
        evenings,
        (
            Leaning(common, 4, together=1.0),
            Leaning(Serial(rng, shows[1::3]), 2),
            Leaning(Films(rng, films), 1, together=1.0),
        ),
    )
    ben = Viewer("Ben", rng, evenings, (Leaning(common, 1, together=1.0), Leaning(Serial(rng, shows[2::3]), 2)))
    ann.company, ben.company = [ben], [ann]
    return [ann, ben]


def _comfort(home: _Home) -> list[Viewer]:
    rng, shows = home.rng, home.shelves.shows(1600)
    home.shelves.films(160)
    old = [home.shelves.show(2, minutes=22, season=11) for _ in range(3)]
    series = Serial(rng, old, at_once=3, again=True)
    return [
        Viewer("Ann", rng, long_sittings, (Leaning(series, 5), Leaning(Serial(rng, shows[::2], at_once=1), 1))),
        Viewer("Ben", rng, evenings, (Leaning(Serial(rng, shows[1::2])),)),
    ]


def _one_account(home: _Home) -> list[Viewer]:
    rng, shows, films = home.rng, home.shelves.shows(2000), home.shelves.films(200)
    tastes = (
        *(Leaning(Serial(rng, shows[first::4], at_once=2)) for first in range(3)),
        Leaning(Favourites(rng, [one for show in shortest(shows[3::4], 4) for one in show.episodes], number=10)),
        Leaning(Films(rng, films), 0.5),
    )
    return [Viewer("Home", rng, all_day, tastes)]


_KINDS: Mapping[str, tuple[str, Callable[[_Home], list[Viewer]]]] = MappingProxyType(
    {
        "serial": ("Two people follow three series each, an episode or two an evening.", _serial),
        "binge": ("Two people watch one series at a time, three to six episodes at a sitting.", _binge),
        "children": ("Two children watch the same few films and cartoons over and over; a parent a series.", _children),
        "one_show": (
            "Three people follow the same two long shows at their own pace, at times together.",
            _one_show,
        ),
        "holidays": ("Two people are away for two weeks and then catch up, also with what was new.", _holidays),
        "random": ("Two people pick anything from a large library, and sometimes let it play on.", _random),
        "weekly": ("New episodes come each week, and two people watch them soon.", _weekly),
        "large_family": ("Six people with different tastes and hours.", _large_family),
        "film_lovers": ("Two people put films on their watchlists and watch many of them in time.", _film_lovers),
        "starters": ("One person starts much and finishes little.", _starters),
        "weekend": ("Two people watch late on Fridays and all weekend, and hardly else.", _weekend),
        "shift_worker": ("One person watches at hours that change from week to week.", _shift_worker),
        "couple": ("A couple shares some shows, under either account, and each has shows apart.", _couple),
        "comfort": ("One person watches three short old series over and over in order; another new ones.", _comfort),
        "one_account": ("A whole family uses one account, so that many series are in progress at once.", _one_account),
    }
)

KINDS: Mapping[str, str] = MappingProxyType({name: text for name, (text, _) in _KINDS.items()})
"""Each kind of household and what is particular about it, in one sentence."""
