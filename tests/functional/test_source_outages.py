"""Outages that outlast a restart, and failures of a part: a whole daemon, and what it knows and keeps meanwhile."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.demo.faults import Faults
from daemon.model import DemandKind
from tests.support.bad_input import plex_down, plex_up
from tests.support.daemon import daemon_running, new_app
from tests.support.sources import TITLES, Home, Key, Round, household

ON_DECK, WATCHLIST, PINNED = DemandKind.ON_DECK, DemandKind.WATCHLIST, DemandKind.PINNED
RECENT, TRENDING = DemandKind.RECENT, DemandKind.TRENDING
PLEX_TV = r"^/(api|rss|library/sections/watchlist|library/metadata/[0-9a-f]{24})\b"


@asynccontextmanager
async def furnished(folder: Path) -> AsyncIterator[Home]:
    """Have a household whose daemon has read and cached everything, and has ended."""
    async with household(folder, start=False) as home:
        async with home.running():
            await home.house.post("/api/v1/pin", {"target": home.library.shows[0]})
            await home.house.quiet()
        yield home


def well(done: list[Round]) -> set[Key]:
    """Return the sources whose latest reading was well."""
    latest = {key: problem for one in done for key, problem in one.read.items()}
    return {key for key, problem in latest.items() if not problem}


async def demand_outage(home: Home, *failing: DemandKind) -> None:
    """Demand that sources of these kinds are known not to be readable, each since a moment, and no others."""
    found = await home.failing()
    assert {kind for kind, _ in found} == set(failing)
    assert all(one.problem and one.failed_since and one.read_at for one in found.values())


@pytest.mark.parametrize(
    ("who", "kinds"),
    [
        ("Plex", {ON_DECK, WATCHLIST, PINNED, RECENT, TRENDING}),
        ("plex.tv", {WATCHLIST}),
        ("Trakt", {TRENDING}),
    ],
)
async def test_an_outage_outlasts_a_restart_and_its_end_is_noticed_by_itself(
    tmp_path: Path, who: str, kinds: set[DemandKind]
) -> None:
    async with furnished(tmp_path) as home:
        async with home.running():
            before = await home.known()
            await break_off(home, who)
            await home.refresh_later(1)
            await demand_outage(home, *kinds)
            since = {key: one.failed_since for key, one in (await home.failing()).items()}
            assert await home.known() == before

        home.later(3)
        async with home.running():
            assert await home.known() == before
            assert {key: one.failed_since for key, one in (await home.failing()).items()} == since
            await demand_outage(home, *kinds)
            assert (await home.house.get("/api/v1/plan"))["evict"] == []

            wanted = wish(home)
            count = home.rounds.begun
            await resume(home, who)
            # Nobody asks for it.
            await home.rounds.until(lambda done: since.keys() <= well(done), after=count)
            await demand_outage(home)
            await home.refresh()
            assert home.house.is_cached(*wanted)
            assert home.house.damaged() == []


async def break_off(home: Home, who: str) -> None:
    if who == "Plex":
        await plex_down(home.house)
        home.plex.faults.clear()
        home.plex.faults.http(f"^(?!{PLEX_TV[1:]})", reset=True)
    else:
        outside(home, who).http(PLEX_TV if who == "plex.tv" else "", reset=True)


async def resume(home: Home, who: str) -> None:
    if who == "Plex":
        home.plex.faults.clear()
        await home.plex.come_up(maintenance_for=300)
    else:
        outside(home, who).clear()


def outside(home: Home, who: str) -> Faults:
    return home.plex.faults if who == "plex.tv" else home.trakt.faults


def wish(home: Home) -> list[str]:
    """Have new things wanted; return them."""
    one, two, three = home.library.movies[20:23]
    home.begin("Cleo", one)
    home.plex.watchlists.add("Ann", two, home.clock.now())
    home.library[three].added_at = int(home.clock.now())
    home.library.revision += 1
    return [one, two, three]


async def test_a_daemon_that_starts_before_plex_reads_everybody_as_soon_as_plex_is_there(tmp_path: Path) -> None:
    async with household(tmp_path, start=False) as home:
        await plex_down(home.house)
        new_app(home.house)
        async with daemon_running(home.house):
            await home.rounds.until(bool)
            assert await home.wishes() == []
            await plex_up(home.house)
            everybody = home.keys(ON_DECK, *TITLES)

            def read(done: list[Round]) -> bool:
                return everybody <= {key for one in done for key, problem in one.read.items() if not problem}

            await home.rounds.until(read)
            await home.house.quiet()
            for who in TITLES:
                assert home.house.is_cached(*await home.wanted(ON_DECK, who))


async def test_a_token_that_is_revoked_costs_its_user_nothing_and_the_others_nothing_either(tmp_path: Path) -> None:
    async with household(tmp_path) as home:
        before = await home.known()
        home.plex.people.revoke("Cleo")
        home.begin("Cleo", home.library.movies[30])
        home.begin("Ben", home.library.movies[31])
        done = await home.refresh()
        failed = {key for key, problem in done.read.items() if problem}
        assert failed == home.keys(ON_DECK, "Cleo") | home.keys(WATCHLIST, "Cleo")
        after = await home.known()
        assert before.demands <= after.demands
        assert before.files.items() <= after.files.items()
        assert home.house.is_cached(home.library.movies[31])
        assert not home.house.is_cached(home.library.movies[30])
        assert "401" in (await home.rows())["Cleo"]["sources"][0]["problem"]

        home.plex.people.renew("Cleo")  # plex.tv knows another one
        await home.refresh_later(1)
        assert await home.failing() == {}
        assert home.house.is_cached(home.library.movies[30])


async def test_a_home_users_token_of_plex_tv_that_is_revoked_is_replaced_by_another(tmp_path: Path) -> None:
    async with household(tmp_path) as home:
        before = await home.known()
        home.plex.people.revoke_account("Kid")
        await home.refresh()
        assert set(await home.failing()) == home.keys(WATCHLIST, "Kid")
        assert await home.known() == before
        home.plex.watchlists.add("Kid", home.library.movies[30], home.clock.now())
        await home.refresh_later(1)
        assert await home.failing() == {}
        assert home.house.is_cached(home.library.movies[30])


async def test_a_second_page_that_fails_takes_nothing_of_the_first_either(tmp_path: Path) -> None:
    async with household(tmp_path) as home:
        home.plex.watchlists.page_limit = 1
        await home.refresh()
        before = await home.known()
        home.plex.faults.http(r"watchlist/all.*Container-Start=1", status=503)
        for wish_ in home.plex.watchlists.of("Ann")[:1]:
            home.plex.watchlists.remove("Ann", wish_)
        home.plex.watchlists.add("Ann", home.library.movies[40], home.clock.now())
        done = await home.refresh()
        assert done.read[WATCHLIST, home.user("Ann")]
        assert await home.known() == before
        home.plex.faults.clear()
        await home.refresh()
        assert home.house.is_cached(home.library.movies[40])


async def test_who_is_gone_for_good_is_forgotten_once_plex_tv_has_said_so_for_a_day(tmp_path: Path) -> None:
    async with household(tmp_path) as home:
        before = await home.wanted(ON_DECK, "Cleo")
        assert before
        plex_tv = home.plex.faults.http(r"^/api/users/", status=503)
        home.plex.people.change("Cleo", known=False)
        home.plex.faults.http("^/accounts", mangle=lambda answer: re.sub(rb'<Account [^>]*"Cleo"[^>]*>', b"", answer))
        await home.refresh_later(7)
        assert await home.wanted(ON_DECK, "Cleo") == before
        home.plex.faults.https.remove(plex_tv)
        await home.refresh_later(1)
        assert await home.wanted(ON_DECK, "Cleo") == before
        await home.refresh_later(25)
        assert {user for _, user in await home.states()} == {"", *(home.user(who) for who in TITLES if who != "Cleo")}
        assert "Cleo" not in await home.rows()
        assert await home.wanted(ON_DECK, "Cleo") == set()
        assert not [one for _, one in await home.wishes() if one.user == home.user("Cleo")]
