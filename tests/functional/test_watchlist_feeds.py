from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.demo.discover import Wish
from daemon.demo.faults import truncated
from daemon.demo.media import Kind
from daemon.demo.server import DemoServer
from daemon.errors import RemoteBusy, RemoteError, RemoteNotFound, RemoteRefused, RemoteUnavailable
from daemon.state import demands
from tests.support.bad_input import named
from tests.support.people import NOW
from tests.support.plex import small_library
from tests.support.watchlists import LISTED, Lists, lists, wanted


def subscribe(home: Lists, *who: str, query: str = "", **watchlist: Any) -> str:
    """Name a feed of these people's lists in the settings; return its path."""
    path = home.plex.watchlists.feed(*who)
    more = home.tables.get("watchlist", {}).get("rss", [])
    home.tables["watchlist"] = {"rss": [*more, home.plex.url + path + query], **watchlist}
    return path


@pytest.mark.parametrize("query", ["", "?format=json", "?format=xml", "?cache_buster=1"])
async def test_a_feed_demands_for_nobody_in_particular(tmp_path: Path, query: str) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[0], LISTED + 5)
        home.plex.watchlists.add("Cleo", home.show, LISTED)
        subscribe(home, "Ben", "Cleo", query=query, episodes=2)
        fetched = await home.read_feeds()
        assert wanted(fetched) == {home.movies[0]: [home.movies[0]], home.show: home.episodes[:2]}
        assert {one.user for one in fetched.demands} == {""}
        assert {one.show or one.rating_key: one.since for one in fetched.demands} == {
            home.movies[0]: LISTED + 5,
            home.show: LISTED,
        }


async def test_several_feeds_are_one(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[0])
        home.plex.watchlists.add("Cleo", home.movies[0], LISTED + 7)
        home.plex.watchlists.add("Cleo", home.movies[1])
        subscribe(home, "Ben")
        subscribe(home, "Cleo")
        fetched = await home.read_feeds()
        assert {one.rating_key: one.since for one in fetched.demands} == {
            home.movies[0]: LISTED + 7,
            home.movies[1]: LISTED,
        }
        assert len(fetched.demands) == 2


