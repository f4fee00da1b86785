"""A cache that is gone, read-only or full, an array that is not mounted: one notice, everything waits, and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.clock import Clock
from daemon.config import TransferSettings
from daemon.model import TaskState
from tests.support.bad_input import (
    files_below,
    leftovers,
    logged,
    memory_disk,
    problem,
    remount,
    until_bad,
    until_good,
)
from tests.support.daemon import House, at_home, daemon_running, new_app
from tests.support.needs import needs_root
from tests.support.plex import small_library

ANN, BEN = "Ann", "Ben"
FAST = 600.0
SOON = {"after_stopped": "5m", "min_stay": "0"}


def _shows(house: House, tier: str) -> Path:
    return house.folder / tier / "TV Shows"


async def test_a_cache_that_is_gone_is_told_once_and_used_again_when_it_is_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, clock=Clock(FAST)) as house:
        cache = _shows(house, "cache")
        cache.rename(aside := tmp_path / "aside")
        await house.plex.engine.play(ANN, episodes[0])
        text = await until_bad(house, "mounts", str(cache))
        assert text.endswith("No such file or directory; is it mounted?")
        await house.plex.engine.play(BEN, library.movies[0], client="phone")
        await house.until(lambda: house.is_cached(library.movies[0]))
        assert not cache.exists()

        aside.rename(cache)
        await house.until(lambda: house.is_cached(*episodes[:6]))
        await until_good(house)
    assert len(logged(capsys, "cache_unreachable", "mapping_held", "task_failed")) == 1
    assert house.damaged() == []


async def test_an_empty_folder_where_the_cache_was_mounted_is_not_filled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    first, second = (library.episodes(show) for show in library.shows)
    async with at_home(tmp_path, library, clock=Clock(FAST)) as house:
        await house.plex.engine.play(ANN, first[0])
        await house.until(lambda: house.is_cached(*first[:6]))
        await house.quiet()
        cache = _shows(house, "cache")
        cache.rename(aside := tmp_path / "aside")
        cache.mkdir()
        await house.plex.engine.play(BEN, second[0], client="phone")

        assert "is not the cache it was; is it mounted?" in await until_bad(house, "queue", str(cache))
        await house.clock.sleep(300)
        assert list(cache.iterdir()) == []
        assert await house.tasks(TaskState.FAILED) == []

        cache.rmdir()
        aside.rename(cache)
        await house.until(lambda: house.is_cached(*second[:6]))
        await until_good(house)
    assert len(logged(capsys, "mapping_held", "task_failed")) == 1
    assert house.damaged() == []


@needs_root
async def test_a_read_only_cache_is_told_once_and_used_again_when_it_can_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    cache = tmp_path / "cache" / "TV Shows"
    with memory_disk(cache, "8m"):
        async with at_home(tmp_path, library, clock=Clock(FAST)) as house:
            remount(cache, "ro")
            await house.plex.engine.play(ANN, episodes[0])
            assert "Read-only file system" in await until_bad(house, "queue", str(cache))
            await house.plex.engine.play(BEN, library.movies[0], client="phone")
            await house.until(lambda: house.is_cached(library.movies[0]))
            await house.clock.sleep(900)
            assert await house.tasks(TaskState.FAILED) == []

            remount(cache, "rw")
            await house.until(lambda: house.is_cached(*episodes[:6]))
            await until_good(house)
        assert len(logged(capsys, "mapping_held", "task_failed", "cache_unreachable")) == 1
        assert house.damaged() == []


@needs_root
async def test_a_full_cache_is_told_once_and_filled_when_there_is_room_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    cache = tmp_path / "cache" / "TV Shows"
    with memory_disk(cache, "1m"):
        foreign = cache / "somebody's.iso"
        foreign.write_bytes(bytes((1 << 20) - 12_288))
        async with at_home(tmp_path, library, clock=Clock(FAST)) as house:
            await house.plex.engine.play(ANN, episodes[0])
            assert "has no room for 6 wanted files" in await until_bad(house, "space", str(cache))
            await house.plex.engine.play(BEN, library.movies[0], client="phone")
            await house.until(lambda: house.is_cached(library.movies[0]))
            await house.clock.sleep(900)
            assert files_below(cache) == [foreign]

            foreign.unlink()
            await house.until(lambda: house.is_cached(*episodes[:6]))
            await until_good(house)
        assert len(logged(capsys, "mapping_held", "task_failed", "cache_full")) == 1
        assert house.damaged() == []


@needs_root
async def test_a_cache_that_fills_up_while_a_copy_runs_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library(sizes=(300_000, 300_000))
    movie = library.movies[0]
    cache = tmp_path / "cache" / "Movies"
    with memory_disk(cache, "1m"):
        async with at_home(tmp_path, library, clock=Clock(60.0), transfer={"rate_limit": "200KB"}) as house:
            await house.plex.engine.play(ANN, movie)
            await house.until(lambda: bool(leftovers(cache)))
            (cache / "somebody's.iso").write_bytes(bytes(900_000))
            await until_bad(house, "space", str(cache))
            assert not house.is_cached(movie)

            (cache / "somebody's.iso").unlink()
            await house.until(lambda: house.is_cached(movie))
            await until_good(house)
        assert leftovers(cache) == []
        assert logged(capsys, "task_failed") == []


async def test_a_copy_that_waits_for_room_touches_no_array_and_is_told_once_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, clock=Clock(FAST), log={"level": "info"}) as house:
        core = house.app.core
        core.placement.configure(core.live.mappings, TransferSettings(), keep_free=lambda total: total)
        await house.plex.engine.play(ANN, movie)
        await until_bad(house, "space", "bytes more than")
        await house.clock.sleep(300)
        assert b'reason="cache_in"' not in core.metrics.text()
        assert logged(capsys, "cache_in_started", "mapping_released") == []

        core.placement.configure(core.live.mappings, TransferSettings(), keep_free=lambda _total: 0)
        await house.until(lambda: house.is_cached(movie))
        await until_good(house)
    assert len(logged(capsys, "cache_in_started", "mapping_released")) == 2


async def test_a_vanished_array_stops_its_mapping_and_nothing_else_and_comes_back_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    first, second = (library.episodes(show) for show in library.shows)
    async with at_home(tmp_path, library, clock=Clock(FAST), retention=SOON, playback={"next_episodes": 1}) as house:
        old = await house.plex.engine.play(ANN, first[0])
        await house.until(lambda: house.is_cached(*first[:2]))
        await house.quiet()
        array = _shows(house, "array")
        array.rename(aside := tmp_path / "aside")
        array.mkdir()
        await house.clock.sleep(60)
        await house.plex.engine.stop(old)
        await house.plex.engine.play(ANN, second[0])
        assert await until_bad(house, "anchors", "TV Shows") == f"TV Shows: {array} is empty; is the array mounted?"
        await house.plex.engine.play(BEN, library.movies[0], client="phone")
        await house.until(lambda: house.is_cached(library.movies[0]))
        await house.clock.sleep(1200)
        assert house.is_cached(*first[:2])
        assert list(array.iterdir()) == []
        assert await house.tasks(TaskState.FAILED) == []
        assert len(logged(capsys, "mapping_held", "task_failed")) == 1

        array.rmdir()
        aside.rename(array)
        await house.until(lambda: house.is_cached(*second[:2]) and not house.is_cached(first[0]))
        await until_good(house)
    assert house.damaged() == []


async def test_a_missing_anchor_file_holds_the_mapping(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, clock=Clock(FAST), start=False) as house:
        for mapping in house.settings["mapping"]:
            mapping["anchor"] = ".mounted"
        new_app(house)
        async with daemon_running(house):
            await house.plex.engine.play(ANN, movie)
            text = await until_bad(house, "anchors", ".mounted")
            array = house.folder / "array" / "Movies"
            assert text == f"Movies: .mounted is missing below {array}; is the array mounted?"
            (array / ".mounted").touch()
            await house.until(lambda: house.is_cached(movie))
            await until_good(house, "anchors")


async def test_an_array_that_vanishes_under_a_copy_costs_the_task_no_attempt(tmp_path: Path) -> None:
    library = small_library(sizes=(200_000, 200_000))
    movie = library.movies[0]
    async with at_home(tmp_path, library, clock=Clock(FAST), transfer={"rate_limit": "400KB", "to_cache": 1}) as house:
        await house.plex.engine.play(ANN, movie)
        await house.until(lambda: bool(leftovers(tmp_path / "cache")))
        array = tmp_path / "array" / "Movies"
        array.rename(aside := tmp_path / "aside")
        await until_bad(house, "anchors", "Movies")
        (task,) = await house.tasks()
        assert (task.state, task.attempts) == (TaskState.QUEUED, 0)

        aside.rename(array)
        await house.until(lambda: house.is_cached(movie))
        assert problem(house, "anchors") == ""
