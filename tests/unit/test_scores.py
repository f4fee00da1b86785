"""The one score and its breakdown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.model import Demand, DemandKind
from daemon.planning.scores import score, score_held
from tests.support.values import GB, NOW, holding

DAY = 86_400.0


def wish(kind: DemandKind, *, position: int = 0, days: float = 0.0, user: str = "1") -> Demand:
    return Demand("7", kind, user, NOW - days * DAY, position=position)


@pytest.mark.parametrize(
    ("demand", "value", "why"),
    [
        (wish(DemandKind.PLAYING), 100, "playing 100"),
        (wish(DemandKind.PINNED, days=900), 95, "pinned 95"),
        (wish(DemandKind.NEXT_UP, position=1), 90, "next_up 93, 1 ahead -3"),
        (wish(DemandKind.NEXT_UP, position=40), 60, "next_up 93, 40 ahead -33"),
        (wish(DemandKind.ON_DECK), 70, "on_deck 70"),
        (wish(DemandKind.ON_DECK, position=2, days=10), 57, "on_deck 70, 2 ahead -6, 10 days old -7"),
        (wish(DemandKind.ON_DECK, position=99, days=999), 25, "on_deck 70, 99 ahead -20, 999 days old -25"),
        (wish(DemandKind.WATCHLIST, position=2, days=30), 38, "watchlist 45, 2 ahead -4, 30 days old -3"),
        (wish(DemandKind.WATCHLIST, position=99, days=999), 25, "watchlist 45, 99 ahead -10, 999 days old -10"),
        (wish(DemandKind.RECENT, days=4), 28, "recent 30, 4 days old -2"),
        (wish(DemandKind.TRENDING, position=9), 25, "trending 25"),
    ],
    ids=str,
)
def test_a_score_says_how_it_came_about(demand: Demand, value: int, why: str) -> None:
    found = score([demand], NOW)

    assert (found.value, found.why) == (value, why)


@pytest.mark.parametrize(("users", "value", "said"), [(2, 71, "1 more user +1"), (9, 74, "8 more users +4")])
def test_each_further_user_adds_a_little(users: int, value: int, said: str) -> None:
    found = score([wish(DemandKind.ON_DECK, user=str(user)) for user in range(users)], NOW)

    assert (found.value, found.why) == (value, f"on_deck 70, {said}")


def test_what_speaks_for_nobody_in_particular_is_no_further_user() -> None:
    found = score([wish(DemandKind.ON_DECK), wish(DemandKind.RECENT, user=""), wish(DemandKind.TRENDING, user="")], NOW)

    assert found.why == "on_deck 70"


def test_of_several_demands_the_best_counts() -> None:
    found = score([wish(DemandKind.ON_DECK, days=30), wish(DemandKind.WATCHLIST), wish(DemandKind.TRENDING)], NOW)

    assert found.why == "on_deck 70, 30 days old -21"


@pytest.mark.parametrize(
    ("days", "size", "value"), [(0, 1, 18), (0, 25, 11), (7, 2, 12), (7, 25, 5), (900, 100, 1), (0, 0, 20)]
)
def test_what_is_only_retained_is_worth_less_the_larger_it_is_and_the_longer_unused(
    days: float, size: int, value: int
) -> None:
    held = score_held(holding("7", size=size * GB, keep=NOW + DAY, age=days * DAY), NOW)

    assert (held.value, held.why) == (value, f"retained {value}: {size:.1f} GB, of use {days} days ago")


def test_a_play_counts_as_use() -> None:
    old = holding("7", keep=NOW + DAY, age=9 * DAY)
    played = replace(old, entry=replace(old.entry, last_played_at=NOW))

    assert score_held(played, NOW).value > score_held(old, NOW).value


def test_what_nothing_keeps_any_more_is_worth_nothing() -> None:
    assert score_held(holding("7", keep=NOW), NOW).value == 0
    assert score_held(holding("7"), NOW).why == "nobody wants it"


@pytest.mark.parametrize("kind", DemandKind)
def test_anything_that_somebody_wants_is_worth_more_than_anything_that_is_only_retained(kind: DemandKind) -> None:
    worst = replace(wish(kind, position=999, days=9999))

    assert score([worst], NOW).value > score_held(holding("7", size=1, keep=NOW + 99 * DAY, age=0), NOW).value
