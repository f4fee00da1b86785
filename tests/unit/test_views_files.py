"""Why a file is on the cache, for whom and until when, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daemon import views
from daemon.model import Demand, DemandKind, Holding, Task, TaskKind, TaskState
from daemon.planning.scores import score
from daemon.web.figures import wish, wishes
from tests.support.values import NOW, demand, file, holding, want

USERS = {"1": "Ann", "22": "Ben"}
HOUR = 3600.0
STAY = 12 * HOUR


def row(held: Holding, leaving: Task | None = None) -> dict[str, Any]:
    return views.holding_row(held, USERS, STAY, NOW, leaving)


def task(kind: TaskKind, state: TaskState = TaskState.QUEUED, **more: Any) -> Task:
    return Task(7, kind, file("a.mkv"), state, 50, "nobody wants it", NOW, **more)


@pytest.mark.parametrize(
    ("kind", "user", "position", "text"),
    [
        (DemandKind.PLAYING, "1", 0, "playing for Ann"),
        (DemandKind.NEXT_UP, "1", 1, "next up for Ann"),
        (DemandKind.NEXT_UP, "1", 2, "next up for Ann (2 ahead)"),
        (DemandKind.NEXT_UP, "", 3, "next up (3 ahead)"),
        (DemandKind.ON_DECK, "22", 0, "on deck for Ben"),
        (DemandKind.ON_DECK, "22", 1, "on deck for Ben (1 ahead)"),
        (DemandKind.WATCHLIST, "22", 0, "on the watchlist of Ben"),
        (DemandKind.WATCHLIST, "404", 2, "on the watchlist of 404 (2 ahead)"),
        (DemandKind.PINNED, "", 0, "pinned"),
        (DemandKind.PINNED, "1", 0, "pinned by Ann"),
        (DemandKind.RECENT, "", 0, "recently added"),
        (DemandKind.TRENDING, "", 17, "trending"),
    ],
)
def test_each_kind_of_demand_has_its_words(kind: DemandKind, user: str, position: int, text: str) -> None:
    made = views.demand_row(demand(kind, user=user, position=position), USERS)

    assert made["text"] == text
    assert made["source"]


def test_a_demand_says_whence_since_when_and_until_when_it_is() -> None:
    made = views.demand_row(Demand("42", DemandKind.NEXT_UP, "1", NOW, NOW + HOUR, 1, "10", "p1"), USERS)

    assert made == {
        "rating_key": "42",
        "kind": "next_up",
        "user": "Ann",
        "since": "2027-01-15T08:00:00.000Z",
        "until": "2027-01-15T09:00:00.000Z",
        "position": 1,
        "source": "a play",
        "text": "next up for Ann",
    }


def test_demands_stand_in_the_order_of_their_weight_and_each_name_once() -> None:
    held = holding(
        "a.mkv",
        demand(DemandKind.WATCHLIST, user="22"),
        demand(DemandKind.ON_DECK, user="22", position=1),
        demand(DemandKind.NEXT_UP, position=2),
        demand(DemandKind.NEXT_UP, position=2, play="p2"),
        demand(DemandKind.TRENDING, user=""),
    )
    made = row(held)

    assert [one["kind"] for one in made["demands"]] == ["next_up", "next_up", "on_deck", "watchlist", "trending"]
    assert made["users"] == ["Ann", "Ben"]
    assert made["text"].startswith(
        "next up for Ann (2 ahead), on deck for Ben (1 ahead), on the watchlist of Ben, trending; "
    )


@pytest.mark.parametrize(
    ("held", "text"),
    [
        (holding("a.mkv", demand(DemandKind.ON_DECK)), "on deck for Ann; stays as long as that holds"),
        (
            holding("a.mkv", demand(DemandKind.ON_DECK), age=0.0),
            "on deck for Ann; stays as long as that holds, and until 2027-01-15 20:00 UTC at least",
        ),
        (
            holding("a.mkv", demand(DemandKind.NEXT_UP, position=1, until=NOW + 5 * HOUR)),
            "next up for Ann; stays until 2027-01-15 13:00 UTC",
        ),
        (
            holding("a.mkv", demand(DemandKind.NEXT_UP, position=1, until=NOW + 5 * HOUR), keep=NOW + 9 * HOUR),
            "next up for Ann; stays until 2027-01-15 17:00 UTC",
        ),
        (
            holding("a.mkv", demand(DemandKind.PINNED, user=""), demand(DemandKind.ON_DECK, until=NOW + 1)),
            "on deck for Ann, pinned; stays for good",
        ),
        (holding("a.mkv", keep=NOW + HOUR), "nobody wants it; stays until 2027-01-15 09:00 UTC"),
        (holding("a.mkv", age=11 * HOUR), "nobody wants it; stays until 2027-01-15 09:00 UTC"),
        (holding("a.mkv"), "nobody wants it; leaves when its room is needed, or the array is awake"),
    ],
)
def test_a_cached_file_says_until_when_it_stays(held: Holding, text: str) -> None:
    assert row(held)["text"] == text


def test_a_copy_for_a_play_that_was_taken_back_need_not_stay() -> None:
    fresh = holding("a.mkv", age=HOUR)
    waived = replace(fresh, entry=replace(fresh.entry, waived=True))

    assert (row(fresh)["keep_until"], row(fresh)["min_stay_until"]) == ("2027-01-15T19:00:00.000Z",) * 2
    assert (row(waived)["keep_until"], row(waived)["min_stay_until"]) == (None, None)


def test_the_score_and_its_breakdown_are_the_planners() -> None:
    held = holding("a.mkv", demand(DemandKind.ON_DECK, position=1), demand(DemandKind.ON_DECK, user="22"))
    rating = score(held.demands, NOW)

    assert (row(held)["score"], row(held)["why"]) == (rating.value, rating.why)


def test_a_file_that_leaves_says_so_and_by_which_task() -> None:
    leaving = row(holding("a.mkv"), task(TaskKind.EVICT))
    stuck = row(holding("a.mkv"), task(TaskKind.EVICT, TaskState.FAILED, finished_at=NOW, error="no space"))

    assert (leaving["state"], leaving["text"]) == ("evicting", "nobody wants it; is about to leave")
    assert (leaving["task"]["id"], leaving["task"]["why"]) == (7, "nobody wants it")
    assert (stuck["state"], stuck["error"]) == ("failed", "no space")
    assert stuck["text"] == "nobody wants it; could not be taken off"


@pytest.mark.parametrize(
    ("coming", "text"),
    [
        (task(TaskKind.CACHE_IN), "on deck for Ben; waits to be copied"),
        (task(TaskKind.CACHE_IN, urgent=False), "on deck for Ben; waits to be copied until the array is awake"),
        (task(TaskKind.CACHE_IN, TaskState.RUNNING, urgent=False), "on deck for Ben; is being copied"),
        (task(TaskKind.CACHE_IN, TaskState.FAILED), "on deck for Ben; could not be copied"),
    ],
)
def test_a_file_on_its_way_says_what_it_waits_for(coming: Task, text: str) -> None:
    wanted = want("a.mkv", demand(DemandKind.ON_DECK, user="22"))
    (made,) = views.file_rows([], [wanted], [coming], USERS, STAY, NOW)

    assert made["text"] == text
    assert made["users"] == ["Ben"]


def test_a_copy_that_was_asked_for_says_that() -> None:
    (made,) = views.file_rows([], [], [replace(task(TaskKind.CACHE_IN), why="asked for")], USERS, STAY, NOW)

    assert made["text"] == "asked for; waits to be copied"


def test_the_words_of_a_row_that_lacks_something_are_still_words() -> None:
    assert wish({}) == ""
    assert wish({"kind": "some_day", "user": "Ann", "position": 4}) == "some day for Ann"
    assert wishes([{"kind": "pinned"}, {"kind": "pinned"}, {"kind": "on_deck", "user": "Ann"}]) == (
        "pinned, on deck for Ann"
    )


def test_every_kind_of_row_has_the_same_fields() -> None:
    cached = row(holding("a.mkv"))
    (coming,) = views.file_rows([], [], [task(TaskKind.CACHE_IN)], USERS, STAY, NOW)

    assert cached.keys() == coming.keys()
