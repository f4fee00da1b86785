"""Each key of [on_deck], [watchlist], [recent] and [trending] at one value and at another, in whole daemons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.flips import Flip, Stage, each, each_key, from_the_start, while_it_runs

ON_DECK = {"on_deck": {"enabled": True, "episodes": 1, "max_age": "0"}}
WATCHLIST = {"watchlist": {"enabled": True, "episodes": 1}}
RECENT = {"recent": {"enabled": True, "watched_shows_only": False}}
NEW = {"m3", "a8", "b8"}


def _ben_is_amid_a_show(house: Stage) -> None:
    house.began("Ben", "a2", days=10)


def _ann_has_listed(house: Stage) -> None:
    house.listed("Ann", "m1", days=10)
    house.listed("Ann", "a", days=10)


def _cleo_has_a_feed(house: Stage) -> None:
    house.listed("Ann", "m1")
    house.listed("Cleo", "m2")
    house.plex.watchlists.private.add(house.id("Cleo"))


def _feed(house: Stage) -> list[str]:
    return [house.plex.url + house.plex.watchlists.feed("Cleo")]


def _some_is_new(house: Stage) -> None:
    house.added("m3", days=2)
    house.added("b8", days=2)
    house.added("a8", days=2)
    house.added("a7", days=10)
    house.saw("Ben", "b1", days=3)


def _nothing(_: Stage) -> None:
    """Leave the house as it is."""


def _charts(house: Stage) -> dict[str, Any]:
    return {"enabled": True, "url": house.charts.url, "client_id": house.charts.client, "movies": 2}


TRENDING = {"trending": _charts}

FLIPS = [
    Flip("on_deck.enabled", {True: {"a2", "a3"}, False: set()}, _ben_is_amid_a_show, ON_DECK),
    Flip("on_deck.episodes", {0: {"a2"}, 2: {"a2", "a3", "a4"}, 1: {"a2", "a3"}}, _ben_is_amid_a_show, ON_DECK),
    Flip("on_deck.max_age", {"30d": {"a2", "a3"}, "3d": set(), "0": {"a2", "a3"}}, _ben_is_amid_a_show, ON_DECK),
    Flip("watchlist.enabled", {True: {"m1", "a1"}, False: set()}, _ann_has_listed, WATCHLIST),
    Flip("watchlist.episodes", {0: {"m1"}, 2: {"m1", "a1", "a2"}, 1: {"m1", "a1"}}, _ann_has_listed, WATCHLIST),
    Flip("watchlist.max_age", {"30d": {"m1", "a1"}, "3d": set(), "0": {"m1", "a1"}}, _ann_has_listed, WATCHLIST),
    Flip("watchlist.rss", [([], {"m1"}), (_feed, {"m1", "m2"})], _cleo_has_a_feed, WATCHLIST),
    Flip("recent.enabled", {True: NEW, False: set()}, _some_is_new, RECENT),
    Flip(
        "recent.max_age", {"7d": {"m3", "a8", "b8"}, "1d": set(), "30d": {"m3", "a7", "a8", "b8"}}, _some_is_new, RECENT
    ),
    Flip(
        "recent.watched_shows_only",
        {True: {"b2", "b8"}, False: {"b2", "b8", "m3", "a8"}},
        _some_is_new,
        RECENT | {"on_deck": {"enabled": True, "episodes": 0}},
    ),
    Flip("trending.enabled", {True: {"m1", "m2"}, False: set()}, _nothing, TRENDING),
    Flip(
        "trending.url",
        [(lambda house: house.charts.url, {"m1", "m2"}), (lambda house: house.other_charts.url, {"m3"})],
        _nothing,
        TRENDING,
    ),
    # What Trakt said before it refuses stands.
    Flip("trending.client_id", {"somebody-else": set(), "demo-client": {"m1", "m2"}}, _nothing, TRENDING, back=False),
    Flip("trending.movies", {2: {"m1", "m2"}, 1: {"m1"}, 0: set()}, _nothing, TRENDING),
]


@each(FLIPS)
async def test_a_source_delivers_what_its_keys_say(tmp_path: Path, flip: Flip, step: tuple[Any, set[str]]) -> None:
    await from_the_start(tmp_path, flip, step)


@pytest.mark.long
@each_key(FLIPS)
async def test_a_changed_key_of_a_source_counts_at_once(tmp_path: Path, flip: Flip) -> None:
    await while_it_runs(tmp_path, flip)
