"""The planner: order, limits, protection."""

from __future__ import annotations

from dataclasses import replace

from daemon.config import Settings, build
from daemon.model import DemandKind, Holding, Plan, Room, Want
from daemon.planning.planner import Situation, plan
from tests.support.values import GB, NOW, demand, holding, room, want

DAY = 86_400.0
PLAYING = demand(DemandKind.PLAYING)
NEXT = demand(DemandKind.NEXT_UP, position=1)
WATCHLIST = demand(DemandKind.WATCHLIST)
RECENT = demand(DemandKind.RECENT)


def settings(**space: str) -> Settings:
    return build({"space": {"limit": "90%", "min_free": "0", "evict_to": "80%"} | space})


def planned(
    wants: list[Want] | None = None,
    holdings: list[Holding] | None = None,
    space: Room | None = None,
    rules: Settings | None = None,
    **more: object,
) -> Plan:
    situation = Situation(wants or [], holdings or [], {"TV": space or room()}, **more)  # type: ignore[arg-type]  # any field
    return plan(situation, rules or settings(), NOW)


def ins(plan: Plan) -> list[str]:
    return [one.file.plex_path.rsplit("/", 1)[1] for one in plan.cache_ins]


def outs(plan: Plan) -> list[str]:
    return [one.entry.file.plex_path.rsplit("/", 1)[1] for one in plan.evictions]


def test_what_plays_comes_before_what_is_next_before_what_is_wished() -> None:
    made = planned([want("c", WATCHLIST), want("b", NEXT), want("a", PLAYING)])

    assert ins(made) == ["a", "b", "c"]


def test_the_nearer_episode_comes_first() -> None:
    wants = [want(f"e{n}", demand(DemandKind.NEXT_UP, position=n)) for n in (3, 1, 2)]

    assert ins(planned(wants)) == ["e1", "e2", "e3"]


def test_a_file_that_nobody_wants_leaves_when_its_retention_is_over() -> None:
    made = planned(holdings=[holding("old"), holding("kept", keep=NOW + 60), holding("wanted", WATCHLIST)])

    assert outs(made) == ["old"]
    assert made.next_due == NOW + 60


def test_a_fresh_file_stays_for_min_stay_even_if_nobody_wants_it() -> None:
    made = planned(holdings=[holding("fresh", age=60)])

    assert outs(made) == []
    assert made.next_due == NOW - 60 + 12 * 3600


def test_nothing_leaves_while_nobody_can_say_what_plays() -> None:
    held = [holding("old")]

    assert outs(planned(holdings=held, sessions_known=False)) == []
    assert outs(planned(holdings=held)) == ["old"]


def test_a_file_that_plays_never_leaves() -> None:
    old = holding("old")
    made = planned([want("new", PLAYING, size=90 * GB)], [old], playing=frozenset({old.entry.file.array_path}))

    assert outs(made) == []


def test_a_wish_makes_room_by_what_deserves_its_place_less() -> None:
    low = holding("low", size=20 * GB, keep=NOW + 86_400)
    high = holding("high", demand(DemandKind.ON_DECK), size=20 * GB)
    made = planned([want("new", NEXT, size=15 * GB)], [high, low], room(free=20 * GB))

    assert outs(made)[0] == "low"
    assert "high" not in outs(made)
    assert [(one.file.plex_path[-3:], one.waits) for one in made.cache_ins] == [("new", True)]


def test_a_wish_does_not_push_out_what_deserves_its_place_more() -> None:
    held = [holding("deck", demand(DemandKind.ON_DECK), size=20 * GB)]
    made = planned([want("list", WATCHLIST, size=15 * GB)], held, room(free=20 * GB))

    assert (ins(made), outs(made)) == ([], [])
    assert [one.why for one in made.refused] == ["no room"]


def test_a_file_too_large_does_not_stop_smaller_ones() -> None:
    made = planned([want("huge", NEXT, size=500 * GB), want("small", WATCHLIST)])

    assert ins(made) == ["small"]
    assert [one.file.plex_path for one in made.refused] == ["/data/tv/huge"]


def test_nothing_is_evicted_for_a_wish_that_would_not_fit_even_then() -> None:
    held = [holding("low", size=GB, keep=NOW + 60)]
    made = planned([want("huge", PLAYING, size=500 * GB)], held)

    assert outs(made) == []


def test_min_stay_yields_to_what_plays_and_not_to_a_wish() -> None:
    fresh = holding("fresh", size=20 * GB, age=60)
    tight = room(free=12 * GB)

    assert outs(planned([want("new", NEXT, size=5 * GB)], [fresh], tight)) == ["fresh"]
    assert outs(planned([want("new", WATCHLIST, size=5 * GB)], [fresh], tight)) == []


def test_min_free_counts_everything_on_the_disk() -> None:
    rules = settings(min_free="79.5GB")

    assert ins(planned([want("a", NEXT)], rules=rules)) == []
    assert ins(planned([want("a", NEXT)], rules=settings(min_free="79GB"))) == ["a"]


def test_the_quota_counts_only_what_was_placed_here() -> None:
    rules = settings(quota="10GB")

    assert ins(planned([want("a", NEXT)], space=room(own=9 * GB), rules=rules)) == ["a"]
    assert ins(planned([want("a", NEXT, size=2 * GB)], space=room(own=9 * GB), rules=rules)) == []


def test_a_passed_limit_frees_retained_files_down_to_evict_to_and_no_further() -> None:
    held = [holding(f"r{n}", size=5 * GB, keep=NOW + (n + 1) * 86_400) for n in range(6)]
    made = planned(holdings=held, space=room(free=9 * GB, own=30 * GB))

    assert outs(made) == ["r0", "r1", "r2"]


