"""A plan as people and programs are shown it."""

from __future__ import annotations

from dataclasses import replace

from daemon.model import DemandKind, Plan, PlannedCacheIn, PlannedEviction, Refusal
from daemon.views import plan_document
from tests.support.values import GB, NOW, demand, file, holding, room

USERS = {"1": "Ann", "22": "Ben"}
ANN = (demand(DemandKind.NEXT_UP, position=1),)
BEN = (demand(DemandKind.ON_DECK, user="22"),)

OLD = holding("old.mkv", size=3 * GB)
PLAN = Plan(
    cache_ins=(
        PlannedCacheIn(file("now.mkv", 2 * GB), 90, "next up", ANN),
        PlannedCacheIn(file("later.mkv"), 60, "on deck", BEN, urgent=False),
        PlannedCacheIn(file("film.mkv", 5 * GB, "Movies"), 70, "on deck", (*ANN, *BEN), waits=True),
    ),
    evictions=(PlannedEviction(OLD.entry, OLD.bytes + 7, 0, "nobody wants it"),),
    refused=(Refusal(file("large.mkv", 99 * GB), 45, "no room", BEN),),
    next_due=NOW,
    rooms={"TV": room(free=10 * GB), "Kids": room(free=10 * GB)},
)


def test_each_file_says_for_whom_why_and_when() -> None:
    said = plan_document(PLAN, USERS)

    assert [(one["plex_path"], one["text"], one["users"], one["when"]) for one in said["cache_in"]] == [
        ("/data/tv/now.mkv", "next up for Ann", ["Ann"], "now"),
        ("/data/tv/later.mkv", "on deck for Ben", ["Ben"], "when the array is awake"),
        ("/data/tv/film.mkv", "next up for Ann, on deck for Ben", ["Ann", "Ben"], "once there is room"),
    ]
    assert [(one["size"], one["why"], one["when"]) for one in said["evict"]] == [
        (3 * GB + 7, "nobody wants it", "when the array is awake")
    ]
    assert [(one["size"], one["why"], one["text"]) for one in said["refused"]] == [
        (99 * GB, "no room", "on deck for Ben")
    ]


def test_nothing_waits_for_disks_that_never_sleep() -> None:
    said = plan_document(PLAN, USERS, awake={"TV", "Movies"})

    assert {one["when"] for one in (*said["cache_in"], *said["evict"])} == {"now", "once there is room"}
    assert said["totals"]["waiting_files"] == 0


def test_totals_are_for_each_cache_and_in_all() -> None:
    said = plan_document(PLAN, USERS)
    tv, movies = said["caches"]

    assert tv == {
        "mappings": ["TV", "Kids"],
        "cache_in_files": 2,
        "cache_in_bytes": 3 * GB,
        "evict_files": 1,
        "evict_bytes": 3 * GB + 7,
        "total": 100 * GB,
        "free": 10 * GB,
        "free_after": 10 * GB + 7,
    }
    assert (movies["mappings"], movies["cache_in_bytes"], movies["free_after"]) == (["Movies"], 5 * GB, None)
    assert said["totals"] == {
        "cache_in_files": 3,
        "cache_in_bytes": 8 * GB,
        "evict_files": 1,
        "evict_bytes": 3 * GB + 7,
        "refused_files": 1,
        "refused_bytes": 99 * GB,
        "waiting_files": 2,
    }


def test_what_running_copies_still_write_is_not_free_afterwards() -> None:
    busy = Plan(rooms={"TV": replace(room(free=10 * GB), reserved=4 * GB)})
    (cache,) = plan_document(busy, {})["caches"]

    assert (cache["free"], cache["free_after"]) == (10 * GB, 6 * GB)


def test_an_empty_plan_is_a_document_too() -> None:
    said = plan_document(Plan(), {})

    assert (said["cache_in"], said["evict"], said["refused"], said["caches"]) == ([], [], [], [])
    assert said["next_change_at"] is None
