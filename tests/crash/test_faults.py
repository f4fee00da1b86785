"""Whichever call to a disk fails: no byte is lost, nothing is left behind, and the same again succeeds."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.errors import SourceChanged, TierUnavailable
from tests.support import placement
from tests.support.files import Tiers
from tests.support.injection import NAMING, Actors, Call, actors
from tests.support.needs import needs_strace
from tests.support.placement import E1
from tests.support.stage import NAME, PLACEMENTS, Stage

executor, tiers = placement.executor, placement.tiers

LACKING = ("renameat2:error=ENOSYS", "copy_file_range:error=ENOSYS")
"""What network file systems and FUSE do not know: the ways around it must be safe too."""
WAYS = {
    "all that Linux can": ((), ()),
    "names without renameat2": (LACKING, ()),
    "bytes with a checksum": ((), (("verify", "checksum"),)),
}


@dataclass(frozen=True)
class Start:
    """What an actor is to do on a stage as it was kept in a folder, and which action that is about."""

    kept: Path
    actions: tuple[str, ...]
    about: str


class Trials:
    """One stage on which calls fail, one in each trial. `always` are calls that fail in all of them."""

    def __init__(self, folder: Path, placement_: str, way: str, warm: Actors) -> None:
        self._folder = folder
        self._warm = warm
        self._always, more = WAYS[way]
        self.stage = Stage(folder / "stage", placement_, more)
        self.stage.build()
        self.stage.save(folder / "new")
        assert self._act(("cache_in", NAME)) == ["done cache_in"]
        self.stage.save(folder / "cached")
        self.starts = [
            Start(folder / "new", ("cache_in", NAME), "cache_in"),
            Start(folder / "cached", ("evict", NAME), "evict"),
        ]

    def interrupted(self) -> Iterator[Start]:
        """Kill at each call that changes a name, and return each recovery of that."""
        for number, start in enumerate(self.starts):
            for call in self.calls(start):
                if call.name in NAMING and ".probe" not in call.shown:
                    self.stage.load(start.kept)
                    self._traced(start.actions, f"{call.name}:signal=SIGKILL:when={call.nth}")
                    kept = self._folder / f"killed {number} {call.name} {call.nth}"
                    self.stage.save(kept)
                    yield Start(kept, ("recover",), start.about)

    def calls(self, start: Start) -> list[Call]:
        """Return the calls on the tiers that the actor makes from this start, if all goes well."""
        self.stage.load(start.kept)
        found = self._warm.traced(self.stage.given, start.actions, self._always, self._folder / "trace")
        known = {option.partition(":")[0] for option in self._always}
        return [call for call in found.calls(self.stage.root) if call.name not in known]

    def wrong(self, start: Start, call: Call, error: str) -> list[str]:
        """Let one call fail with an error; return what is wrong then, after recovery, and after another try."""
        stage = self.stage
        stage.load(start.kept)
        found = self._traced(start.actions, f"{call.name}:error={error}:when={call.nth}")
        wrong = [*found, *stage.wrong()]
        recovered = self._act(("recover",))
        wrong += [f"after recovery: {line}" for line in stage.unsettled()]
        again = self._act((start.about, NAME))
        wrong += [f"after another try: {line}" for line in stage.unsettled()]
        if (recovered, again) != (["done recover"], [f"done {start.about}"]) or not self._is_done(start.about):
            wrong.append(f"another try: {recovered}, {again}")
        return [f"{error} from {call.shown}: {line}" for line in wrong]

    def _traced(self, actions: Sequence[str], option: str) -> list[str]:
        found = self._warm.traced(self.stage.given, actions, (*self._always, option), self._folder / "trace")
        if "signal=" in option:
            return []
        name = option.partition(":")[0]
        hits = sum(line.startswith(f"{name}(") and "(INJECTED)" in line for line in found.traced)
        wrong = [] if hits == 1 else [f"{hits} calls have failed"]
        if found.code:
            wrong.append("an error that nobody foresaw")
        if f"done {actions[0]}" in found.said and actions[0] != "recover" and not self._is_done(actions[0]):
            wrong.append("it says that it is done")
        return wrong

    def _act(self, actions: Sequence[str]) -> list[str]:
        return self._warm.run(self.stage.given, *actions).said

    def _is_done(self, action: str) -> bool:
        return self.stage.is_cached() if action == "cache_in" else self.stage.is_uncached()


def chosen(calls: Sequence[Call], offset: int, stride: int) -> Iterator[tuple[Call, str]]:
    """Return some of the calls that change something, the errors in turn."""
    changing = [call for call in calls if call.changes and ".probe" not in call.shown]
    for turn, call in enumerate(changing[offset % stride :: stride], start=offset):
        errors = call.errors()
        yield call, errors[turn % len(errors)]


@pytest.mark.timeout(180)
@needs_strace
def test_whichever_change_fails_nothing_is_lost_and_the_next_try_succeeds(tmp_path: Path) -> None:
    wrong: list[str] = []
    tried = 0
    with actors() as warm:
        for turn, name in enumerate(PLACEMENTS):
            (folder := tmp_path / name).mkdir()
            trials = Trials(folder, name, list(WAYS)[turn % len(WAYS)], warm)
            for start in trials.starts:
                for call, error in chosen(trials.calls(start), turn, 9):
                    wrong += trials.wrong(start, call, error)
                    tried += 1
    assert wrong == []
    assert tried > 20


@pytest.mark.timeout(180)
@needs_strace
@pytest.mark.parametrize("name", ["symlink+backup", "union+remove"])
def test_a_recovery_in_which_a_call_fails_is_finished_by_the_next(tmp_path: Path, name: str) -> None:
    wrong: list[str] = []
    tried = 0
    with actors() as warm:
        trials = Trials(tmp_path, name, "names without renameat2", warm)
        for turn, start in enumerate(trials.interrupted()):
            for call, error in chosen(trials.calls(start), turn % 2, 9):
                wrong += trials.wrong(start, call, error)
                tried += 1
    assert wrong == []
    assert tried > 5


def half(folder: Path, name: str, way: str, *, recovery: bool, which: int) -> tuple[int, list[str]]:
    """Try every second call with the errors in turn, and what changes something with an error of the disk too."""
    wrong: list[str] = []
    tried = 0
    with actors() as warm:
        trials = Trials(folder, name, way, warm)
        for start in trials.interrupted() if recovery else trials.starts:
            for turn, call in enumerate(trials.calls(start)[which::2]):
                errors = call.errors()
                for error in {errors[turn % len(errors)], *errors[: call.changes and not recovery]}:
                    wrong += trials.wrong(start, call, error)
                    tried += 1
    return tried, wrong


@pytest.mark.long
@pytest.mark.timeout(600)
@needs_strace
@pytest.mark.parametrize(
    ("way", "what"), [*((way, "task") for way in WAYS), *((way, "recovery") for way in WAYS if "checksum" not in way)]
)
@pytest.mark.parametrize("name", PLACEMENTS)
def test_whichever_call_fails_nothing_is_lost_and_the_next_try_succeeds(
    tmp_path: Path, name: str, way: str, what: str
) -> None:
    folders = [tmp_path / "even", tmp_path / "odd"]
    with ThreadPoolExecutor(2) as both:
        for folder in folders:
            folder.mkdir()
        running = [
            both.submit(half, folder, name, way, recovery=what == "recovery", which=which)
            for which, folder in enumerate(folders)
        ]
        found = [one.result() for one in running]
    assert [line for _, lines in found for line in lines] == []
    assert sum(tried for tried, _ in found) > 50


class Syncs:
    """Counts how often each file is made durable, and fails the first time for one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
        self.of: dict[int, int] = {}
        self.failed = 0
        self._held: list[int] = []
        self._really = os.fsync
        self._suffix = suffix
        monkeypatch.setattr(os, "fsync", self._fsync)

    def _fsync(self, descriptor: int) -> None:
        found = os.fstat(descriptor).st_ino
        self.of[found] = self.of.get(found, 0) + 1
        if not self.failed and Path(f"/proc/self/fd/{descriptor}").readlink().name.endswith(self._suffix):
            self.failed = found
            # Held open, so that no other file gets its inode.
            self._held.append(os.dup(descriptor))
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._really(descriptor)

    def close(self) -> None:
        while self._held:
            os.close(self._held.pop())


async def test_a_copy_whose_fsync_failed_is_never_synced_again_but_made_anew(
    tiers: Tiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tiers.film()
    syncs = Syncs(monkeypatch, ".part")
    with pytest.raises(TierUnavailable):
        await tiers.cache_in(file)
    assert tiers.cached() == {}

    await tiers.cache_in(file)

    syncs.close()
    assert syncs.failed
    assert syncs.of[syncs.failed] == 1
    assert tiers.cached()[E1] == b"film"


async def test_a_copy_that_ends_early_is_no_copy(tiers: Tiers) -> None:
    file = tiers.film(content=b"film" * 100_000)

    def cut(operation: str, _reason: str) -> None:
        if operation == "read":
            os.truncate(file.array_path, 1000)

    tiers.when_touched = cut
    with pytest.raises(SourceChanged):
        await tiers.cache_in(file)
    assert tiers.cached() == {}
