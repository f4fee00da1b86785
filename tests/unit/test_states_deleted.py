"""A file that somebody has deleted on purpose: what was recorded goes, and nothing else ever does."""

from __future__ import annotations

import pytest

from daemon.model import Goal
from daemon.storage.states import DELETIONS, At, End, Seen, Step, decide, recover
from tests.unit.test_states import ALL_SEEN, PLACEMENTS

DELETING = {Step.DELETE_COPY, Step.DELETE_BACKUP, Step.DROP, Step.TIDY}
deletions = pytest.mark.parametrize("goal", sorted(DELETIONS))
everywhere = pytest.mark.parametrize("placement", PLACEMENTS)


@everywhere
@deletions
def test_only_what_is_as_recorded_is_deleted_and_never_what_the_media_path_shows(placement: str, goal: Goal) -> None:
    for seen in ALL_SEEN:
        step = decide(placement, goal, seen)
        if isinstance(step, End) or step is Step.TIDY:
            continue
        assert step in DELETING, f"{seen}: {step}"
        assert seen.original in {At.NOTHING, At.OTHER, At.NEWER}
        going = seen.backup if step is Step.DELETE_BACKUP else seen.copy
        assert going is At.RECORDED, f"{seen}: {step}"
        if placement in {"union+backup", "union+remove"} and seen.original is At.NOTHING:
            assert seen.copy is not At.RECORDED, "the union still shows it"


@everywhere
@deletions
def test_recovery_goes_on_with_a_deletion_and_ends_where_it_would_have(placement: str, goal: Goal) -> None:
    assert all(recover(placement, goal, seen) == decide(placement, goal, seen) for seen in ALL_SEEN)


@everywhere
def test_a_file_that_is_back_under_its_name_is_kept_with_all_that_is_left_of_it(placement: str) -> None:
    for seen in (one for one in ALL_SEEN if one.original in {At.RECORDED, At.LINK} and one.backup is not At.LINK):
        step = decide(placement, Goal.DELETED, seen)
        assert isinstance(step, End), f"{seen}: {step}"
        assert step.cached or At.RECORDED not in {seen.copy} | ({seen.backup} if "keep" not in placement else set())


@pytest.mark.parametrize("placement", PLACEMENTS[3:])
def test_what_is_set_aside_is_never_the_last_of_it_that_goes(placement: str) -> None:
    seen = Seen(At.NOTHING, At.RECORDED, At.RECORDED)
    assert decide(placement, Goal.SET_ASIDE, seen) is Step.DROP
    assert decide(placement, Goal.SET_ASIDE, Seen(At.NOTHING, At.RECORDED, At.NOTHING)) == End(
        cached=False, why="what stands under its name with .plexcached is kept"
    )
    alone = decide(placement, Goal.SET_ASIDE, Seen(At.NOTHING, At.NOTHING, At.RECORDED))
    assert isinstance(alone, End)
    assert alone.cached
    for one in ALL_SEEN:
        assert decide(placement, Goal.SET_ASIDE, one) not in {Step.DELETE_COPY, Step.DELETE_BACKUP}


@everywhere
def test_a_deletion_comes_to_its_end_in_a_few_steps(placement: str) -> None:
    after = {Step.DELETE_COPY: "copy", Step.DELETE_BACKUP: "backup", Step.DROP: "copy", Step.TIDY: "backup"}
    for seen in ALL_SEEN:
        now = {"original": seen.original, "backup": seen.backup, "copy": seen.copy}
        joined = seen.joined
        for _ in range(5):
            step = decide(placement, Goal.DELETED, Seen(**now, joined=joined))
            if isinstance(step, End):
                break
            now[after[step]] = At.NOTHING
            joined = joined and step is not Step.TIDY
        assert isinstance(step, End), f"{seen} goes on and on"
