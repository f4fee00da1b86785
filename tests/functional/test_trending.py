"""What is trending: a simulated Trakt, the simulated Plex, real rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daemon.clock import Clock
from daemon.config import build
from daemon.demo.faults import truncated
from daemon.demo.library import Library
from daemon.demo.media import Kind
from daemon.demo.server import DemoServer
from daemon.demo.trakt import DemoTrakt, movie, movie_of
from daemon.errors import PlexError, RemoteBusy, RemoteError, RemoteRefused, RemoteUnavailable
from daemon.model import DemandKind
from daemon.outbound import Outbound
from daemon.sources.index import LibraryIndex
from daemon.sources.trending import Trending
from daemon.state.store import Store
from tests.support.pins import FAULTS as PLEX_FAULTS
from tests.support.pins import read, wishes
from tests.support.plex import small_library
from tests.support.plex_library import connected

TRENDING = DemandKind.TRENDING
FAULTS: dict[str, dict[str, Any]] = {
    "401": {"status": 401},
    "403": {"status": 403},
    "404": {"status": 404},
    "429 without a time": {"status": 429},
    "500": {"status": 500},
    "503": {"status": 503},
    "522": {"status": 522},
    "empty body": {"body": b"", "content_type": "application/json"},
    "a page of HTML": {"body": b"<html></html>"},
    "no list": {"body": b'{"error": "x"}', "content_type": "application/json"},
    "an empty list": {"body": b"[]", "content_type": "application/json"},
    "truncated": {"mangle": truncated},
    "reset": {"reset": True},
}


class Ticking(Clock):
    """A fast clock that can be put forward."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


@dataclass
class Chart:
    """Trakt, a library, and what comes of the two."""

    trakt: DemoTrakt
    library: Library
    plex: DemoServer
    store: Store
    clock: Ticking
    source: Trending
    settings: dict[str, Any]

    async def found(self) -> list[str]:
        """Read it; return what is demanded then, in its order."""
        await read(self.store, self.source)
        demanded = await wishes(self.store, TRENDING)
        return sorted(demanded, key=lambda key: demanded[key].position)

    def set(self, **trending: Any) -> None:
        self.settings["trending"] |= trending


@asynccontextmanager
async def charted(folder: Path, *, movies: int = 5, **trending: Any) -> AsyncIterator[Chart]:
    """Read Trakt's list, which at first is the library's movies, the last added first."""
    library = small_library(movies=movies)
    clock = Ticking(1000)
    async with (
        DemoTrakt([movie_of(library[key]) for key in reversed(library.movies)]) as trakt,
        DemoServer(library) as plex,
        connected(plex, clock=clock) as client,
        Store(folder) as store,
        Outbound(clock) as outbound,
    ):
        settings = {"trending": {"enabled": True, "url": trakt.url, "client_id": trakt.client, **trending}}
        index = LibraryIndex(client, store, clock)
        source = Trending(client, index, store, outbound, lambda: build(settings | {"plex": {"token": "t"}}), clock)
        yield Chart(trakt, library, plex, store, clock, source, settings)


def strangers(count: int) -> list[dict[str, Any]]:
    """Return movies that nobody has."""
    return [
        movie(f"Strange {number}", 2020, imdb=f"tt99{number:05}", tmdb=99_000_000 + number) for number in range(count)
    ]


async def test_what_trends_and_is_in_the_library_is_wanted_in_its_order(tmp_path: Path) -> None:
    async with charted(tmp_path) as chart:
        assert await chart.found() == chart.library.movies[::-1]
        found = await wishes(chart.store, TRENDING)
        assert [found[key].position for key in chart.library.movies[::-1]] == list(range(5))
        assert {(one.user, one.show) for one in found.values()} == {("", "")}
        sent = {name: chart.trakt.headers[name] for name in ("trakt-api-version", "trakt-api-key", "content-type")}
        assert sent == {"trakt-api-version": "2", "trakt-api-key": "demo-client", "content-type": "application/json"}
        assert chart.trakt.headers["user-agent"].startswith("ondeckd/")


async def test_so_many_movies_of_the_own_library_count_and_what_is_missing_above_is_named(tmp_path: Path) -> None:
    async with charted(tmp_path, movies=5) as chart:
        own = [movie_of(chart.library[key]) for key in chart.library.movies]
        chart.trakt.movies = [*strangers(2), own[3], *strangers(120), own[1], own[0], own[4]]
        chart.set(movies=3)

        fetched = await read(chart.store, chart.source)
        assert [one.rating_key for one in fetched.demands] == [chart.library.movies[place] for place in (3, 1, 0)]
        assert fetched.unmatched[:2] == ("Strange 0 (2020)", "Strange 1 (2020)")
        assert len(fetched.unmatched) == 122


async def test_no_movies_are_wanted_where_the_number_is_zero(tmp_path: Path) -> None:
    async with charted(tmp_path, movies=2) as chart:
        chart.set(movies=0)
        assert await chart.found() == []
        assert chart.trakt.requests == []


@pytest.mark.parametrize("ids", [("imdb",), ("tmdb",), ("imdb", "tmdb")], ids=str)
async def test_a_movie_is_found_by_either_id_and_never_by_its_title(tmp_path: Path, ids: tuple[str, ...]) -> None:
    async with charted(tmp_path) as chart:
        wanted, other = chart.library.movies[:2]
        known = movie_of(chart.library[wanted])
        known["ids"] = {name: value if name in ids else None for name, value in known["ids"].items()}
        titled = movie(chart.library[other].title, chart.library[other].year)
        odd: list[Any] = [{"movie": None}, {"ids": 5}]
        chart.trakt.movies = [titled, *odd, known]
        assert await chart.found() == [wanted]


