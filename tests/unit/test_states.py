"""Every combination of what can stand at the three names: each has an answer, and no answer loses anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product

import pytest

from daemon.model import Goal
from daemon.storage import states
from daemon.storage.states import COPYING, At, End, Seen, Step, decide, recover

PLACEMENTS = ("union+keep", "union+backup", "union+remove", "symlink+backup", "symlink+remove")
ALL_SEEN = [Seen(original, backup, copy, both) for original, backup, copy, both in product(At, At, At, (False, True))]
MOST_STEPS = 8

GOALS = (Goal.CACHED, Goal.UNCACHED)
"""Those of a file that nobody has deleted."""

everywhere = pytest.mark.parametrize("placement", PLACEMENTS)
Decide = Callable[[str, Goal, Seen], Step | End]

OLD, NEW, OTHER, THEIRS, LINK = "recorded", "written to the copy", "put over the original", "somebody's", "our link"
ORIGINALS = (None, OLD, NEW, OTHER, THEIRS, LINK)
BACKUPS = (None, OLD, OTHER, THEIRS, LINK)
COPIES = (None, OLD, NEW, THEIRS)


@dataclass(frozen=True)
class Disks:
    """What stands at the three names, in words. `joined`: the first two are one file."""

    original: str | None
    backup: str | None
    copy: str | None
    joined: bool = False

    def seen(self) -> Seen:
        """Return what a look at them amounts to."""
        first = {None: At.NOTHING, OLD: At.RECORDED, OTHER: At.OTHER, THEIRS: At.FOREIGN, LINK: At.LINK}
        # Only beside a copy that was changed can it be told that a file is the same as that.
        original = first | {NEW: At.NEWER if self.copy == NEW else At.OTHER}
        copy = {None: At.NOTHING, OLD: At.RECORDED, NEW: At.NEWER, THEIRS: At.FOREIGN}
        return Seen(original[self.original], first[self.backup], copy[self.copy], joined=self.joined)

    def versions(self) -> set[str]:
        """Return what would be a loss."""
        return {at for at in (self.original, self.backup, self.copy) if at not in (None, LINK)}

    def shown(self, placement: str) -> str | None:
        """Return what Plex reads."""
        if placement.startswith("union") and self.copy:
            return self.copy
        return self.copy if self.original == LINK else self.original

    def after(self, step: Step) -> Disks:
        """Return what they are once a step is done."""
        aside: dict[str, str | None] = {"backup": OLD} if self.original == OLD else {}
        changed: dict[Step, dict[str, str | None]] = {
            Step.HIDE: {"original": None, "backup": self.original},
            Step.LINK: {"original": LINK, "backup": self.original},
            Step.RESTORE: {"original": self.backup, "backup": None},
            Step.REMOVE: {"backup": None},
            Step.TIDY: {"backup": None},
            Step.COPY_BACK: {"original": self.copy} | aside,
            Step.PARK: {"backup": self.copy},
            Step.DROP: {"copy": None},
        }
        names = {"original": self.original, "backup": self.backup, "copy": self.copy}
        return Disks(**names | changed[step], joined=self.joined and step in {Step.COPY_BACK, Step.PARK, Step.DROP})


def all_disks() -> Iterator[Disks]:
    for original, backup, copy in product(ORIGINALS, BACKUPS, COPIES):
        yield Disks(original, backup, copy)
        if original is not None and original == backup:
            yield Disks(original, backup, copy, joined=True)


def allowed(step: Step, placement: str, goal: Goal, seen: Seen) -> bool:
    """Say whether a step may be done in a state, by rules that know nothing of how it is chosen."""
    serve, _, kept = placement.partition("+")
    original, backup, copy = seen.original, seen.backup, seen.copy
    free, unnamed = original in {At.NOTHING, At.LINK}, backup is At.NOTHING or seen.joined
    pair = (original, copy)
    fresh = pair == (At.RECORDED, At.RECORDED)
    second = backup is At.RECORDED and kept != "keep"
    rules = {
        Step.HIDE: fresh and unnamed and serve == "union" and kept != "keep" and goal is Goal.CACHED,
        Step.LINK: fresh and (unnamed or backup is At.LINK) and serve == "symlink" and goal is Goal.CACHED,
        Step.REMOVE: free and kept == "remove" and goal is Goal.CACHED and (backup, copy) == (At.RECORDED, At.RECORDED),
        Step.RESTORE: backup is At.RECORDED and (free or original is At.RECORDED) and not seen.joined,
        Step.TIDY: seen.joined or backup is At.LINK,
        Step.COPY_BACK: (free and (copy is At.NEWER or (copy is At.RECORDED and not second)))
        or (pair == (At.RECORDED, At.NEWER) and unnamed),
        Step.PARK: original in {At.OTHER, At.NEWER} and (backup, copy) == (At.NOTHING, At.RECORDED),
        Step.DROP: fresh or pair == (At.NEWER, At.NEWER) or (backup, copy) == (At.RECORDED, At.RECORDED),
    }
    return rules[step] and not (step in COPYING and goal is Goal.CACHED)


@everywhere
@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("answer", [decide, recover])
def test_whatever_stands_there_has_an_answer_and_each_step_is_allowed_by_what_stands_there(
    placement: str, goal: Goal, answer: Decide
) -> None:
    for seen in ALL_SEEN:
        step = answer(placement, goal, seen)
        wanted = Goal.CACHED if answer is recover else goal
        assert isinstance(step, End) or allowed(step, placement, wanted, seen), f"{seen}: {step}"


@everywhere
@pytest.mark.parametrize("goal", GOALS)
def test_recovery_never_copies(placement: str, goal: Goal) -> None:
    assert all(recover(placement, goal, seen) not in COPYING for seen in ALL_SEEN)


@pytest.mark.parametrize("goal", GOALS)
def test_where_originals_are_kept_what_stands_at_the_backups_name_is_never_touched(goal: Goal) -> None:
    for seen in (one for one in ALL_SEEN if one.backup is not At.NOTHING):
        assert decide("union+keep", goal, seen) not in {Step.REMOVE, Step.TIDY, Step.RESTORE, Step.HIDE, Step.LINK}


def walk(disks: Disks, placement: str, goal: Goal, answer: Decide) -> list[Disks | End]:
    """Return every state on the way to a goal, and how it ends."""
    way: list[Disks | End] = [disks]
    for _ in range(MOST_STEPS + 1):
        step = answer(placement, goal, disks.seen())
        if isinstance(step, End):
            return [*way, step]
        disks = disks.after(step)
        way.append(disks)
    raise AssertionError(f"it goes on and on: {way}")


def walks(placement: str) -> Iterator[tuple[Goal, Decide, list[Disks], End]]:
    """Give each walk from each state, to each goal, its end apart."""
    for disks, goal, answer in product(all_disks(), GOALS, (decide, recover)):
        *way, end = walk(disks, placement, goal, answer)
        assert isinstance(end, End)
        yield goal, answer, [one for one in way if isinstance(one, Disks)], end


@everywhere
def test_no_walk_loses_a_version_at_any_step(placement: str) -> None:
    for _, _, way, _ in walks(placement):
        assert all(one.versions() == way[0].versions() for one in way), way


@everywhere
def test_on_no_walk_the_media_path_is_ever_without_content_that_had_some(placement: str) -> None:
    for _, _, way, _ in walks(placement):
        shown = [one.shown(placement) for one in way]
        # Where nothing was served there may be something now, and from then on there always is.
        begun = next((index for index, content in enumerate(shown) if content), len(shown))
        assert all(shown[begun:]), way


def newest(disks: Disks) -> str | None:
    """Return the version that should get the media path, None where that cannot be told or done."""
    if THEIRS in (disks.original, disks.copy):
        return None
    if disks.original in (None, LINK):
        return disks.copy or (OLD if disks.backup == OLD else None)
    if disks.copy in (None, OLD) or disks.original == disks.copy:
        return disks.original
    return disks.copy if disks.original == OLD else None


@everywhere
def test_a_walk_home_gives_the_newest_version_the_media_path_or_says_why_not(placement: str) -> None:
    for goal, answer, way, end in walks(placement):
        if goal is not Goal.UNCACHED or answer is not decide or end.cached:
            continue
        first, last = way[0], way[-1]
        assert last.copy is None
        wanted = newest(first)
        if placement == "union+keep" and first.original is None and first.copy is None:
            wanted = None  # nobody has put aside what stands under the backup's name
        untouched = replace(last, backup=first.backup, joined=first.joined) == first
        assert last.original == wanted or (wanted is None and untouched), way
        assert end.why or last.original


@everywhere
def test_what_cannot_be_decided_changes_nothing_and_is_said(placement: str) -> None:
    for goal, answer, way, end in walks(placement):
        if goal is not Goal.UNCACHED or answer is not decide or not end.cached:
            continue
        # Of a second name of one file, or of a link that leads nowhere new, the other one is left.
        assert replace(way[-1], backup=way[0].backup, joined=way[0].joined) == way[0], way
        assert end.why


@everywhere
def test_a_walk_home_fails_only_where_two_versions_claim_the_name_or_a_name_that_is_needed_is_taken(
    placement: str,
) -> None:
    for goal, answer, way, end in walks(placement):
        if goal is not Goal.UNCACHED or answer is not decide or not end.cached:
            continue
        first = way[0]
        foreign = THEIRS in (first.original, first.copy)
        nothing_left = first.original == LINK and first.copy is None
        both_changed = first.original in (OTHER, NEW) and first.copy == NEW
        free = (None,) if placement == "union+keep" else (None, LINK)
        taken = first.original != first.copy and first.backup not in free
        assert foreign or nothing_left or both_changed or taken, way


def _seen(original: At, backup: At, copy: At) -> Seen:
    return Seen(original, backup, copy)


def table() -> dict[str, tuple[Seen, Seen]]:
    """Return the settled states of each placement, cached and not, as the module's docstring has them."""
    words = {"our link": At.LINK, "recorded": At.RECORDED, "nothing": At.NOTHING}
    found = {}
    for line in (states.__doc__ or "").splitlines():
        placement, *cells = [cell.strip() for cell in line.split("  ") if cell.strip()] or [""]
        if placement.strip("`") in PLACEMENTS:
            cached, uncached = (_seen(*(words[word.strip()] for word in cell.split(","))) for cell in cells)
            found[placement.strip("`")] = (cached, uncached)
    return found


@everywhere
def test_a_fresh_copy_settles_as_the_table_says_and_goes_back_the_same_way(placement: str) -> None:
    cached, uncached = table()[placement]
    *_, settled, there = walk(Disks(OLD, None, OLD), placement, Goal.CACHED, decide)
    assert isinstance(settled, Disks)
    *_, home, back = walk(settled, placement, Goal.UNCACHED, decide)
    assert isinstance(home, Disks)

    assert settled.seen() == cached
    assert home.seen() == uncached
    assert (there, back) == (End(cached=True), End(cached=False))


@everywhere
def test_a_walk_that_is_cut_off_anywhere_settles_as_the_table_says(placement: str) -> None:
    cached, uncached = table()[placement]
    settled = Disks(OLD, None, OLD)
    for goal in GOALS:
        *way, _ = walk(settled, placement, goal, decide)
        for disks in way:
            assert isinstance(disks, Disks)
            *_, last, end = walk(disks, placement, goal, recover)
            assert isinstance(last, Disks)
            assert isinstance(end, End)
            assert last.seen() == (cached if end.cached else uncached)
            assert not end.why
            settled = disks if goal is Goal.CACHED else settled
