"""The power fails at any moment: what reached the disks is put in order at the next start, and no byte is lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests.support.files import LONG_AGO
from tests.support.judge import read
from tests.support.needs import needs_btrfs, needs_ext4, needs_root, needs_xfs
from tests.support.outage import KINDS, PLACEMENTS, Actions, Cut, House
from tests.support.power import disks

pytestmark = [needs_root, needs_ext4, needs_xfs, needs_btrfs]

VIDEOS = ("Show/Season 1/a.mkv", "Show/Season 1/b.mkv", "Film/c.mkv")
FILES = {**{name: name for name in VIDEOS}, "Show/Season 1/a.srt": VIDEOS[0], "Film/c.srt": VIDEOS[2]}
"""Every file, and the video that it comes and goes with."""

UNCACHED = ("original", "", "")
CACHED = {
    "union+keep": ("original", "", "original"),
    "union+backup": ("", "original", "original"),
    "union+remove": ("", "", "original"),
    "symlink+backup": ("link", "original", "original"),
    "symlink+remove": ("link", "", "original"),
}
"""What is at a file's three names (its own, its backup's, its copy's), by placement."""


class Trial:
    """Videos that come and go until the power fails."""

    def __init__(self, house: House, seed: int, actions: int) -> None:
        self.house = house
        self.random = Random(seed)
        self.wrong: list[str] = []
        self.actions = self._planned(actions)
        self._contents = {name: self.random.randbytes(self.random.randrange(1, 400_000)) for name in FILES}
        with house.disks.running():
            for name, content in self._contents.items():
                path, _, _ = house.names(name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                os.utime(path, ns=(LONG_AGO, LONG_AGO))

    def judge(self, cuts: list[Cut], sample: int) -> None:
        """Start again after each of some cuts, and see that all is there, is in order, and goes on."""
        for cut in self.random.sample(cuts, sample):
            with self.house.disks.restarted(cut.image):
                self._find(cut, "at once", self._unserved())
                self._act(cut, [("recover", "")])
                self._find(cut, "recovered", self._disordered(partial(allowed, self.actions, cut)))
                self._act(cut, [("evict", name) for name in VIDEOS])
                self._find(cut, "evicted", self._disordered(lambda _: {False}))
                self._act(cut, [("cache_in", name) for name in VIDEOS])
                self._find(cut, "cached again", self._disordered(lambda _: {True}))

    def _planned(self, count: int) -> Actions:
        cached: set[str] = set()
        actions = []
        for _ in range(count):
            name = self.random.choice(VIDEOS)
            actions.append(("evict" if name in cached else "cache_in", name))
            cached ^= {name}
        return actions

    def _act(self, cut: Cut, actions: Actions) -> None:
        self._find(cut, "acting", self.house.act(actions))

    def _find(self, cut: Cut, stage: str, wrong: list[str]) -> None:
        self.wrong += [f"{self.house.placement}, {cut.when}, {stage}: {line}" for line in wrong]

    def _unserved(self) -> list[str]:
        return [f"not served: {name}" for name, content in self._contents.items() if self.house.served(name) != content]

    def _disordered(self, expected: Callable[[str], set[bool]]) -> list[str]:
        rows = read(self.house.disks.root / "state")
        entered = {row["array_path"] for row in rows.entries}
        wrong = self._unserved() + self.house.strange(*FILES) + [f"in the journal: {row}" for row in rows.journal]
        for name, video in FILES.items():
            paths = self.house.names(name)
            cached = str(paths[0]) in entered
            found = tuple(self._at(path, name) for path in paths)
            if found != (CACHED[self.house.placement] if cached else UNCACHED) or cached not in expected(video):
                wrong.append(f"{name} is {'' if cached else 'not '}in the ledger, and on the disks is {found}")
        return wrong

    def _at(self, path: Path, name: str) -> str:
        if path.is_symlink():
            return "link" if path.readlink() == self.house.names(name)[2] else "a strange link"
        if not path.exists():
            return ""
        whole = path.read_bytes() == self._contents[name] and path.stat().st_mtime_ns == LONG_AGO
        return "original" if whole else "damaged"


def allowed(actions: Actions, cut: Cut, video: str) -> set[bool]:
    """Return whether a video may be cached: as was said last, and as anything says that may have begun since."""
    before = [action == "cache_in" for action, name in actions[: cut.done] if name == video]
    since = [action == "cache_in" for action, name in actions[cut.done : cut.begun] if name == video]
    return {*(before or [False])[-1:], *since}


any_kinds = pytest.mark.parametrize("kinds", KINDS, ids=lambda kinds: f"{kinds['array']} to {kinds['cache']}")
any_placement = pytest.mark.parametrize("placement", PLACEMENTS)


@any_placement
def test_after_a_power_cut_every_file_is_whole_and_in_its_place(
    tmp_path: Path, placement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = PLACEMENTS.index(placement)
    with disks(tmp_path, **KINDS[number % len(KINDS)]) as found:
        trial = Trial(House(found, placement), seed=number, actions=6)
        trial.judge(trial.house.cut_at_every_change(trial.actions, monkeypatch), sample=4)

    assert not trial.wrong, "\n".join(trial.wrong)


@pytest.mark.long
@pytest.mark.timeout(300)
@any_kinds
@any_placement
def test_after_a_power_cut_at_any_change_every_file_is_whole_and_in_its_place(
    tmp_path: Path, placement: str, kinds: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with disks(tmp_path, **kinds) as found:
        trial = Trial(House(found, placement), seed=KINDS.index(kinds), actions=6)
        trial.judge(trial.house.cut_at_every_change(trial.actions, monkeypatch), sample=16)

    assert not trial.wrong, "\n".join(trial.wrong)


@pytest.mark.long
@pytest.mark.timeout(300)
@any_kinds
@any_placement
def test_after_a_power_cut_at_full_speed_every_file_is_whole_and_in_its_place(
    tmp_path: Path, placement: str, kinds: dict[str, str]
) -> None:
    with disks(tmp_path, **kinds) as found:
        trial = Trial(House(found, placement), seed=KINDS.index(kinds), actions=300)
        trial.judge(trial.house.cut_at_random(trial.actions, trial.random, 8), sample=8)

    assert not trial.wrong, "\n".join(trial.wrong)
