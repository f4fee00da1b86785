from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.demo.faults import truncated
from daemon.errors import OndeckdError, PlexError, PlexUnauthorized, RemoteBusy, RemoteRefused, RemoteUnavailable
from daemon.model import DemandKind
from daemon.state import demands, sources
from tests.support.bad_input import named
from tests.support.watchlists import lists, wanted

LIST = "/library/sections/watchlist/all"
FAULTS: list[tuple[dict[str, Any], type[OndeckdError]]] = [
    ({"status": 401}, RemoteRefused),
    ({"status": 403}, RemoteRefused),
    ({"status": 422}, RemoteRefused),
    ({"status": 498}, RemoteRefused),
    ({"status": 429}, RemoteBusy),
    ({"status": 429, "headers": {"Retry-After": "900"}}, RemoteBusy),
    ({"status": 500}, RemoteUnavailable),
    ({"status": 503}, RemoteUnavailable),
    ({"status": 302, "headers": {"Location": "/elsewhere"}}, RemoteUnavailable),
    ({"body": b""}, RemoteUnavailable),
    ({"body": b"{}"}, RemoteUnavailable),
    ({"body": b'{"MediaContainer": {}}'}, RemoteUnavailable),
    ({"body": b'{"MediaContainer": {"totalSize": 3, "size": 0}}'}, RemoteUnavailable),
    ({"body": b'{"MediaContainer": {"totalSize": 0, "Metadata": {}}}'}, RemoteUnavailable),
    ({"body": b"<html>Sign in</html>"}, RemoteUnavailable),
    ({"mangle": truncated}, RemoteUnavailable),
    ({"reset": True}, RemoteUnavailable),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS, ids=named)
async def test_each_failure_leaves_what_was_known(
    tmp_path: Path, fault: dict[str, Any], error: type[OndeckdError]
) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[0])
        home.plex.watchlists.add("Ben", home.show)
        await home.read("Ben")
        before = await home.store.run(demands.all_demands)
        home.plex.watchlists.of("Ben").clear()
        # Once without an ETag, as after a restart, and once with.
        for _ in range(2):
            home.plex.faults.http(LIST, **fault)
            with pytest.raises(error) as caught:
                await home.read("Ben")
            assert home.plex.people["Ben"].account_token not in str(caught.value)
            assert await home.store.run(demands.all_demands) == before
            home.plex.faults.clear()
            home.watchlist._discover._pages.clear()
            home.later()
        assert wanted(await home.read("Ben")) == {}


async def test_a_hiccup_is_tried_again(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ann", home.movies[0])
        home.plex.faults.http(LIST, status=503, times=2)
        assert list(wanted(await home.read())) == [home.movies[0]]


async def test_a_service_that_asks_for_patience_gets_it(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[0])
        home.plex.faults.http(LIST, status=429, headers={"Retry-After": "900"}, times=1)
        for one in ("Ann", "Ben"):
            with pytest.raises(RemoteBusy):
                await home.read(one)
        assert home.asked(LIST) == 1
        home.later(890)
        with pytest.raises(RemoteBusy):
            await home.read("Ben")
        assert home.asked(LIST) == 1
        home.later(11)
        assert list(wanted(await home.read("Ben"))) == [home.movies[0]]


@pytest.mark.parametrize(
    "path", ["/library/sections$", "/library/sections/2/all", r"/library/metadata/\d", "allLeaves"]
)
@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 401}, {"body": b""}, {"mangle": truncated}], ids=named)
async def test_each_failure_of_plex_itself_is_an_error(tmp_path: Path, path: str, fault: dict[str, Any]) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.show)
        await home.library.connect()
        home.plex.faults.http(path, **fault)
        with pytest.raises(PlexError):
            await home.read("Ben")
        home.plex.faults.clear()
        assert list(wanted(await home.read("Ben"))) == [home.show]


async def test_a_revoked_token_of_this_server_is_an_error_and_no_empty_list(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[0])
        home.plex.people.revoke("Ben")
        with pytest.raises(PlexUnauthorized):
            await home.read("Ben")


async def test_a_service_that_is_away_is_an_error(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.tables["plex"] = {"discover_url": "http://127.0.0.1:1"}
        with pytest.raises(RemoteUnavailable, match="cannot be reached"):
            await home.read()


async def test_a_batch_that_plex_answers_with_404_takes_no_wish_along(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        for key in home.movies:
            home.plex.watchlists.add("Ann", key)
        gone = home.movies[1]
        home.plex.faults.http(rf"/library/metadata/([\d,]*\b)?{gone}(,[\d,]*)?$", status=404)
        assert sorted(wanted(await home.read())) == sorted(set(home.movies) - {gone})


async def test_the_state_of_the_source_says_what_was_found_and_missed(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ann", home.show)
        home.plex.watchlists.add_other("Ann", "Elsewhere")
        await home.read()
        state = await home.store.run(lambda c: sources.state(c, DemandKind.WATCHLIST, "1"))
        assert (state.found, state.unmatched, state.problem) == (3, ("Elsewhere",), "")