def test_making_room_frees_retained_files_down_to_evict_to_so_that_the_next_wish_presses_nobody() -> None:
    held = [holding(f"r{n}", size=5 * GB, keep=NOW + (n + 1) * 86_400) for n in range(6)]
    made = planned([want("new", NEXT, size=5 * GB)], held, room(free=12 * GB, own=30 * GB))

    assert outs(made) == ["r0", "r1", "r2"]


def test_a_full_disk_that_is_within_the_limit_evicts_nothing_retained() -> None:
    assert outs(planned(holdings=[holding("r", keep=NOW + 60)], space=room(free=11 * GB))) == []


def test_demanded_files_leave_only_as_far_as_the_limit_itself_demands() -> None:
    held = [holding(f"d{n}", demand(DemandKind.WATCHLIST, position=5 - n), size=5 * GB) for n in range(4)]
    made = planned(holdings=held, space=room(free=4 * GB, own=20 * GB))

    assert len(outs(made)) == 2


def test_what_was_failed_is_left_alone_for_now() -> None:
    one = want("a", NEXT)
    made = planned([one], resting=frozenset({one.file.array_path}))

    assert ins(made) == []
    assert made.refused[0].file == one.file


def test_a_running_copy_is_neither_planned_again_nor_counted_twice() -> None:
    one = want("a", NEXT)

    assert ins(planned([one], running=frozenset({one.file.array_path}))) == []


def test_a_mapping_whose_cache_cannot_be_measured_takes_part_in_nothing() -> None:
    made = plan(Situation([want("a", NEXT)], [holding("old")], {}), settings(), NOW)

    assert made == Plan(next_due=None)


def test_a_pinned_file_never_leaves() -> None:
    pinned = holding("pin", demand(DemandKind.PINNED), size=80 * GB)
    made = planned([want("new", PLAYING, size=50 * GB)], [pinned], room(free=0, own=80 * GB))

    assert outs(made) == []


def test_what_nobody_wants_stays_until_its_room_is_needed_where_that_is_set() -> None:
    rules = build({"space": {"limit": "90%", "min_free": "0", "evict_to": "10%"}, "retention": {"until_needed": True}})
    held = [holding("older", age=9 * DAY), holding("old", age=8 * DAY)]

    assert outs(planned(holdings=held, rules=rules)) == []
    assert outs(planned([want("new", WATCHLIST, size=GB)], held, room(free=10 * GB, own=2 * GB), rules)) == ["older"]


def test_a_file_that_is_read_from_the_array_now_is_copied_for_nobody_who_wants_it_later() -> None:
    on_deck, playing = want("deck", demand(DemandKind.ON_DECK)), want("playing", PLAYING)
    paths = frozenset(one.file.array_path for one in (on_deck, playing))

    assert ins(planned([on_deck, playing], playing=paths)) == ["playing"]
    assert ins(planned([on_deck])) == ["deck"]


def test_a_wish_that_is_worth_hardly_more_pushes_nothing_out() -> None:
    listed, decked = demand(DemandKind.WATCHLIST), demand(DemandKind.ON_DECK, position=1)
    held = [holding("held", demand(DemandKind.ON_DECK, position=4))]

    assert outs(planned([want("new", decked)], held, room(free=10 * GB, own=GB))) == []
    assert outs(planned([want("new", decked)], [holding("held", listed)], room(free=10 * GB, own=GB))) == ["held"]


def test_nothing_leaves_for_a_show_with_which_nobody_goes_on() -> None:
    held = [holding("old", keep=NOW + DAY, size=60 * GB)]
    space = room(free=40 * GB, own=60 * GB)
    waiting, lively = (replace(demand(DemandKind.ON_DECK, position=1), since=NOW - days * DAY) for days in (4, 2))

    assert outs(planned([want("e", waiting, size=40 * GB)], held, space)) == []
    assert outs(planned([want("e", lively, size=40 * GB)], held, space)) == ["old"]


def test_disks_are_woken_for_what_is_next_and_not_for_what_may_wait() -> None:
    wants = [
        want("playing", PLAYING),
        want("next", demand(DemandKind.NEXT_UP, position=1)),
        want("after next", demand(DemandKind.NEXT_UP, position=2)),
        want("deck", demand(DemandKind.ON_DECK)),
        want("old deck", replace(demand(DemandKind.ON_DECK), since=NOW - 8 * DAY)),
        want("deck after", demand(DemandKind.ON_DECK, position=1)),
        want("listed", WATCHLIST),
    ]

    made = planned(wants)

    assert [name for name, one in zip(ins(made), made.cache_ins, strict=True) if one.urgent] == [
        "playing",
        "next",
        "deck",
        "listed",
    ]


def test_for_the_episode_after_the_next_no_disk_is_woken_though_what_is_worth_less_leaves_for_it() -> None:
    after_next = want("new", demand(DemandKind.NEXT_UP, position=2))
    made = planned([after_next], [holding("held", demand(DemandKind.ON_DECK))], room(free=10 * GB, own=GB))

    assert outs(made) == ["held"]
    assert [one.urgent for one in made.cache_ins] + [one.urgent for one in made.evictions] == [False, False]


def test_what_leaves_is_urgent_only_where_its_room_is_needed_soon() -> None:
    old = holding("old", size=30 * GB)
    tight = room(free=15 * GB, own=30 * GB)

    assert [one.urgent for one in planned(holdings=[old]).evictions] == [False]
    assert [one.urgent for one in planned([want("new", NEXT, size=20 * GB)], [old], tight).evictions] == [True]
    assert [one.urgent for one in planned([want("new", RECENT, size=20 * GB)], [old], tight).evictions] == [False]
