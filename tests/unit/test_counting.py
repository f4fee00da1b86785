"""Which demands count, by each setting of their kind and of their user."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.config import build
from daemon.model import Demand, DemandKind, Retention
from daemon.planning.counting import NEVER, Counting
from tests.support.values import NOW

DAY = 86_400.0
ALICE, BOB = "1", "22"
TITLES = {ALICE: "Alice", BOB: "Bob"}


def until(
    kind: DemandKind,
    settings: dict[str, Any],
    *,
    user: str = BOB,
    position: int = 0,
    show: str = "100",
    last_plays: dict[str, float] | None = None,
) -> float | None:
    demand = Demand("7", kind, user, NOW, position=position, show=show)
    return Counting(build(settings), TITLES, last_plays or {}).until(demand)


@pytest.mark.parametrize("kind", DemandKind)
def test_without_limits_a_demand_that_is_switched_on_counts_for_as_long_as_it_stands(kind: DemandKind) -> None:
    settings = {
        "on_deck": {"max_age": "0"},
        "recent": {"enabled": True, "max_age": "0"},
        "trending": {"enabled": True, "client_id": "x"},
    }

    assert until(kind, settings) is None


@pytest.mark.parametrize("kind", [DemandKind.ON_DECK, DemandKind.WATCHLIST, DemandKind.RECENT, DemandKind.TRENDING])
def test_a_kind_that_is_switched_off_does_not_count(kind: DemandKind) -> None:
    assert until(kind, {str(kind): {"enabled": False}}) == NEVER


@pytest.mark.parametrize("kind", [DemandKind.ON_DECK, DemandKind.WATCHLIST, DemandKind.RECENT])
def test_a_demand_counts_until_it_is_older_than_its_kind_allows(kind: DemandKind) -> None:
    assert until(kind, {str(kind): {"enabled": True, "max_age": "3d"}}) == NOW + 3 * DAY


@pytest.mark.parametrize("kind", [DemandKind.ON_DECK, DemandKind.WATCHLIST])
@pytest.mark.parametrize("name", ["Bob", "bob", "22"])
def test_a_users_own_age_and_switch_go_before_those_of_all(kind: DemandKind, name: str) -> None:
    everybody = {str(kind): {"max_age": "3d"}}

    assert until(kind, everybody | {"users": {name: {f"{kind}_max_age": "1d"}}}) == NOW + DAY
    assert until(kind, everybody | {"users": {name: {str(kind): False}}}) == NEVER
    assert until(kind, everybody | {"users": {name: {str(kind): False}}}, user=ALICE) == NOW + 3 * DAY


@pytest.mark.parametrize("kind", [DemandKind.NEXT_UP, DemandKind.ON_DECK, DemandKind.WATCHLIST])
def test_nothing_that_an_excluded_user_wants_counts(kind: DemandKind) -> None:
    assert until(kind, {"users": {"exclude": ["bob"]}}) == NEVER


@pytest.mark.parametrize("kind", [DemandKind.NEXT_UP, DemandKind.ON_DECK, DemandKind.WATCHLIST])
def test_a_user_counts_until_inactive_and_one_who_was_never_seen_playing_counts(kind: DemandKind) -> None:
    settings = {"users": {"inactive_after": "2d"}, "on_deck": {"max_age": "0"}}

    assert until(kind, settings, last_plays={BOB: NOW - DAY}) == NOW + DAY
    assert until(kind, settings, last_plays={ALICE: NOW - 9 * DAY}) is None
    assert until(kind, {"on_deck": {"max_age": "0"}}, last_plays={BOB: NOW - 99 * DAY}) is None


def test_only_so_many_episodes_and_films_count_as_the_settings_say() -> None:
    assert until(DemandKind.ON_DECK, {"on_deck": {"episodes": 2, "max_age": "0"}}, position=2) is None
    assert until(DemandKind.ON_DECK, {"on_deck": {"episodes": 2, "max_age": "0"}}, position=3) == NEVER
    assert until(DemandKind.WATCHLIST, {"watchlist": {"episodes": 2}}, position=1) is None
    assert until(DemandKind.WATCHLIST, {"watchlist": {"episodes": 2}}, position=2) == NEVER
    assert until(DemandKind.WATCHLIST, {"watchlist": {"episodes": 0}}, show="") is None
    assert (
        until(DemandKind.TRENDING, {"trending": {"enabled": True, "movies": 2, "client_id": "x"}}, position=2, user="")
        == NEVER
    )


def test_what_plays_and_what_is_pinned_always_counts() -> None:
    settings = {"users": {"exclude": ["Bob"], "inactive_after": "1d"}}

    assert until(DemandKind.PLAYING, settings, last_plays={BOB: 0.0}) is None
    assert until(DemandKind.PINNED, settings, user="") is None


@pytest.mark.parametrize("kind", [DemandKind.ON_DECK, DemandKind.WATCHLIST, DemandKind.RECENT, DemandKind.NEXT_UP])
def test_what_was_evicted_by_hand_counts_again_only_by_a_newer_wish(kind: DemandKind) -> None:
    settings = build({"recent": {"enabled": True}})
    wish = Demand("7", kind, BOB, NOW)

    assert Counting(settings, TITLES, {}, {"7": NOW}).until(wish) == NEVER
    assert Counting(settings, TITLES, {}, {"7": NOW - 1, "8": NOW + 1}).until(wish) != NEVER


@pytest.mark.parametrize(("excluded", "ends"), [([], None), (["Bob"], NEVER), (["22"], NEVER), (["Alice"], None)])
def test_a_retention_counts_unless_its_user_is_excluded(excluded: list[str], ends: float | None) -> None:
    counting = Counting(build({"users": {"exclude": excluded, "inactive_after": "1d"}}), TITLES, {BOB: NOW - 9 * DAY})

    assert counting.until(Retention("7", BOB, NOW + DAY, "watched")) == ends
    assert counting.until(Retention("7", "", NOW + DAY, "asked for")) is None
