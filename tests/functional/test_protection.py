"""What plays stays, what was taken back goes, and one odd file stands in nobody's way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon.clock import Clock
from daemon.model import TaskState
from tests.support.bad_input import memory_disk
from tests.support.daemon import at_home, daemon_running, new_app
from tests.support.needs import needs_root
from tests.support.plex import small_library

ANN = "Ann"


async def test_a_play_takes_back_an_eviction_that_has_already_begun(tmp_path: Path) -> None:
    library = small_library(sizes=(30_000_000, 30_000_000), shows=1, movies=1, episodes=2)
    movie = library.movies[0]
    # The eviction reads the whole original at this rate, to prove its checksum, before it deletes anything.
    transfer = {"verify": "checksum", "rate_limit": "0"}
    async with at_home(tmp_path, library, transfer=transfer, playback={"min_play": "0"}) as house:
        engine = house.plex.engine
        session = await engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()
        await engine.stop(session)
        house.set(transfer={"rate_limit": "1MB"})
        house.app.core.live.swap(house.build())
        house.app.core._in_force()
        status, answer = await house.post("/api/v1/evict", {"target": movie})
        assert status == 202

        async def running() -> bool:
            return [task.id for task in await house.tasks(TaskState.RUNNING)] == list(answer["tasks"])

        await house.until(running)
        await engine.play(ANN, movie)
        await house.quiet()
        (task,) = [one for one in await house.tasks() if one.id in answer["tasks"]]
        assert (task.state, house.is_cached(movie)) == (TaskState.CANCELLED, True)
        assert [entry.file.plex_path for entry in await house.entries() if not entry.parent] == [
            library[movie].parts[0].file
        ]


async def test_copies_of_a_play_that_was_taken_back_leave_though_min_stay_is_not_over(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library) as house:
        session = await house.plex.engine.play(ANN, episodes[0])
        await house.until(lambda: house.is_cached(*episodes[:6]))
        await house.quiet()
        await house.plex.engine.stop(session)
        await house.until(lambda: not any(house.is_cached(key) for key in episodes))
        await house.quiet()
        assert await house.entries() == []


@needs_root
async def test_a_file_larger_than_plex_says_does_not_keep_smaller_ones_waiting(tmp_path: Path) -> None:
    library = small_library(sizes=(20_000, 30_000))
    episodes = library.episodes(library.shows[0])
    cache = tmp_path / "cache"
    with memory_disk(cache, "600k"):
        one_worker = {"to_cache": 1, "sidecars": "none"}
        async with at_home(tmp_path, library, start=False, clock=Clock(100.0), transfer=one_worker) as house:
            with house.array(episodes[0])[0].open("ab") as grown:
                grown.write(bytes(900_000))
            async with daemon_running(house):
                await house.plex.frames.wait_for_listeners()
                await house.plex.engine.play(ANN, episodes[0])
                await house.until(lambda: house.is_cached(*episodes[1:5]))
                large = [one for one in await house.tasks() if "S01E01" in one.file.plex_path]
                assert {one.state for one in large} & {TaskState.QUEUED, TaskState.RUNNING, TaskState.FAILED}
                assert TaskState.SUCCEEDED not in {one.state for one in large}


async def test_an_eviction_by_hand_also_takes_back_a_copy_that_waits(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        await house.post("/api/v1/pause")
        _, asked = await house.post("/api/v1/cache", {"target": movie})
        status, answer = await house.post("/api/v1/evict", {"target": movie})
        await house.post("/api/v1/resume")
        await house.quiet()

        assert (status, answer["tasks"]) == (202, asked["tasks"])
        assert [task.state for task in await house.tasks()] == [TaskState.CANCELLED]
        assert not house.is_cached(movie)


async def test_a_dry_run_refuses_to_move_anything_by_hand(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library, start=False) as house:
        new_app(house, dry_run=True)
        async with daemon_running(house):
            for call in ("cache", "evict"):
                status, answer = await house.post(f"/api/v1/{call}", {"target": library.movies[0]})
                assert status == 409
                assert "dry run" in answer["error"]["message"]
            assert await house.tasks() == []


@pytest.mark.parametrize("kind", ["hard link", "missing"])
async def test_a_file_that_cannot_be_cached_is_left_alone_for_a_day(tmp_path: Path, kind: str) -> None:
    library = small_library()
    movie = library.movies[0]
    clock = Clock(20_000.0)
    async with at_home(tmp_path, library, clock=clock, playback={"min_play": "0"}) as house:
        original = house.array(movie)[0]
        if kind == "missing":
            original.unlink()
        else:
            os.link(original, tmp_path / "second name")
        session = await house.plex.engine.play(ANN, movie)

        async def failed() -> bool:
            return bool(await house.tasks(TaskState.FAILED))

        await house.until(failed)
        await clock.sleep(20 * 3600)
        await house.app.core.service.refresh()
        await clock.sleep(600)
        assert len(await house.tasks()) == 1
        await house.plex.engine.stop(session)
