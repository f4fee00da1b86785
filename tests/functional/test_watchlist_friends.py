from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.faults import truncated
from daemon.demo.server import DemoServer
from daemon.errors import RemoteBusy, RemoteError, RemoteRefused, RemoteUnavailable
from daemon.model import Demand, DemandKind, Fetched, Role
from daemon.sources.watchlist import IN_FEEDS
from daemon.state import sources
from tests.support.bad_input import named
from tests.support.people import NOW
from tests.support.plex import small_library
from tests.support.watchlists import LISTED, lists, wanted


async def test_a_friends_list_is_read_with_the_owners_token(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ann", home.movies[0])
        home.plex.watchlists.add("Ben", home.movies[1])
        home.plex.watchlists.add("Ben", home.show)
        await home.plex.engine.mark("Ben", home.episodes[0])
        fetched = await home.watchlist.fetch(home.friend("Ben"))
        assert wanted(fetched) == {home.movies[1]: [home.movies[1]], home.show: home.episodes[1:4]}
        assert {one.user for one in fetched.demands} == {home.plex.people["Ben"].id}
        assert {one.since for one in fetched.demands} == {NOW}  # nobody says when a friend listed it
        assert home.asked("/watchlist/all") == 0


async def test_since_of_a_friends_wish_stays_when_it_is_seen_again(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[1])
        ben = home.friend("Ben")
        await home.keep(ben.user.id, await home.watchlist.fetch(ben))
        home.later()
        home.plex.watchlists.add("Ben", home.show, LISTED - 1)
        moments = {one.show or one.rating_key: one.since for one in (await home.watchlist.fetch(ben)).demands}
        assert moments == {home.movies[1]: NOW, home.show: NOW + 3600}


async def test_a_friends_long_list_is_read_page_by_page(tmp_path: Path) -> None:
    async with lists(tmp_path, DemoServer(small_library(movies=25))) as home:
        home.plex.watchlists.page_limit = 10
        for key in home.movies:
            home.plex.watchlists.add("Ben", key)
        assert sorted(wanted(await home.watchlist.fetch(home.friend("Ben")))) == sorted(home.movies)
        assert sum(one.path == "/api" for one in home.plex.requests) == 3


async def test_a_private_list_is_refused_and_the_message_says_what_helps(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.private.add(home.plex.people["Ben"].id)
        with pytest.raises(RemoteRefused, match=r"Ben can show it to friends.*watchlist\.rss"):
            await home.watchlist.fetch(home.friend("Ben"))
        with pytest.raises(RemoteRefused, match=r"User not found.*watchlist\.rss"):
            await home.watchlist.fetch(home.person("Ben", account_token="", uuid="nobody"))


async def test_an_empty_list_is_a_list(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        assert (await home.watchlist.fetch(home.friend("Ben"))).demands == ()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 401}, RemoteRefused),
        ({"status": 403}, RemoteRefused),
        ({"status": 429, "headers": {"Retry-After": "900"}}, RemoteBusy),
        ({"status": 503}, RemoteUnavailable),
        ({"body": b""}, RemoteUnavailable),
        ({"body": b"{}"}, RemoteUnavailable),
        ({"body": b'{"data": null}'}, RemoteRefused),
        ({"body": b'{"errors": [{"message": "no"}], "data": {"userV2": {"watchlist": {"nodes": []}}}}'}, RemoteRefused),
        ({"mangle": truncated}, RemoteUnavailable),
    ],
    ids=named,
)
async def test_each_failure_of_the_communitys_api_is_an_error(
    tmp_path: Path, fault: dict[str, Any], error: type[RemoteError]
) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[1])
        home.plex.faults.http("^/api$", **fault)
        with pytest.raises(error):
            await home.watchlist.fetch(home.friend("Ben"))


async def test_who_has_no_token_at_all_is_refused_with_the_reason(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        with pytest.raises(RemoteRefused, match="needs a PIN"):
            await home.watchlist.fetch(
                home.person("Ben", role=Role.MANAGED, account_token="", uuid="", problem="Ben needs a PIN")
            )
        with pytest.raises(RemoteRefused, match=r"no plex\.tv token of Ann"):
            await home.watchlist.fetch(home.person("Ann", account_token=""))
        assert home.asked("/api") == 0


async def test_of_a_list_that_became_private_stands_only_what_fell_out_of_the_feed_before(tmp_path: Path) -> None:
    async with lists(tmp_path, DemoServer(small_library(movies=60))) as home:
        home.plex.watchlists.private.add(home.plex.people["Ben"].id)
        ben = home.friend("Ben")
        old, new = (
            Demand(key, DemandKind.WATCHLIST, ben.user.id, LISTED + days * 86_400.0)
            for key, days in zip(home.movies, (-1, 1), strict=False)
        )
        said = partial(
            sources.put_fetched, kind=DemandKind.WATCHLIST, user=ben.user.id, new=Fetched((old, new)), now=NOW
        )
        await home.store.run(said)
        for number, key in enumerate(home.movies[:50]):
            home.plex.watchlists.add("Ben", key, LISTED + number)
        home.tables["watchlist"] = {"rss": [f"{home.plex.url}{home.plex.watchlists.feed('Ben')}"]}
        await home.read_feeds()
        assert (await home.watchlist.fetch(ben)).demands == (old,)

        home.plex.watchlists.remove("Ben", home.plex.watchlists.of("Ben")[0])
        await home.read_feeds()
        assert (await home.watchlist.fetch(ben)).demands == ()


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_a_private_list_that_a_feed_holds_is_read_from_there_and_nothing_is_amiss(
    tmp_path: Path, form: str
) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.private |= {home.plex.people["Ben"].id, home.plex.people["Cleo"].id}
        ben, wish = home.friend("Ben"), home.plex.watchlists.add("Ben", home.movies[1])
        feed = f"{home.plex.url}{home.plex.watchlists.feed('Ben', 'Cleo')}?format={form}"
        home.tables["watchlist"] = {"rss": [feed]}
        with pytest.raises(RemoteRefused):
            await home.watchlist.fetch(ben)
        assert list(wanted(await home.read_feeds())) == [home.movies[1]]
        fetched = await home.watchlist.fetch(ben)
        assert (fetched.unchanged, fetched.demands, fetched.note) == (False, (), IN_FEEDS)
        with pytest.raises(RemoteRefused):
            await home.watchlist.fetch(home.friend("Cleo"))  # nothing in it is hers

        # It stays so while the list is empty, and while the feed fails; after a restart as well.
        home.plex.watchlists.remove("Ben", wish)
        home.plex.watchlists.add("Cleo", home.movies[0])
        await home.read_feeds()
        assert (await home.watchlist.fetch(ben)).note == IN_FEEDS
        home.feeds._held.clear()
        home.plex.faults.http("/rss/", status=503)
        with pytest.raises(RemoteUnavailable):
            await home.read_feeds()
        assert (await home.watchlist.fetch(home.friend("Cleo"))).note == IN_FEEDS

        home.tables["watchlist"] = {"rss": []}
        await home.read_feeds()
        with pytest.raises(RemoteRefused):
            await home.watchlist.fetch(home.friend("Cleo"))


async def test_a_token_that_is_refused_is_amiss_whatever_a_feed_holds(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[1])
        home.tables["watchlist"] = {"rss": [home.plex.url + home.plex.watchlists.feed("Ben")]}
        await home.read_feeds()
        home.plex.faults.http("^/api$", status=401)
        with pytest.raises(RemoteRefused, match="refuses the token"):
            await home.watchlist.fetch(home.friend("Ben"))
