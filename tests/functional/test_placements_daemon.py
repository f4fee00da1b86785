"""The whole daemon with each placement: what is played comes, what nobody wants goes, what disappears comes back."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.files import all_files, intact, local_path
from daemon.demo.library import Library
from daemon.model import TaskState
from tests.support.bad_input import logged
from tests.support.daemon import House, at_home, daemon_running, new_app
from tests.support.plex import small_library

ANN = "Ann"
PLACEMENTS = ["union+keep", "union+backup", "union+remove", "symlink+backup", "symlink+remove"]
AT_ONCE: dict[str, Any] = {
    "playback": {"min_play": "0", "next_episodes": 1},
    "retention": {"min_stay": "0", "after_stopped": "1s", "after_watched": "1s"},
}


def place(house: House, placement: str) -> None:
    """Give all mappings a placement, before the daemon starts."""
    serve, original = placement.split("+")
    for mapping in house.settings["mapping"]:
        mapping.update(serve=serve, original=original)
    new_app(house)


def unreadable(house: House) -> list[str]:
    """Return the files that Plex could not read whole: through the link, or from the copy before the original."""
    wrong = []
    for plex_path, size in all_files(house.library):
        seen = [local_path(house.library, house.folder / tier, plex_path) for tier in ("cache", "array")]
        path = next((path for path in seen if path.exists()), seen[1])
        if not (path.exists() and intact(house.library, plex_path, size, path)):
            wrong.append(plex_path)
    return wrong


def on_array(house: House, key: str) -> tuple[str, bool]:
    """Return what stands at an item's name on the array, and whether its backup is there."""
    path = house.array(key)[0]
    what = "link" if path.is_symlink() else "file" if path.exists() else "nothing"
    return what, path.with_name(path.name + ".plexcached").exists()


SETTLED = {
    "union+keep": ("file", False),
    "union+backup": ("nothing", True),
    "union+remove": ("nothing", False),
    "symlink+backup": ("link", True),
    "symlink+remove": ("link", False),
}


@pytest.mark.parametrize("placement", PLACEMENTS)
async def test_what_is_played_is_placed_and_comes_back_when_its_time_is_over(tmp_path: Path, placement: str) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])[:2]
    async with at_home(tmp_path, library, start=False, **AT_ONCE) as house:
        place(house, placement)
        async with daemon_running(house):
            session = await house.plex.engine.play(ANN, episodes[0])
            await house.until(lambda: house.is_cached(*episodes))
            await house.quiet()
            assert [on_array(house, key) for key in episodes] == [SETTLED[placement]] * 2
            assert {entry.placement for entry in await house.entries()} == {placement}
            assert unreadable(house) == []

            await house.plex.engine.stop(session)
            await _leave(house, episodes[1])
            await house.until(lambda: not any(house.is_cached(key) for key in episodes[1:]))
            await house.quiet()
            assert on_array(house, episodes[1]) == SETTLED["union+keep"]
            assert unreadable(house) == []


@pytest.mark.parametrize("placement", ["union+backup", "symlink+backup"])
async def test_originals_come_back_at_once_when_somebody_empties_the_cache(
    tmp_path: Path, placement: str, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, start=False) as house:
        place(house, placement)
        async with daemon_running(house):
            await _cached(house, movie)
        for path in house.cache(movie):
            path.unlink()
        new_app(house)
        async with daemon_running(house):
            assert on_array(house, movie) == SETTLED["union+keep"]
            assert unreadable(house) == []
            assert await house.entries() == []
            assert len(logged(capsys, "copy_missing")) == 1


@pytest.mark.parametrize("placement", PLACEMENTS)
async def test_a_lost_database_does_not_lose_what_was_put_aside(tmp_path: Path, placement: str) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, start=False) as house:
        place(house, placement)
        async with daemon_running(house):
            await _cached(house, movie)
            before = await house.entries()
        for file in (house.folder / "state").glob("ondeckd.db*"):
            file.unlink()
        new_app(house)
        async with daemon_running(house):
            assert await house.entries() == before
            await _leave(house, movie)
            await house.until(lambda: not house.is_cached(movie))
            await house.quiet()
            assert on_array(house, movie) == SETTLED["union+keep"]
            assert unreadable(house) == []


@pytest.mark.parametrize("placement", ["union+backup", "symlink+backup"])
async def test_a_cache_that_comes_back_after_its_originals_did_serves_again(tmp_path: Path, placement: str) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, start=False) as house:
        place(house, placement)
        async with daemon_running(house):
            await _cached(house, movie)
        (house.folder / "cache").rename(house.folder / "disk")
        for mapping in house.settings["mapping"]:
            Path(mapping["cache"], ".ondeckd").mkdir(parents=True)
        new_app(house)
        async with daemon_running(house):
            assert on_array(house, movie) == SETTLED["union+keep"]
        shutil.rmtree(house.folder / "cache")
        (house.folder / "disk").rename(house.folder / "cache")
        new_app(house)
        async with daemon_running(house):
            assert on_array(house, movie) == SETTLED[placement]
            assert len(await house.entries()) == 1
            assert unreadable(house) == []


async def test_files_placed_one_way_leave_that_way_after_the_settings_say_another(tmp_path: Path) -> None:
    library = _films(6)
    async with at_home(tmp_path, library, start=False) as house:
        for placement, movie in zip(PLACEMENTS, library.movies, strict=False):
            place(house, placement)
            async with daemon_running(house):
                await _cached(house, movie)
        place(house, "union+keep")
        async with daemon_running(house):
            assert [on_array(house, movie) for movie in library.movies[:5]] == [SETTLED[each] for each in PLACEMENTS]
            for movie in library.movies[:5]:
                await _leave(house, movie)
            await house.until(lambda: not any(house.is_cached(movie) for movie in library.movies))
            await house.quiet()
        assert house.damaged() == []


async def test_a_path_that_is_no_text_can_be_named(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library) as house:
        await house.until(lambda: house.app.core.listener.plays_recorded)
        path = f"{house.array(library.movies[0])[0].parent}/F\udcfflm.mkv"
        status, answer = await house.post("/api/v1/evict", {"target": path})
        assert (status, answer["error"]["code"]) == (404, "target_not_found")


async def _cached(house: House, movie: str) -> None:
    await house.post("/api/v1/cache", {"target": movie})
    await house.until(lambda: house.is_cached(movie))
    await house.quiet()


async def _leave(house: House, key: str) -> None:
    await house.until(lambda: house.app.core.listener.plays_recorded)
    status, _ = await house.post("/api/v1/evict", {"target": key})
    assert status == 202


def _films(count: int) -> Library:
    return small_library(movies=count)


async def test_links_that_plex_cannot_follow_are_taken_back_and_no_more_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = _films(2)
    movie, other = library.movies[:2]
    [part] = library[movie].parts
    async with at_home(tmp_path, library, start=False) as house:
        place(house, "symlink+backup")
        gone = [replace(one, parts=(replace(part, exists=False),)) for one in library[movie].versions]
        library.set_versions(movie, tuple(gone), at=library[movie].updated_at + 1)
        async with daemon_running(house):
            for count, each in enumerate((movie, other), 1):
                await house.post("/api/v1/cache", {"target": each})
                await house.until(partial(_failed, house, count))
            assert [on_array(house, each) for each in (movie, other)] == [SETTLED["union+keep"]] * 2
            assert list((house.folder / "cache").rglob("*.mkv")) == []
            assert len(logged(capsys, "links_unreadable")) == 1


async def _failed(house: House, count: int) -> bool:
    return len(await house.tasks(TaskState.FAILED)) == count
