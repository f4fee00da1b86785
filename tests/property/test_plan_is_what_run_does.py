"""What ``plan`` says is what ``run`` then does, and once that is done nothing is left to do: nothing flaps."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.model import (
    DemandKind,
)
from tests.support.planned import (
    EPISODES,
    House,
    Step,
    agrees,
    go_on,
    in_a_house,
    plex_answers,
    retain,
    somebody_else_takes,
    start,
    time_passes,
    unwish,
    wish,
)

NUMBERS = st.integers(0, len(EPISODES) - 1)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        wish,
        st.sampled_from([kind for kind in DemandKind if kind not in {DemandKind.PLAYING, DemandKind.NEXT_UP}]),
        st.sampled_from(["1", "22"]),
        NUMBERS,
        st.integers(0, 6),
        st.sampled_from([0, 0, 1, 5, 50]),
    ),
    st.builds(unwish, NUMBERS),
    st.builds(retain, NUMBERS, st.sampled_from([1, 5, 50])),
    st.builds(start, NUMBERS, ann=st.booleans()),
    st.builds(go_on, ann=st.booleans(), what=st.sampled_from(["confirmed", "paused", "stopped", "watched"])),
    st.builds(time_passes, st.sampled_from([0.005, 0.5, 3.0, 30.0, 400.0])),
    st.builds(plex_answers, yes=st.sampled_from([True, True, False])),
    st.builds(somebody_else_takes, st.sampled_from([0, 10, 40, 80])),
)
SPACES = st.builds(
    lambda limit, low, free, quota: {
        "limit": f"{limit}%",
        "evict_to": f"{min(low, limit)}%",
        "min_free": free,
        "quota": quota,
    },
    st.sampled_from([20, 50, 80, 100]),
    st.sampled_from([10, 45, 70, 100]),
    st.sampled_from(["0", "10GB", "30%"]),
    st.sampled_from(["0", "20GB", "50%"]),
)


RETENTIONS = st.fixed_dictionaries({"min_stay": st.sampled_from(["0", "2h"]), "until_needed": st.booleans()})


STORIES = st.tuples(
    SPACES,
    RETENTIONS,
    st.sampled_from([0, 10, 40, 80]),
    st.lists(NUMBERS, unique=True, max_size=5),
    st.lists(st.tuples(STEPS, st.booleans()), max_size=8),
    st.sampled_from([0, 0, 3]),
)
"""Settings, what somebody else and ondeckd have on the cache, what happens, each with whether it is waited out, and how
large the subtitles of each file are."""


def live(
    space: dict[str, str],
    retention: dict[str, Any],
    foreign: int,
    cached: list[int],
    steps: list[tuple[Step, bool]],
    sidecars: int = 0,
) -> None:
    async def story(house: House) -> None:
        await house.change()
        for step, to_the_end in steps:
            await step(house)
            await agrees(house)
            if to_the_end:
                await house.settle()
        await house.settle()

    asyncio.run(in_a_house(story, {"space": space, "retention": retention}, foreign, sidecars, cached))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(STORIES)
def test_the_queue_says_what_the_plan_says_and_ends_in_rest(story: Any) -> None:
    live(*story)


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(deadline=None, max_examples=500)
@given(STORIES)
def test_it_does_so_in_any_story(story: Any) -> None:
    live(*story)


def space_of(limit: str) -> dict[str, str]:
    return {"limit": limit, "evict_to": "10%", "min_free": "0", "quota": "0"}


@pytest.mark.parametrize(
    ("limit", "min_stay", "cached", "steps"),
    [
        pytest.param(
            "50%",
            "2h",
            [0, 2],
            [(start(1, ann=False), True), (somebody_else_takes(10), False)],
            id="what is next up is spared, and no more than needed leaves for it",
        ),
        pytest.param(
            "20%",
            "2h",
            [],
            [(start(0, ann=False), False), (go_on(ann=False, what="watched"), False)],
            id="a copy that waits for what was watched gives way",
        ),
        pytest.param(
            "50%",
            "0",
            [],
            [(start(0, ann=False), True), (unwish(0), False), (go_on(ann=False, what="watched"), False)],
            id="an event looks at what it gives free itself",
        ),
    ],
)
def test_stories_that_once_had_no_end(limit: str, min_stay: str, cached: list[int], steps: list[Any]) -> None:
    live(space_of(limit), {"min_stay": min_stay}, 0, cached, steps)


@pytest.mark.parametrize("cached", [[], [2]], ids=["it comes for the first time", "it was here before"])
def test_subtitles_do_not_make_a_file_take_turns_with_itself(cached: list[int]) -> None:
    # What was here leaves before it is wanted; with its subtitles it is larger than the room there is from then on.
    before: list[tuple[Step, bool]] = [(time_passes(3.0), True), (somebody_else_takes(10), True)]
    steps = [(wish(DemandKind.ON_DECK, "1", 0, 0, 0), False), (start(0, ann=False), True), (time_passes(3.0), False)]
    live(space_of("20%"), {"min_stay": "2h"}, 0, cached, [*before, *steps], sidecars=3)


def test_what_makes_room_takes_its_subtitles_along_also_in_an_events_plan() -> None:
    space = {**space_of("50%"), "quota": "20GB"}
    steps = [(wish(DemandKind.ON_DECK, "1", 4, 0, 0), False)]
    live(space, {"min_stay": "0", "until_needed": True}, 0, [0, 1], steps, sidecars=3)
