"""Mappings that are switched off or taken out: nothing new comes, and no file is left on the cache in silence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from daemon.clock import Clock
from daemon.model import TaskState
from tests.support.bad_input import problem, until_bad, until_good
from tests.support.command_line import config_file, ondeckd
from tests.support.daemon import House, at_home, daemon_running, new_app
from tests.support.plex import small_library

ANN = "Ann"
SOON = {"min_stay": "0", "after_stopped": "2s"}


@asynccontextmanager
async def _with_a_cached_movie(folder: Path, **settings: Any) -> AsyncIterator[House]:
    """Have a house whose daemon has cached the first movie and ended."""
    library = small_library()
    async with at_home(folder, library, start=False, **settings) as house:
        async with daemon_running(house):
            await house.post("/api/v1/cache", {"target": library.movies[0]})
            await house.until(lambda: house.is_cached(library.movies[0]))
            await house.quiet()
        yield house


def _movies(house: House) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [mapping for mapping in house.settings["mapping"] if mapping["name"] == "Movies"]
    return found


async def test_what_a_switched_off_mapping_has_on_the_cache_leaves_when_its_time_comes(tmp_path: Path) -> None:
    async with _with_a_cached_movie(tmp_path, clock=Clock(60.0), retention=SOON) as house:
        _movies(house)["enabled"] = False
        new_app(house)
        async with daemon_running(house):
            await house.until(lambda: not house.is_cached(house.library.movies[0]))
            assert all(path.exists() for path in house.array(house.library.movies[0]))


async def test_a_switched_off_mapping_keeps_what_plays_and_takes_nothing_in(tmp_path: Path) -> None:
    retention = {"min_stay": "0", "after_stopped": "40m"}
    async with _with_a_cached_movie(tmp_path, clock=Clock(600.0), retention=retention) as house:
        cached, other = house.library.movies[:2]
        _movies(house)["enabled"] = False
        await house.plex.engine.play(ANN, cached)
        await house.plex.engine.play("Ben", other, client="phone")
        new_app(house)
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            await house.until(lambda: len(house.app.core.listener.plays()) == 2)
            status, answer = await house.post("/api/v1/cache", {"target": other})
            assert status >= 400
            assert "switched off" in answer["error"]["message"]
            await house.clock.sleep(2700)
            await house.app.core.dispatcher.change(lambda _: None)
            await house.quiet()
            assert house.is_cached(cached)
            assert not house.is_cached(other)


async def test_what_a_switched_off_mapping_has_can_be_evicted_by_hand(tmp_path: Path) -> None:
    async with _with_a_cached_movie(tmp_path) as house:
        movie = house.library.movies[0]
        _movies(house)["enabled"] = False
        new_app(house)
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            await house.until(lambda: house.app.core.listener.sessions_known)
            status, _ = await house.post("/api/v1/evict", {"target": movie})
            assert status == 202
            await house.until(lambda: not house.is_cached(movie))


async def test_a_switched_off_mapping_without_its_folders_troubles_nobody(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False) as house:
        _movies(house).update(enabled=False, cache=str(tmp_path / "nowhere"))
        new_app(house)
        async with daemon_running(house):
            await house.app.core.dispatcher.change(lambda _: None)
            assert problem(house, "mounts") == ""


async def test_files_of_a_mapping_that_was_taken_out_are_named_until_it_is_back(tmp_path: Path) -> None:
    async with _with_a_cached_movie(tmp_path) as house:
        movies = _movies(house)
        house.settings["mapping"].remove(movies)
        text = (
            "1 file of mapping Movies is still on the cache; put the mapping back (enabled = false is enough) "
            "so that it can leave"
        )
        said = await ondeckd(config_file(tmp_path / "etc", house.settings), "check")
        assert said.code == 78
        assert f"FAULT   mapping: {text}" in said.out.splitlines()
        new_app(house)
        async with daemon_running(house):
            assert await until_bad(house, "config", "Movies") == text
            assert (await house.get("/api/v1/status"))["ready"] is False

        house.settings["mapping"].append(movies | {"enabled": False})
        said = await ondeckd(config_file(tmp_path / "etc", house.settings), "check")
        assert said.code == 0
        assert "Movies: switched off; 1 file of it will leave the cache in time" in said.out
        new_app(house)
        async with daemon_running(house):
            await until_good(house, "config")


async def test_a_copy_whose_eviction_was_refused_is_shown_as_failed_with_the_reason(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        await house.post("/api/v1/cache", {"target": movie})
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()
        (row,) = (await house.get("/api/v1/files"))["items"]
        assert (row["state"], row["error"]) == ("cached", None)

        house.array(movie)[0].write_bytes(b"another film")
        house.cache(movie)[0].write_bytes(b"yet another film")
        await house.post("/api/v1/evict", {"target": movie})

        async def refused() -> bool:
            return bool(await house.tasks(TaskState.FAILED))

        await house.until(refused)
        (row,) = (await house.get("/api/v1/files"))["items"]
        assert row["state"] == "failed"
        assert "nobody can tell which is newer" in row["error"]
        assert house.is_cached(movie)
