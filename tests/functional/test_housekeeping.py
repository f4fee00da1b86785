"""What the daemon forgets, forgives, and leaves alone for a while."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from daemon.clock import Clock
from daemon.model import File, Play, PlayState, Task, TaskKind, TaskState, User
from daemon.state import plays, tasks
from daemon.state.store import Connection, Store
from tests.support.daemon import PATIENCE, House, at_home, daemon_running
from tests.support.plex import small_library

ANN = "Ann"
DAY = 86_400.0
AT_ONCE = {"min_play": "0", "next_episodes": 0}
NOTHING = {"after_stopped": "0", "min_stay": "0"}


async def _failed(house: House) -> bool:
    return bool(await house.tasks(TaskState.FAILED))


async def _nobody_plays(house: House) -> bool:
    return int((await house.get("/api/v1/sessions"))["total"]) == 0


async def test_a_file_that_failed_rests_until_it_is_played_again(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        (tmp_path / "seed").hardlink_to(house.array(movie)[0])
        session = await house.plex.engine.play(ANN, movie)
        await house.until(partial(_failed, house))
        (tmp_path / "seed").unlink()
        (refused,) = (await house.get("/api/v1/plan"))["refused"]
        assert refused["why"] == "its last copy failed and is tried again later"

        await house.plex.engine.stop(session)
        await house.until(partial(_nobody_plays, house))
        await house.plex.engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))


async def test_an_eviction_that_was_refused_is_not_tried_over_and_over(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, playback=AT_ONCE, retention=NOTHING) as house:
        session = await house.plex.engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()
        for path in (*house.array(movie), *house.cache(movie)):
            await asyncio.to_thread(path.write_text, f"another film, made on {path}")
        await house.plex.engine.stop(session)
        await house.until(partial(_failed, house))
        for _ in range(3):
            await house.app.core.dispatcher.change(lambda _connection: None)
        await house.quiet()

        evictions = [task for task in await house.tasks() if task.kind is TaskKind.EVICT]
        assert [task.state for task in evictions] == [TaskState.FAILED]
        assert house.is_cached(movie)


def _play(name: str, at: float) -> Play:
    return Play(name, name, "1", User("1", ANN), "tv", "Living room", PlayState.STOPPED, at, at)


async def test_plays_are_remembered_for_a_year(tmp_path: Path) -> None:
    state, clock = tmp_path / "state", Clock(36_000.0)
    state.mkdir()

    def write(connection: Connection) -> None:
        for name, days in (("old", 366), ("recent", 200)):
            ended = clock.now() - days * DAY
            plays.put_play(connection, _play(name, ended), stopped_at=ended)

    def names(connection: Connection) -> list[str]:
        return sorted(name for (name,) in connection.execute("SELECT id FROM plays"))

    async with Store(state) as store:
        await store.run(write)
        assert await store.run(names) == ["old", "recent"]
    async with at_home(tmp_path, small_library(), clock=clock, start=False) as house, daemon_running(house):
        async with asyncio.timeout(PATIENCE):
            while "old" in await house.app.core.store.run(names):  # which ends without a word
                await clock.sleep(60)
        assert await house.app.core.store.run(names) == ["recent"]


async def test_of_what_is_done_the_latest_two_thousand_tasks_are_remembered(tmp_path: Path) -> None:
    def work(connection: Connection) -> list[Task]:
        for number in range(2_001):
            path = f"/{number:04}.mkv"
            tasks.put(connection, tasks.NewTask(TaskKind.CACHE_IN, File(path, path, path, "TV", 1), 1, "why"), 0.0)
        connection.execute("UPDATE tasks SET state = 'succeeded', finished_at = id WHERE id < 2001")
        waits = tasks.NewTask(TaskKind.CACHE_IN, File("/w", "/w", "/w", "TV", 1), 1, "why")
        tasks.put(connection, waits, 0.0)
        tasks.finish(connection, 2001, TaskState.FAILED, 2001.0)
        return tasks.in_state(connection, *TaskState)

    async with Store(tmp_path) as store:
        left = await store.run(work)
    assert len(left) == 2_001
    assert [task.file.array_path for task in left if not task.finished_at] == ["/w"]
    assert min(task.id for task in left) == 2
