"""Everybody's wishes count by themselves: a file goes only when nobody wants it any more. In whole daemons."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.sessions import Session
from daemon.model import DemandKind, TaskKind
from tests.support.sources import DAY, HOUR, Home, household

ON_DECK, WATCHLIST = DemandKind.ON_DECK, DemandKind.WATCHLIST
AT_ONCE = {"min_stay": "0", "after_watched": "0", "after_stopped": "0"}
"""Nothing stays on the cache that nobody wants."""
ALONE: dict[str, Any] = {
    "retention": AT_ONCE,
    "recent": {"enabled": False},
    "trending": {"enabled": False},
    "watchlist": {"rss": []},
    "playback": {"next_episodes": 0},
}


@asynccontextmanager
async def people(folder: Path, **settings: Any) -> AsyncIterator[tuple[Home, list[str]]]:
    """Have a household in which nobody has begun or listed anything, and the episodes of a show."""
    async with household(folder, furnished=False, **{**ALONE, **settings}) as home:
        yield home, home.library.episodes(home.library.shows[0])


async def gone(home: Home, key: str) -> bool:
    """Say whether an item is on the cache no more, nor on its way there."""
    return not home.house.is_cached(key) and not any(task.kind is TaskKind.EVICT for task in await home.waiting())


async def plays(home: Home, who: str, key: str) -> Session:
    """Have somebody begin to play; return when the daemon knows."""
    before = len(home.house.app.core.listener.plays())
    session = await home.plex.engine.play(who, key, offset=0.0, client=f"tv of {who}")
    await home.house.until(lambda: len(home.house.app.core.listener.plays()) > before)
    return session


async def ends(home: Home, session: Session, share: float) -> None:
    """Have a play go on up to some share of it, and stop; return when the daemon has read what that changes."""
    user, count = home.user(session.person.title), home.rounds.begun
    await home.plex.engine.advance(session, share * session.node.seconds)
    if share > 0.9:
        await home.plex.engine.scrobble(session)
    session.autoplay = "none"
    await home.plex.engine.stop(session)
    await home.rounds.until(lambda done: any((ON_DECK, user) in one.read for one in done), after=count)


async def test_two_people_at_different_places_of_one_show_have_both_what_comes_next(tmp_path: Path) -> None:
    async with people(tmp_path, on_deck={"episodes": 1}) as (home, (one, two, three, four)):
        home.begin("Ben", one)
        home.begin("Cleo", three)
        await home.refresh()
        assert await home.wanted(ON_DECK, "Ben") == {one, two}
        assert await home.wanted(ON_DECK, "Cleo") == {three, four}
        assert home.house.is_cached(one, two, three, four)

        home.finish("Ben", one, two)
        await home.refresh()
        await home.house.until(lambda: gone(home, one))
        assert await gone(home, two)
        assert await home.wanted(ON_DECK, "Ben") == {three, four}
        home.finish("Cleo", three, four)
        await home.refresh()
        assert home.house.is_cached(three, four), "Ben has them before him"


@pytest.mark.parametrize("other", ["on deck", "watchlist", "playing"])
async def test_what_one_has_finished_stays_while_another_wants_it(tmp_path: Path, other: str) -> None:
    async with people(tmp_path) as (home, _):
        movie = home.library.movies[0]
        session = await plays(home, "Ben", movie)
        playing = None
        if other == "on deck":
            home.begin("Cleo", movie)
        elif other == "watchlist":
            listed = home.plex.watchlists.add("Cleo", movie)
        else:
            playing = await plays(home, "Cleo", movie)
        await home.refresh()
        await home.house.until(lambda: home.house.is_cached(movie))
        await ends(home, session, 0.95)
        wishes = [one for key, one in await home.wishes() if key == movie]
        assert {one.user for one in wishes} == {home.user("Cleo")}
        await home.house.quiet()
        await home.refresh()
        assert home.house.is_cached(movie)
        assert await home.waiting() == []

        if other == "on deck":
            home.finish("Cleo", movie)
        elif other == "watchlist":
            home.plex.watchlists.remove("Cleo", listed)
        elif playing is not None:
            await ends(home, playing, 0.95)
        await home.refresh()
        await home.house.until(lambda: gone(home, movie))
        assert home.house.damaged() == []


async def test_a_show_on_a_list_means_for_everybody_the_episodes_that_they_have_not_seen(tmp_path: Path) -> None:
    async with people(tmp_path, watchlist={"episodes": 1, "rss": []}) as (home, (one, two, _, _)):
        for who in ("Ann", "Ben"):
            home.plex.watchlists.add(who, home.library.shows[0])
        home.finish("Ann", one)
        await home.refresh()
        assert await home.wanted(WATCHLIST, "Ann") == {two}
        assert await home.wanted(WATCHLIST, "Ben") == {one}
        assert home.house.is_cached(one, two)


@pytest.mark.parametrize("name", ["ben", "Ben", "id"])
@pytest.mark.parametrize("kind", [ON_DECK, WATCHLIST])
async def test_a_users_own_switch_is_that_users_alone(tmp_path: Path, kind: DemandKind, name: str) -> None:
    async with household(tmp_path, start=False, furnished=False, **ALONE) as home:
        for who, movie in zip(("Ben", "Cleo"), home.library.movies, strict=False):
            home.begin(who, movie)
            home.plex.watchlists.add(who, home.library.movies[10 + home.library.movies.index(movie)])
        named = home.user("Ben") if name == "id" else name
        home.house.set(users={named: {str(kind): False}})
        async with home.running():
            other = WATCHLIST if kind is ON_DECK else ON_DECK
            assert await home.wanted(kind, "Ben") == set()
            assert all([await home.wanted(other, "Ben"), await home.wanted(kind, "Cleo")])
            mine, not_mine = home.library.movies[0], home.library.movies[10]
            assert home.house.is_cached(not_mine if kind is ON_DECK else mine)
            assert not home.house.is_cached(mine if kind is ON_DECK else not_mine)


@pytest.mark.parametrize("kind", [ON_DECK, WATCHLIST])
async def test_a_users_own_age_is_that_users_alone(tmp_path: Path, kind: DemandKind) -> None:
    async with people(tmp_path, users={"Ben": {f"{kind}_max_age": "10d"}}) as (home, _):
        mine, theirs, both, *_ = home.library.movies
        long_ago = home.clock.now() - 9 * DAY
        for who, movies in {"Ben": (mine, both), "Cleo": (theirs, both)}.items():
            for movie in movies:
                if kind is ON_DECK:
                    home.begin(who, movie, long_ago)
                else:
                    home.plex.watchlists.add(who, movie, long_ago)
        await home.refresh()
        assert home.house.is_cached(mine, theirs, both) or kind is WATCHLIST
        await home.refresh_later(25 * HOUR / HOUR)
        await home.house.until(lambda: gone(home, mine))
        assert home.house.is_cached(theirs, both)


async def test_an_excluded_user_counts_for_nothing_and_is_not_even_asked(tmp_path: Path) -> None:
    async with people(tmp_path, users={"exclude": ["BEN"]}) as (home, _):
        mine, theirs, *_ = home.library.movies
        home.begin("Ben", mine)
        home.plex.watchlists.add("Ben", mine)
        home.begin("Cleo", theirs)
        done = await home.refresh()
        assert not {user for _, user in done.read} & {home.user("Ben")}
        assert home.house.is_cached(theirs)
        assert not home.house.is_cached(mine)
        assert (await home.rows())["Ben"]["state"] == "excluded"


async def test_who_is_excluded_from_now_on_lets_go_of_everything_and_back_again(tmp_path: Path) -> None:
    async with household(tmp_path, start=False, furnished=False, **ALONE) as home:
        movie = home.library.movies[0]
        home.begin("Ben", movie)
        async with home.running():
            assert home.house.is_cached(movie)
        home.house.set(users={"exclude": ["Ben"]})
        async with home.running():
            await home.house.until(lambda: gone(home, movie))
        home.house.set(users={"exclude": []})
        async with home.running():
            assert home.house.is_cached(movie)


async def test_who_has_not_played_for_long_does_not_count_and_who_comes_back_counts_at_once(tmp_path: Path) -> None:
    async with people(tmp_path, users={"inactive_after": "30d"}) as (home, _):
        ben, cleo, another = home.library.movies[:3]
        home.begin("Cleo", cleo)
        home.begin("Ben", ben)
        await ends(home, await plays(home, "Ben", ben), 0.3)
        await home.refresh()
        assert home.house.is_cached(ben, cleo)

        await home.refresh_later(31 * 24)
        await home.house.until(lambda: gone(home, ben))
        rows = await home.rows()
        assert (rows["Ben"]["state"], rows["Cleo"]["state"]) == ("inactive", "counts")
        assert home.house.is_cached(cleo), "of whom no play is known, who may be new"
        assert ben in await home.wanted(ON_DECK, "Ben"), "what is wanted is known all the same"

        session = await plays(home, "Ben", another)
        await home.house.until(lambda: home.house.is_cached(ben, another))
        assert (await home.rows())["Ben"]["state"] == "counts"
        await ends(home, session, 0.3)
        assert await home.wanted(ON_DECK, "Ben") == {ben, another}


async def test_what_plex_remembers_of_plays_before_the_daemon_came_counts_too(tmp_path: Path) -> None:
    async with household(
        tmp_path, start=False, furnished=False, **{**ALONE, "users": {"inactive_after": "30d"}}
    ) as home:
        ben, cleo, old, *_ = home.library.movies
        home.finish("Ben", old, at=home.clock.now() - 40 * DAY)
        home.finish("Cleo", old, at=home.clock.now() - 20 * DAY)
        home.begin("Ben", ben, home.clock.now() - 40 * DAY)
        home.begin("Cleo", cleo, home.clock.now() - 20 * DAY)
        async with home.running():
            assert home.house.is_cached(cleo)
            assert not home.house.is_cached(ben)
            await home.refresh()
            await home.refresh()
            assert home.house.is_cached(cleo)
