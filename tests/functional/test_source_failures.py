"""Every failure of every source, in a whole daemon: nothing that anybody wants is forgotten, and no file moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.faults import Faults, truncated
from daemon.demo.trakt import movie_of
from daemon.model import DemandKind, SourceState
from daemon.refreshing import USERS
from daemon.sources.watchlist import IN_FEEDS
from tests.support.bad_input import logged
from tests.support.sources import TITLES, Home, Key, Known, household, new_episode

ON_DECK, WATCHLIST, PINNED = DemandKind.ON_DECK, DemandKind.WATCHLIST, DemandKind.PINNED
RECENT, TRENDING = DemandKind.RECENT, DemandKind.TRENDING

FAULTS: dict[str, dict[str, Any]] = {
    "401": {"status": 401},
    "403": {"status": 403},
    "429": {"status": 429},
    "429 for an hour": {"status": 429, "headers": {"Retry-After": "3600"}},
    "500": {"status": 500},
    "503": {"status": 503},
    "empty body": {"body": b""},
    "truncated": {"mangle": truncated},
    "html": {"body": "<html><body>Sign in</body></html>"},
    "html that is XML": {"body": "<html/>", "content_type": "text/xml"},
    "reset": {"reset": True},
}
_TV = r"/(api|rss|library/sections/watchlist|library/metadata/[0-9a-f]{24})\b"
Capture = pytest.CaptureFixture[str]
Hit = dict[DemandKind, tuple[str, ...]]
_TOKENS: Hit = {WATCHLIST: ("Ann", "Ben", "Kid")}
_LISTS: Hit = {WATCHLIST: ("Ann", "Ben", "Kid", "Cleo", "")}
_TV_LISTS: Hit = {WATCHLIST: ("Ann", "Ben", "Kid", "Cleo", "Dan", "")}
_DECKS: Hit = {ON_DECK: TITLES}


@dataclass(frozen=True)
class Page:
    """A page that fails, and whose sources that concerns. `people`: of who there is nothing new is learnt."""

    pattern: str
    hit: Hit
    people: bool = False


PAGES: dict[str, Page] = {
    "on deck": Page(r"^/hubs/continueWatching", _DECKS),
    "episodes of one show": Page("SHOW/allLeaves", {ON_DECK: ("Ben",), PINNED: ("",)}),
    "libraries": Page(r"^/library/sections(\?|$)", _DECKS | _LISTS | {RECENT: ("",), TRENDING: ("",)}),
    "items": Page(r"^/library/metadata/[\d,]+(\?|$)", _LISTS | {PINNED: ("",), TRENDING: ("",)}),
    "newest": Page(r"sort=addedAt", {RECENT: ("",)}),
    "history": Page(r"^/status/sessions/history", {WATCHLIST: ("",)}),
    "everything of Plex": Page(f"^(?!{_TV})", _DECKS | _LISTS | {PINNED: ("",), RECENT: ("",), TRENDING: ("",)}, True),
    "watchlists": Page(r"^/library/sections/watchlist", _TOKENS),
    "community": Page(r"^/api(\?|$)", {WATCHLIST: ("Cleo", "Dan")}),
    "feed": Page("FEED", {WATCHLIST: ("",)}),
    "when it was listed": Page("/userState", {}),
    "who the owner is": Page(r"^/api/v2/user", {}, True),
    "shares": Page(r"/shared_servers", {}, True),
    "friends": Page(r"^/api/users/", {}, True),
    "home": Page(r"^/api/home/users", {}, True),
    "everything of plex.tv": Page(f"^{_TV}", _TV_LISTS, True),
    "a page of Trakt": Page(r"page=2", {TRENDING: ("",)}),
}


def faults(home: Home, name: str) -> Faults:
    """Return where the faults of a page are switched on."""
    return home.trakt.faults if "Trakt" in name else home.plex.faults


def spoilt(name: str, fault: str) -> dict[str, Any]:
    """Return what goes wrong. Where nothing has changed, pages with an ETag send nothing that could be cut short."""
    if fault == "truncated" and name in {"watchlists", "feed", "everything of plex.tv"}:
        return {"body": '{"MediaContainer": {"totalSize": 3, "Metadata": [{"title": "Mov', "content_type": "text/json"}
    return FAULTS[fault]


def pattern(home: Home, page: Page) -> str:
    """Return the page's pattern, in this household."""
    feed = next(name for name, ids in home.plex.watchlists.feeds.items() if ids == (home.user("Dan"),))
    return page.pattern.replace("SHOW", f"/{home.library.shows[0]}").replace("FEED", feed)


def hit(home: Home, page: Page) -> set[Key]:
    """Return the sources that cannot be read where this page fails."""
    return {key for kind, titles in page.hit.items() for key in home.keys(kind, *titles)}


def names(home: Home, keys: Iterable[Key]) -> list[str]:
    """Return what sources are called, sorted."""
    titles = {home.user(title): title for title in TITLES}
    return sorted(f"{kind} of {titles[user]}" if user else str(kind) for kind, user in keys)