async def test_a_show_with_the_number_of_a_movie_is_not_meant(tmp_path: Path) -> None:
    async with charted(tmp_path) as chart:
        show = chart.library[chart.library.shows[0]]
        assert show.kind is Kind.SHOW
        chart.trakt.movies = [movie_of(show), *chart.trakt.movies]
        assert await chart.found() == chart.library.movies[::-1]


@pytest.mark.parametrize("headers", [True, False])
async def test_the_list_is_read_page_by_page_and_not_without_end(tmp_path: Path, headers: bool) -> None:
    async with charted(tmp_path) as chart:
        chart.trakt.paging_headers = headers
        own = [movie_of(chart.library[key]) for key in chart.library.movies]
        chart.trakt.movies = [*strangers(150), own[0], *strangers(149), own[1]]
        assert await chart.found() == [chart.library.movies[0]]
        assert [request["page"] for request in chart.trakt.requests] == ["1", "2", "3"]
        chart.trakt.movies = own[:2]
        chart.clock.ahead += 100_000
        assert len(await chart.found()) == 2
        assert len(chart.trakt.requests) == 4


async def test_trakt_is_asked_as_often_as_refresh_says(tmp_path: Path) -> None:
    async with charted(tmp_path, refresh="24h") as chart:
        await chart.found()
        chart.clock.ahead += 23 * 3600
        assert len(await chart.found()) == 5
        assert len(chart.trakt.requests) == 1
        chart.clock.ahead += 3600
        await chart.found()
        assert len(chart.trakt.requests) == 2
        chart.set(refresh="1h")
        chart.clock.ahead += 3601
        await chart.found()
        assert len(chart.trakt.requests) == 3


async def test_a_movie_that_comes_meanwhile_counts_without_a_new_question(tmp_path: Path) -> None:
    async with charted(tmp_path) as chart:
        gone = chart.library[chart.library.movies[0]]
        chart.library.remove(gone.key)
        assert gone.key not in await chart.found()
        chart.library.add(gone)
        chart.library.sections["1"].scanned_at += 1
        chart.clock.ahead += 3600
        assert gone.key in await chart.found()
        assert len(chart.trakt.requests) == 1


async def test_a_wish_keeps_the_time_at_which_it_was_seen_first(tmp_path: Path) -> None:
    async with charted(tmp_path) as chart:
        await chart.found()
        before = await wishes(chart.store, TRENDING)
        chart.clock.ahead += 200_000
        chart.trakt.movies.reverse()
        await chart.found()
        after = await wishes(chart.store, TRENDING)
        assert {key: one.since for key, one in after.items()} == {key: one.since for key, one in before.items()}
        assert after != before


async def test_without_a_client_id_nothing_is_asked(tmp_path: Path) -> None:
    async with charted(tmp_path) as chart:
        await chart.found()
        chart.set(client_id="", enabled=False)
        with pytest.raises(RemoteRefused, match=r"trending\.client_id is not set"):
            await chart.found()
        assert len(await wishes(chart.store, TRENDING)) == 5
        assert len(chart.trakt.requests) == 1


async def test_another_client_id_is_tried_at_once(tmp_path: Path) -> None:
    async with charted(tmp_path) as chart:
        await chart.found()
        chart.set(client_id="mistyped")
        with pytest.raises(RemoteRefused):
            await chart.found()
        chart.set(client_id=chart.trakt.client)
        assert len(await chart.found()) == 5


async def test_trakt_is_left_alone_for_as_long_as_it_asks(tmp_path: Path) -> None:
    async with charted(tmp_path) as chart:
        chart.trakt.limit_rate(100_000)
        for _ in range(2):
            with pytest.raises(RemoteBusy) as raised:
                await chart.found()
            assert 0 < raised.value.after <= 100_000
        assert len(chart.trakt.requests) == 1
        chart.clock.ahead += 100_001
        assert len(await chart.found()) == 5


async def test_a_short_wait_is_waited_for(tmp_path: Path) -> None:
    async with charted(tmp_path) as chart:
        chart.trakt.limit_rate(1)
        assert len(await chart.found()) == 5
        assert len(chart.trakt.requests) == 2


@pytest.mark.parametrize(
    ("name", "page"),
    # An empty second page is how a list ends.
    [(name, page) for name in FAULTS for page in ("page=1", "page=2") if (name, page) != ("an empty list", "page=2")],
)
async def test_a_failure_leaves_all_as_it_was(tmp_path: Path, name: str, page: str) -> None:
    async with charted(tmp_path) as chart:
        before = await chart.found()
        chart.trakt.movies = strangers(150)
        chart.clock.ahead += 200_000
        chart.trakt.faults.http(page + "&", **FAULTS[name])
        with pytest.raises(RemoteError):
            await chart.found()
        assert sorted(await wishes(chart.store, TRENDING)) == sorted(before)


@pytest.mark.parametrize("name", PLEX_FAULTS)
async def test_a_failure_of_plex_leaves_all_as_it_was(tmp_path: Path, name: str) -> None:
    async with charted(tmp_path) as chart:
        before = await chart.found()
        chart.plex.faults.http("/library/metadata/", **PLEX_FAULTS[name])
        with pytest.raises(PlexError):
            await chart.found()
        assert sorted(await wishes(chart.store, TRENDING)) == sorted(before)


async def test_a_trakt_that_is_not_there_leaves_all_as_it_was(tmp_path: Path) -> None:
    async with charted(tmp_path) as chart:
        await chart.found()
        chart.set(url="http://127.0.0.1:9")
        with pytest.raises(RemoteUnavailable):
            await chart.found()
        assert len(await wishes(chart.store, TRENDING)) == 5
