"""The queue under any sequence of calls, compared with two dictionaries."""

from __future__ import annotations

import sqlite3

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from daemon.model import TaskKind, TaskState
from daemon.state import tasks
from daemon.state.schema import migrate
from tests.support.values import NOW, file

names = st.sampled_from("abc")
kinds = st.sampled_from(TaskKind)


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self.connection)
        self.waiting: dict[str, TaskKind] = {}
        self.running: dict[str, tuple[int, TaskKind]] = {}

    def teardown(self) -> None:
        self.connection.close()

    @rule(name=names, kind=kinds, priority=st.integers(0, 100))
    def put(self, name: str, kind: TaskKind, priority: int) -> None:
        tasks.put(self.connection, tasks.NewTask(kind, file(name), priority, "why"), NOW)
        runs = self.running[name][1] if name in self.running else None
        if runs is kind and self.waiting.get(name) is not kind:
            self.waiting.pop(name, None)
        else:
            self.waiting[name] = kind

    @rule(kind=kinds)
    def claim(self, kind: TaskKind) -> None:
        found = tasks.claim(self.connection, kind, NOW)
        free = {name for name, waits in self.waiting.items() if waits is kind and name not in self.running}
        assert (found is not None) == bool(free)
        if found:
            name = found.file.plex_path.rsplit("/", 1)[1]
            assert name in free
            del self.waiting[name]
            self.running[name] = found.id, kind

    @rule(name=names, state=st.sampled_from([TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED]))
    def finish(self, name: str, state: TaskState) -> None:
        if name in self.running:
            tasks.finish(self.connection, self.running.pop(name)[0], state, NOW)

    @rule(name=names)
    def put_back(self, name: str) -> None:
        if name in self.running:
            task_id, kind = self.running.pop(name)
            tasks.put_back(self.connection, task_id, NOW, error="", spent=True)
            self.waiting.setdefault(name, kind)

    @rule()
    def restart(self) -> None:
        tasks.requeue_running(self.connection, NOW)
        for name, (_, kind) in self.running.items():
            self.waiting.setdefault(name, kind)
        self.running.clear()

    @invariant()
    def the_rows_are_the_dictionaries(self) -> None:
        queued = tasks.in_state(self.connection, TaskState.QUEUED)
        running = tasks.in_state(self.connection, TaskState.RUNNING)
        assert {task.file.plex_path[-1]: task.kind for task in queued} == self.waiting
        assert {task.file.plex_path[-1]: (task.id, task.kind) for task in running} == self.running


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
