"""What was watched is tidied up: never the only file, and nothing at all in a dry run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from daemon.clock import Clock
from tests.support.bad_input import logged
from tests.support.daemon import House, at_home, daemon_running, new_app
from tests.support.outside import PLACEMENTS, SOME, snapshot, write_over
from tests.support.plex import small_library

ANN = "Ann"
SOON = {"min_stay": "0", "after_stopped": "1s", "after_watched": "1s"}
FAST = 600.0


def _place(house: House, placement: str) -> None:
    serve, _, original = placement.partition("+")
    for mapping in house.settings["mapping"]:
        mapping.update(serve=serve, original=original)


async def _watch(house: House, movie: str) -> None:
    """See a film to its end, and wait until the daemon has made of it what it makes of it."""
    session = await house.plex.engine.play(ANN, movie)
    await house.until(lambda: bool(house.app.core.listener.plays()))
    await house.plex.engine.seek(session, house.library[movie].seconds * 0.97)
    await house.plex.engine.stop(session)
    await house.until(lambda: not house.app.core.listener.plays())
    await house.clock.sleep(120)
    await house.quiet()


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("placement", SOME)
async def test_a_watched_download_that_lies_only_on_the_cache_is_not_deleted(
    tmp_path: Path, placement: str, dry_run: bool
) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, start=False, clock=Clock(FAST), retention=SOON) as house:
        _place(house, placement)
        (original,), (only,) = house.array(movie), house.cache(movie)
        only.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(original, only)
        before = snapshot(tmp_path / "array", tmp_path / "cache")
        new_app(house, dry_run=dry_run)
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            await _watch(house, movie)
            await house.post("/api/v1/evict", {"target": movie})
            await house.quiet()
        after = snapshot(tmp_path / "array", tmp_path / "cache")
        assert after[str(only)] == before[str(only)]
        assert {path: seen for path, seen in after.items() if path.startswith(str(tmp_path / "array"))} == {
            path: seen for path, seen in before.items() if path.startswith(str(tmp_path / "array"))
        }


async def test_watched_files_that_no_mapping_covers_are_not_touched(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, start=False, clock=Clock(FAST), retention=SOON) as house:
        house.settings["mapping"] = [one for one in house.settings["mapping"] if one["name"] != "Movies"]
        before = snapshot(tmp_path / "array")
        new_app(house)
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            await _watch(house, movie)
        assert snapshot(tmp_path / "array") == before


@pytest.mark.parametrize("placement", SOME)
async def test_a_dry_run_neither_deletes_nor_changes_anything(tmp_path: Path, placement: str) -> None:
    library = small_library()
    gone, changed, watched = library.movies[:3]
    async with at_home(tmp_path, library, start=False, clock=Clock(FAST)) as house:
        _place(house, placement)
        new_app(house)
        async with daemon_running(house):
            for movie in (gone, changed, watched):
                await house.post("/api/v1/cache", {"target": movie})
            await house.until(lambda: house.is_cached(gone, changed, watched))
            await house.quiet()
        house.cache(gone)[0].unlink()
        write_over(house.cache(changed)[0], b"a new version")
        half = house.cache(watched)[0].with_name(".ondeckd-" + "0" * 32 + ".part")
        half.write_bytes(b"what a kill left")
        before = snapshot(tmp_path / "array", tmp_path / "cache")

        house.set(retention=SOON)
        new_app(house, dry_run=True)
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            await _watch(house, watched)
            for movie in (gone, changed, watched):
                await house.post("/api/v1/evict", {"target": movie})
                await house.post("/api/v1/cache", {"target": movie})
            await house.post("/api/v1/refresh")
            await house.clock.sleep(600)
            assert snapshot(tmp_path / "array", tmp_path / "cache") == before
    assert snapshot(tmp_path / "array", tmp_path / "cache") == before


@pytest.mark.parametrize("placement", PLACEMENTS[1:])
async def test_a_dead_cache_disk_is_noticed_and_its_successor_gets_the_films_back(
    tmp_path: Path, placement: str, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, start=False) as house:
        _place(house, placement)
        new_app(house)
        async with daemon_running(house):
            await house.post("/api/v1/cache", {"target": movie})
            await house.until(lambda: house.is_cached(movie))
            await house.quiet()
            cache = tmp_path / "cache" / "Movies"
            cache.rename(tmp_path / "dead")
            cache.mkdir()
            await house.app.core.reconcile.look()
            assert len([entry for entry in await house.entries() if not entry.parent]) == 1

            (cache / ".ondeckd").mkdir()
            await house.app.core.reconcile.look()
            assert house.array(movie)[0].is_file() == placement.endswith("+backup")
            told = logged(capsys, "copy_missing", "recovery_incomplete")
            assert str(house.array(movie)[0]) in {line["path"] for line in told}
