"""Copies that somebody removed from the cache, databases that lost what is there: ledger and cache agree again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from daemon.clock import Clock
from daemon.config import build
from tests.support.bad_input import logged
from tests.support.daemon import House, at_home, daemon_running, new_app
from tests.support.plex import small_library

ANN, BEN = "Ann", "Ben"
AT_ONCE = {"min_stay": "0", "after_stopped": "1s", "after_watched": "1s"}


async def _watch(house: House, user: str, episodes: list[str], client: str = "tv") -> None:
    """Have a user play the first of these episodes until all are cached, and stop."""
    session = await house.plex.engine.play(user, episodes[0], client=client)
    await house.until(lambda: house.is_cached(*episodes))
    await house.quiet()
    await house.plex.engine.stop(session)
    await house.until(lambda: not house.app.core.listener.plays())


def _remove(house: House, key: str) -> None:
    for path in house.cache(key):
        path.unlink()


async def test_a_copy_that_somebody_removed_is_brought_in_again_when_it_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, playback={"min_play": "0"}) as house:
        await _watch(house, ANN, episodes[:6])
        _remove(house, episodes[1])
        _remove(house, episodes[3])
        await house.plex.engine.play(ANN, episodes[1])
        await house.until(lambda: house.is_cached(episodes[1], episodes[3]))
        await house.quiet()
        missing = logged(capsys, "copy_missing")
        assert sorted(line["path"] for line in missing) == sorted(
            str(house.array(key)[0]) for key in (episodes[1], episodes[3])
        )


async def test_a_copy_that_is_missing_at_the_start_is_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, start=False) as house:
        async with daemon_running(house):
            await house.post("/api/v1/cache", {"target": movie})
            await house.until(lambda: house.is_cached(movie))
            await house.quiet()
        _remove(house, movie)
        new_app(house)
        async with daemon_running(house):
            assert await house.entries() == []
            assert len(logged(capsys, "copy_missing")) == 1


async def test_a_copy_that_is_missing_is_brought_in_when_a_person_asks_for_it(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        await house.post("/api/v1/cache", {"target": movie})
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()
        _remove(house, movie)
        status, answer = await house.post("/api/v1/cache", {"target": movie})
        assert (status, len(answer["tasks"])) == (202, 1)
        await house.until(lambda: house.is_cached(movie))


@pytest.mark.parametrize("instead", ["nothing", "an empty folder"])
async def test_a_cache_that_is_away_at_the_start_tells_of_no_missing_copy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], instead: str
) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, start=False) as house:
        async with daemon_running(house):
            await house.post("/api/v1/cache", {"target": movie})
            await house.until(lambda: house.is_cached(movie))
            await house.quiet()
        cache = tmp_path / "cache" / "Movies"
        cache.rename(tmp_path / "aside")
        if instead == "an empty folder":
            cache.mkdir()
        new_app(house)
        async with daemon_running(house):
            assert len(await house.entries()) == 1
            assert logged(capsys, "copy_missing") == []
            assert not cache.exists() or list(cache.iterdir()) == []


async def test_how_often_is_looked_is_what_the_refresh_says(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    clock = Clock(600.0)
    async with at_home(tmp_path, library, clock=clock, schedule={"refresh": "0"}) as house:
        await house.post("/api/v1/cache", {"target": movie})
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()
        _remove(house, movie)
        await clock.sleep(3600)
        assert len(await house.entries()) == 1

        house.settings["schedule"]["refresh"] = "10m"
        house.app.core.live.swap(build(house.settings))
        house.app.core._in_force()

        async def forgotten() -> bool:
            return await house.entries() == []

        await house.until(forgotten)


@pytest.mark.parametrize("backup", ["an old one", "none"])
async def test_what_a_damaged_database_has_lost_is_entered_again_and_leaves_in_time(
    tmp_path: Path, backup: str
) -> None:
    library = small_library()
    # Films, because nothing follows them: the episodes after a play stay for an hour in any case.
    first, second = library.movies[:1], library.movies[1:2]
    fast = Clock(30.0)
    async with at_home(
        tmp_path, library, start=False, clock=fast, playback={"min_play": "0"}, retention=AT_ONCE
    ) as house:
        state = tmp_path / "state"
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            one = await house.plex.engine.play(ANN, first[0])
            await house.until(lambda: house.is_cached(*first))
            await house.quiet()
            await house.app.core.store.backup()
            shutil.copy(state / "ondeckd.db.backup", tmp_path / "old")
            two = await house.plex.engine.play(BEN, second[0], client="phone")
            await house.until(lambda: house.is_cached(*second))
            await house.quiet()
            before = {(entry.file, entry.mtime_ns, entry.cached_at) for entry in await house.entries()}
        if backup == "none":
            (state / "ondeckd.db.backup").unlink()
        else:
            shutil.copy(tmp_path / "old", state / "ondeckd.db.backup")
        (state / "ondeckd.db").write_bytes(b"garbage" * 1000)
        new_app(house)
        async with daemon_running(house):
            entered = await house.entries()
            assert {(entry.file, entry.mtime_ns, entry.cached_at) for entry in entered} == before
            await house.plex.frames.wait_for_listeners()  # a stop that nobody hears takes stale_session to be noticed
            await house.plex.engine.stop(one)
            await house.plex.engine.stop(two)
            await house.until(lambda: not any(house.is_cached(key) for key in second))
    assert house.damaged() == []


async def test_a_file_that_was_changed_or_put_there_by_others_is_not_claimed_after_a_loss(tmp_path: Path) -> None:
    library = small_library()
    ours, others = library.movies[:2]
    async with at_home(tmp_path, library, start=False) as house:
        async with daemon_running(house):
            await house.post("/api/v1/cache", {"target": ours})
            await house.until(lambda: house.is_cached(ours))
            await house.quiet()
        (copy,), (foreign,) = house.cache(ours), house.cache(others)
        os.utime(copy, ns=(0, 1))
        foreign.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(house.array(others)[0], foreign)
        for path in (tmp_path / "state").glob("ondeckd.db*"):
            path.unlink()
        new_app(house)
        async with daemon_running(house):
            assert await house.entries() == []


async def test_subtitles_are_entered_again_with_their_video(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, start=False) as house:
        video = house.array(movie)[0]
        video.with_name(f"{video.stem}.en.srt").write_text("hello")
        async with daemon_running(house):
            await house.post("/api/v1/cache", {"target": movie})
            await house.until(lambda: house.is_cached(movie))
            await house.quiet()
            before = {(entry.file.array_path, entry.parent) for entry in await house.entries()}
            assert (await house.get("/api/v1/status"))["cached_files"] == 1
        for path in (tmp_path / "state").glob("ondeckd.db*"):
            path.unlink()
        new_app(house)
        async with daemon_running(house):
            assert {(entry.file.array_path, entry.parent) for entry in await house.entries()} == before
            assert len(before) == 2