class World:
    """Goes on while a source fails: each time somebody wants another item by each kind."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._fresh: Iterator[str] = iter(home.library.movies[10:])

    async def goes_on(self) -> dict[Key, str]:
        """Have something new wanted by every kind; return it by source."""
        home, fresh = self.home, self._fresh
        now = home.clock.now()
        made: dict[Key, str] = {}
        for who in ("Ann", "Ben"):
            made[ON_DECK, home.user(who)] = key = next(fresh)
            home.begin(who, key)
        for who in ("Ann", "Cleo"):
            made[WATCHLIST, home.user(who)] = key = next(fresh)
            home.plex.watchlists.add(who, key, now)
        made[WATCHLIST, ""] = key = next(fresh)
        home.plex.watchlists.add("Dan", key, now)
        made[RECENT, ""] = key = next(fresh)
        home.library[key].added_at = int(now)
        home.library.revision += 1
        made[TRENDING, ""] = key = next(fresh)
        home.trakt.movies.append(movie_of(home.library[key]))
        made[PINNED, ""] = await new_episode(home, home.library.shows[0])
        return made


def kept(before: Known, after: Known, keys: Collection[Key]) -> None:
    """Demand that what these sources wanted stands, and every file."""
    wanted = [{one for one in known.demands if (one.kind, one.user) in keys} for known in (before, after)]
    assert wanted[0] == wanted[1]
    assert before.files.items() <= after.files.items()


async def demand_told(home: Home, name: str, before: Mapping[Key, SourceState], began: float) -> set[Key]:
    """Demand that rows and API say since when and why the right sources cannot be read; return these."""
    failing = await home.failing()
    broken = set(failing) - set(before)
    assert broken == hit(home, PAGES[name])
    rows = await home.rows()
    for kind, user in broken:
        state = failing[kind, user]
        assert state.problem
        assert began <= (state.failed_since or 0.0) <= home.clock.now()
        title = next((one for one in TITLES if home.user(one) == user), "everybody")
        (shown,) = [one for one in rows[title]["sources"] if one["kind"] == kind]
        assert shown["problem"] == state.problem
        assert shown["failing_since"]
    assert bool(rows["Ann"]["why"]) == PAGES[name].people
    return broken


def demand_said_once(home: Home, name: str, said: list[dict[str, Any]], broken: Collection[Key]) -> None:
    """Demand that each of these sources is named once, and no secret is."""
    named = Counter(one for line in said for one in line["sources"])
    expected = names(home, broken) + [USERS] * PAGES[name].people
    assert named == Counter(expected)
    everything = str(said)
    assert not any(secret in everything for secret in secrets(home))


def secrets(home: Home) -> list[str]:
    return [*home.plex.watchlists.feeds, *(one.token for one in home.plex.people), home.trakt.client]


async def fails_and_recovers(home: Home, world: World, name: str, fault: str, capsys: Capture) -> None:
    """Have a page fail twice while the world stands still, once while it goes on, and then work again."""
    page, where = PAGES[name], faults(home, name)
    before, well = await home.known(), await home.failing()
    logged(capsys)
    home.later(7)
    began = home.clock.now()
    where.http(pattern(home, page), **spoilt(name, fault))
    await home.refresh()
    assert await home.known() == before
    broken = await demand_told(home, name, well, began)
    since = {key: one.failed_since for key, one in (await home.failing()).items()}
    made = await world.goes_on()
    await home.refresh_later()
    kept(before, await home.known(), broken)
    assert {key: one.failed_since for key, one in (await home.failing()).items()} == since
    said = logged(capsys, "source_failed")
    demand_said_once(home, name, said, broken)
    # A source that an event has read again just then fails by itself, before the others.
    assert len(said) <= 1 + len({(line["why"], USERS in line["sources"]) for line in said})

    where.clear()
    await home.refresh_later()
    assert (await home.failing()).keys() == well.keys()
    demand_said_once(home, name, logged(capsys, "source_recovered"), broken)
    assert made.items() <= {((one.kind, one.user), key) for key, one in await home.wishes()}
    assert home.house.is_cached(*made.values())
    assert not (await home.rows())["Ann"]["why"]


def one_of(number: int) -> str:
    """Return one of the faults, another one for each page: all are had by some page."""
    everyone = list(FAULTS)
    return everyone[number % len(everyone)]


@pytest.mark.parametrize(("name", "fault"), [(name, one_of(number)) for number, name in enumerate(PAGES)])
async def test_a_page_that_fails_takes_nothing_away_and_is_told_and_then_read_again(
    tmp_path: Path, name: str, fault: str, capsys: Capture
) -> None:
    async with household(tmp_path) as home:
        world = World(home)
        assert await home.failing() == {}
        assert (await home.rows())["Dan"]["sources"][1]["note"] == IN_FEEDS  # whose list nobody is shown
        await fails_and_recovers(home, world, name, fault, capsys)
        assert home.house.damaged() == []


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PAGES)
async def test_every_fault_of_every_page_takes_nothing_away(tmp_path: Path, name: str, capsys: Capture) -> None:
    async with household(tmp_path) as home:
        world = World(home)
        for fault in FAULTS:
            await fails_and_recovers(home, world, name, fault, capsys)
        assert home.house.damaged() == []
