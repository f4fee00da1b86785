"""``kill -9`` at every system call that changes a disk: what was interrupted is put in order, and no reader notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.injection import Actors, actors
from tests.support.kills import Call, calls, killed
from tests.support.matrix import VIDEO, Scene, quick_folder, union_below
from tests.support.needs import needs_strace
from tests.support.stage import PLACEMENTS
from tests.support.watcher import Watcher, watcher

pytestmark = needs_strace
_PROCESSES = 2

everywhere = pytest.mark.parametrize("placement", PLACEMENTS)
both_ways = pytest.mark.parametrize("action", ["cache_in", "evict"])


@dataclass
class Trial:
    """One scene with what it takes to kill in it; `part` of `_PROCESSES` of the calls are its own to be killed at."""

    scene: Scene
    action: str
    part: int
    actors: Actors
    watcher: Watcher
    kills: int = 0
    wrong: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Have the scene as it is before the action, and keep that."""
        self.scene.build()
        before = [] if self.action == "cache_in" else ["cache_in", VIDEO]
        self._run("recover", *before)
        self.scene.save(self.start)

    @property
    def start(self) -> Path:
        return self._folder / "start"

    @property
    def middle(self) -> Path:
        return self._folder / "middle"

    @property
    def _folder(self) -> Path:
        return self.scene.base / f"kept-{self.scene.name}"

    def calls(self, kept: Path, *actions: str) -> list[Call]:
        """Return the calls that these actions make, begun at what is kept."""
        self.scene.load(kept)
        outcome = self.actors.traced(self.scene.given, actions, [], self._trace)
        assert outcome.code == 0, outcome.said
        return calls(outcome, self.scene.base)

    def mine(self) -> list[Call]:
        """Return the calls of the action that are this trial's."""
        return self.calls(self.start, self.action, VIDEO)[self.part :: _PROCESSES]

    def kill(self, call: Call, *actions: str) -> None:
        """Kill the actions at a call, and judge what stands then."""
        self.kills += 1
        self.wrong += killed(self.actors, self.scene.given, list(actions), call, self._trace)
        self.wrong += self.scene.wrong()

    def recover(self) -> None:
        """Recover, and judge what stands then; a second recovery has nothing to do."""
        self._run("recover")
        self.wrong += self.scene.unsettled()
        before = self.scene.everything()
        self._run("recover")
        self.wrong += [f"the second recovery changed: {line}" for line in _changes(before, self.scene.everything())]

    def go_on(self) -> None:
        """Do again what was interrupted, and judge the end."""
        self._run(self.action, VIDEO)
        self.wrong += self.scene.unsettled() + self.scene.is_at(self.action)

    @contextmanager
    def judged(self, when: str, kept: Path) -> Iterator[None]:
        """Begin at what is kept, watched from then on; what is found wrong gets to say when that was."""
        self.scene.load(kept)
        before, self.wrong = self.wrong, []
        with self.watcher.watching(self.scene.watched(), self.wrong):
            yield
        self.wrong = before + [f"{when}: {line}" for line in self.wrong]

    def _run(self, *actions: str) -> None:
        outcome = self.actors.run(self.scene.given, *actions)
        self.wrong += [line for line in outcome.said if line.startswith("failed")]
        if outcome.code:
            self.wrong.append(f"{actions} ended with {outcome.code}")

    @property
    def _trace(self) -> Path:
        return self.scene.base / f"trace-{self.scene.name}"


def _changes(before: list[object], after: list[object]) -> list[str]:
    return [str(line) for line in [*before, *after] if (line in before) != (line in after)]


Crew = tuple[Actors, Watcher]
Attempt = Callable[[str, str, Callable[[Trial], None]], list[Trial]]


@pytest.fixture(scope="module")
def crews() -> Iterator[list[Crew]]:
    with ExitStack() as stack:
        yield [(stack.enter_context(actors()), stack.enter_context(watcher())) for _ in range(_PROCESSES)]


@pytest.fixture
def tried(crews: list[Crew]) -> Attempt:
    """Do some work in several trials at the same time, and return them."""

    def all_of_them(placement: str, action: str, work: Callable[[Trial], None]) -> list[Trial]:
        def one(part: int) -> Trial:
            trial = Trial(Scene(base, f"scene{part}", placement, mounted), action, part, *crews[part])
            trial.begin()
            work(trial)
            return trial

        with quick_folder() as base, union_below(base, placement) as mounted, ThreadPoolExecutor(_PROCESSES) as pool:
            return list(pool.map(one, range(_PROCESSES)))

    return all_of_them


def kill_at(trial: Trial, found: list[Call]) -> None:
    """Kill the action at each of these calls, recover, and go on."""
    for call in found:
        with trial.judged(f"killed at {call}", trial.start):
            trial.kill(call, trial.action, VIDEO)
            trial.recover()
            trial.go_on()


def demand_nothing_wrong(trials: list[Trial], *, kills: int) -> None:
    """Fail unless all these trials went well, and there were so many kills."""
    wrong = [line for trial in trials for line in trial.wrong]
    assert not wrong, "\n".join(wrong[:20])
    assert sum(trial.kills for trial in trials) >= kills
    assert all(trial.watcher.looks for trial in trials)


@everywhere
@both_ways
def test_a_kill_at_any_change_of_a_name_is_recovered_from(tried: Attempt, placement: str, action: str) -> None:
    def work(trial: Trial) -> None:
        kill_at(trial, [call for call in trial.mine() if call.renames])

    demand_nothing_wrong(tried(placement, action, work), kills=2)


@pytest.mark.long
@pytest.mark.timeout(900)
@everywhere
@both_ways
def test_a_kill_at_any_system_call_is_recovered_from(tried: Attempt, placement: str, action: str) -> None:
    trials = tried(placement, action, lambda trial: kill_at(trial, trial.mine()))

    demand_nothing_wrong(trials, kills=80)


@pytest.mark.long
@pytest.mark.timeout(900)
@everywhere
@both_ways
def test_a_recovery_that_is_killed_at_any_system_call_is_recovered_from(
    tried: Attempt, placement: str, action: str
) -> None:
    first_kills: dict[object, Call] = {}

    def work(trial: Trial) -> None:
        for first in trial.mine():
            with trial.judged(f"killed at {first}", trial.start):
                trial.kill(first, action, VIDEO)
            # Once for each state that a recovery may find.
            if first_kills.setdefault(trial.scene.shape(), first) is first:
                trial.scene.save(trial.middle)
                kill_recovery(trial, first)

    trials = tried(placement, action, work)

    demand_nothing_wrong(trials, kills=150)
    assert len(first_kills) > 5


def kill_recovery(trial: Trial, first: Call) -> None:
    """Kill the recovery from what is kept at each of its calls; recover again from each state that this leaves."""
    shapes = set()
    for call in trial.calls(trial.middle, "recover"):
        with trial.judged(f"killed at {first}, its recovery at {call}", trial.middle):
            trial.kill(call, "recover")
            if (shape := trial.scene.shape()) not in shapes:
                shapes.add(shape)
                trial.recover()
