"""The queue's merge table and its rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.model import TaskKind, TaskState
from daemon.state import tasks
from daemon.state.store import Store
from daemon.state.tasks import Merge, NewTask, merge
from tests.support.values import NOW, file

IN, OUT = TaskKind.CACHE_IN, TaskKind.EVICT


@pytest.mark.parametrize(
    ("new", "waiting", "running", "expected"),
    [
        (IN, None, None, Merge.ADD),
        (IN, IN, None, Merge.RAISE),
        (IN, OUT, None, Merge.REPLACE),
        (IN, None, IN, Merge.DROP),
        (IN, None, OUT, Merge.ADD),
        (IN, IN, IN, Merge.RAISE),
        (IN, IN, OUT, Merge.RAISE),
        (IN, OUT, IN, Merge.CANCEL_WAITING),
        (IN, OUT, OUT, Merge.REPLACE),
        (OUT, None, None, Merge.ADD),
        (OUT, OUT, None, Merge.RAISE),
        (OUT, IN, None, Merge.REPLACE),
        (OUT, None, OUT, Merge.DROP),
        (OUT, None, IN, Merge.ADD),
        (OUT, IN, OUT, Merge.CANCEL_WAITING),
        (OUT, IN, IN, Merge.REPLACE),
        (OUT, OUT, IN, Merge.RAISE),
    ],
)
def test_a_new_task_meets_what_waits_and_runs_as_the_table_says(
    new: TaskKind, waiting: TaskKind | None, running: TaskKind | None, expected: Merge
) -> None:
    assert merge(new, waiting, running) is expected


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path) as opened:
        yield opened


def cache_in(name: str, priority: int = 50, *, forced: bool = False) -> NewTask:
    return NewTask(IN, file(name), priority, "next_up", forced)


async def test_the_highest_priority_is_claimed_first_and_a_busy_file_waits(store: Store) -> None:
    await store.run(lambda c: (tasks.put(c, cache_in("low", 1), NOW), tasks.put(c, cache_in("high", 9), NOW)))

    first = await store.run(lambda c: tasks.claim(c, IN, NOW))
    assert first is not None
    assert first.file.plex_path == "/data/tv/high"
    await store.run(lambda c: tasks.put(c, NewTask(OUT, file("high"), 99, "evict"), NOW))

    assert await store.run(lambda c: tasks.claim(c, OUT, NOW)) is None
    await store.run(lambda c: tasks.finish(c, first.id, TaskState.SUCCEEDED, NOW))
    assert await store.run(lambda c: tasks.claim(c, OUT, NOW)) is not None


async def test_a_held_mapping_and_a_task_put_off_are_not_claimed(store: Store) -> None:
    await store.run(lambda c: tasks.put(c, cache_in("a"), NOW))

    assert await store.run(lambda c: tasks.claim(c, IN, NOW, held=["TV"])) is None
    claimed = await store.run(lambda c: tasks.claim(c, IN, NOW))
    assert claimed is not None
    await store.run(lambda c: tasks.put_back(c, claimed.id, NOW, not_before=NOW + 5, error="x", spent=True))
    assert await store.run(lambda c: tasks.claim(c, IN, NOW + 4)) is None
    assert await store.run(lambda c: tasks.next_wait(c, NOW)) == NOW + 5
    again = await store.run(lambda c: tasks.claim(c, IN, NOW + 5))
    assert again is not None
    assert (again.id, again.attempts) == (claimed.id, 2)


async def test_what_a_killed_process_left_running_waits_again_without_a_spent_attempt(store: Store) -> None:
    await store.run(lambda c: tasks.put(c, cache_in("a"), NOW))
    await store.run(lambda c: tasks.claim(c, IN, NOW))

    await store.run(lambda c: tasks.requeue_running(c, NOW))

    (left,) = await store.run(lambda c: tasks.in_state(c, TaskState.QUEUED))
    assert left.attempts == 0


async def test_a_killed_run_gives_way_to_a_newer_waiting_task_of_the_same_file(store: Store) -> None:
    await store.run(lambda c: tasks.put(c, cache_in("a"), NOW))
    await store.run(lambda c: tasks.claim(c, IN, NOW))
    await store.run(lambda c: tasks.put(c, NewTask(OUT, file("a"), 9, "evict"), NOW))

    await store.run(lambda c: tasks.requeue_running(c, NOW))

    states = await store.run(lambda c: [(t.kind, t.state) for t in tasks.in_state(c, *TaskState)])
    assert sorted(states) == [(IN, TaskState.CANCELLED), (OUT, TaskState.QUEUED)]


async def test_a_second_wish_raises_the_waiting_task_and_makes_no_second_row(store: Store) -> None:
    first = await store.run(lambda c: tasks.put(c, cache_in("a", 10), NOW))
    second = await store.run(lambda c: tasks.put(c, cache_in("a", 90, forced=True), NOW))

    (only,) = await store.run(lambda c: tasks.in_state(c, *TaskState))
    assert first == second == only.id
    assert (only.priority, only.forced) == (90, True)


async def test_a_failed_file_rests_until_it_is_forgiven(store: Store) -> None:
    await store.run(lambda c: tasks.put(c, cache_in("a"), NOW))
    claimed = await store.run(lambda c: tasks.claim(c, IN, NOW))
    assert claimed is not None
    await store.run(lambda c: tasks.finish(c, claimed.id, TaskState.FAILED, NOW, error="no", again_after=NOW + 60))

    assert await store.run(lambda c: tasks.failed_until(c, NOW)) == {"/mnt/user0/tv/a"}
    assert await store.run(lambda c: tasks.failed_until(c, NOW + 61)) == set()
    await store.run(lambda c: tasks.forgive(c, ["/data/tv/a"]))
    assert await store.run(lambda c: tasks.failed_until(c, NOW)) == set()


async def test_names_that_are_not_unicode_come_back_as_they_were(store: Store) -> None:
    odd = "ep\udcff.mkv"
    await store.run(lambda c: tasks.put(c, cache_in(odd), NOW))

    claimed = await store.run(lambda c: tasks.claim(c, IN, NOW))
    assert claimed is not None
    assert claimed.file == file(odd)