async def test_an_entry_without_an_id_is_named_and_not_guessed(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        node = home.plex.library[home.movies[0]]
        home.plex.watchlists.put("Ben", Wish("ab" * 12, Kind.MOVIE, node.title, node.year, (), LISTED))
        home.plex.watchlists.add_other("Ben", "Elsewhere")
        subscribe(home, "Ben")
        fetched = await home.read_feeds()
        assert fetched.demands == ()
        assert set(fetched.unmatched) == {f"{node.title} ({node.year}) (the feed gives no id)", "Elsewhere (2020)"}


async def test_an_id_of_a_show_is_none_of_a_movie_nor_of_who_does_not_say(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        number = int(home.plex.library[home.show].guid[-8:], 16) % 10_000_000
        home.plex.watchlists.put("Ben", Wish("5d" * 12, Kind.MOVIE, "Other", 2020, (f"tmdb://{number}",), LISTED))
        subscribe(home, "Ben")
        assert (await home.read_feeds()).demands == ()
        home.plex.faults.http("/rss/", mangle=lambda body: body.replace(b'"category": "movie"', b'"category": ""'))
        home.feeds._reader._parts.clear()
        assert (await home.read_feeds()).demands == ()


async def test_what_anybody_has_finished_since_it_was_listed_is_seen(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        for key in (home.movies[0], home.movies[1], home.show):
            home.plex.watchlists.add("Ben", key, NOW - 10)
        home.clock._now = NOW - 1000
        await home.plex.engine.mark("Cleo", home.movies[1])
        await home.plex.engine.mark("Ann", home.episodes[0])
        home.clock._now = NOW
        subscribe(home, "Ben")
        assert len(wanted(await home.read_feeds())) == 3
        await home.plex.engine.mark("Cleo", home.movies[0])
        await home.plex.engine.mark("Cleo", home.episodes[1])
        home.later()
        assert wanted(await home.read_feeds()) == {
            home.movies[1]: [home.movies[1]],
            home.show: [home.episodes[0], *home.episodes[2:4]],
        }
        home.plex.watchlists.add("Ann", home.movies[0], home.clock.now() - 5)
        subscribe(home, "Ann")
        assert home.movies[0] in wanted(await home.read_feeds())  # somebody else wishes for it, later


async def test_an_unchanged_feed_is_not_sent_again(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[0])
        subscribe(home, "Ben")
        first = await home.read_feeds()
        home.plex.watchlists.sent.clear()
        assert await home.read_feeds() == first
        assert home.plex.watchlists.sent == [0]


async def test_what_falls_out_of_a_full_feed_stands_and_what_is_taken_off_goes(tmp_path: Path) -> None:
    async with lists(tmp_path, DemoServer(small_library(movies=60))) as home:
        for number, key in enumerate(home.movies[:50]):
            home.plex.watchlists.add("Ben", key, LISTED + number)
        subscribe(home, "Ben")
        assert len(wanted(await home.read_feeds())) == 50
        for number, key in enumerate(home.movies[50:], 50):
            home.plex.watchlists.add("Ben", key, LISTED + number)
        gone = home.plex.watchlists.of("Ben")[20]
        home.plex.watchlists.remove("Ben", gone)
        for _ in range(2):
            assert len(wanted(await home.read_feeds())) == 59
        await home.plex.engine.mark("Ben", home.movies[0])
        assert home.movies[0] not in wanted(await home.read_feeds())
        # Once it is not full any more, it holds everything.
        del home.plex.watchlists.of("Ben")[30:]
        assert len(wanted(await home.read_feeds())) == 30


FAULTS: list[tuple[dict[str, Any], type[RemoteError]]] = [
    ({"status": 401}, RemoteRefused),
    ({"status": 404}, RemoteNotFound),
    ({"status": 429}, RemoteBusy),
    ({"status": 429, "headers": {"Retry-After": "900"}}, RemoteBusy),
    ({"status": 500}, RemoteUnavailable),
    ({"status": 503}, RemoteUnavailable),
    ({"body": b""}, RemoteUnavailable),
    ({"body": b"{}"}, RemoteUnavailable),
    ({"body": b"<rss/>"}, RemoteUnavailable),
    ({"body": b"<html><body>Sign in</body></html>"}, RemoteUnavailable),
    ({"mangle": truncated}, RemoteUnavailable),
    ({"reset": True}, RemoteUnavailable),
]


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize(("fault", "error"), FAULTS, ids=named)
async def test_each_failure_of_a_feed_leaves_what_was_known_and_does_not_tell_its_address(
    tmp_path: Path, fault: dict[str, Any], error: type[RemoteError], form: str
) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Cleo", home.movies[1])
        home.plex.watchlists.add("Ben", home.movies[0])
        subscribe(home, "Cleo")
        path = subscribe(home, "Ben", query=f"?format={form}")
        await home.read_feeds()
        before = await home.store.run(demands.all_demands)
        assert len(before) == 2
        home.feeds._reader._parts.clear()
        home.plex.faults.http(path, **fault)
        with pytest.raises(error, match=r"watchlist\.rss, feed 2: ") as caught:
            await home.read_feeds()
        assert path.rpartition("/")[2] not in str(caught.value)
        assert await home.store.run(demands.all_demands) == before


async def test_a_feed_that_asks_for_patience_gets_it(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        subscribe(home, "Ben")
        home.plex.faults.http("/rss/", status=429, headers={"Retry-After": "900"}, times=1)
        for _ in range(2):
            with pytest.raises(RemoteBusy):
                await home.read_feeds()
        assert home.asked("/rss/") == 1
        home.later(901)
        assert (await home.read_feeds()).demands == ()


async def test_a_feed_that_is_suddenly_empty_is_believed_the_second_time(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[0])
        subscribe(home, "Ben")
        await home.read_feeds()
        home.plex.watchlists.of("Ben").clear()
        with pytest.raises(RemoteUnavailable, match="suddenly empty"):
            await home.read_feeds()
        assert (await home.read_feeds()).demands == ()


async def test_a_feed_that_is_not_named_any_more_is_forgotten(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[0])
        subscribe(home, "Ben")
        await home.read_feeds()
        home.tables.clear()
        assert (await home.read_feeds()).demands == ()
        remembered = await home.store.run(
            lambda c: c.execute("SELECT key FROM meta WHERE key LIKE 'feed-%'").fetchall()
        )
        assert (remembered, home.feeds._reader._parts) == ([], {})


async def test_a_feed_in_parts_is_read_whole_but_not_elsewhere(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[0])
        home.plex.watchlists.add("Cleo", home.movies[1])
        first, second = subscribe(home, "Ben"), home.plex.watchlists.feed("Cleo")

        def linked(address: str) -> Any:
            return lambda body: body.replace(b'"links": {}', b'"links": {"next": "%s"}' % address.encode())

        home.plex.faults.http(first, mangle=linked(home.plex.url + second))
        assert sorted(wanted(await home.read_feeds())) == sorted(home.movies[:2])
        home.plex.faults.clear()
        home.feeds._reader._parts.clear()
        home.plex.faults.http(first, mangle=linked("http://127.0.0.1:1/rss/elsewhere"))
        assert list(wanted(await home.read_feeds())) == [home.movies[0]]
