"""Files that are missing, change under the copy, lie elsewhere or lead out: each told clearly, none lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon.clock import Clock
from daemon.config import TransferSettings
from daemon.model import TaskState
from tests.support.bad_input import files_below, leftovers, logged, until_good
from tests.support.daemon import House, at_home
from tests.support.plex import small_library

ANN = "Ann"
SLOW = {"rate_limit": "60KB", "to_cache": 1}
"""Three seconds for a file: whatever is done to it is done in time."""
LARGE = (200_000, 200_000)


async def _copying(house: House, movie: str) -> Path:
    """Have a slow copy of a movie begun; return the original."""
    await house.plex.engine.play(ANN, movie)
    await house.until(lambda: bool(leftovers(house.folder / "cache")))
    return house.array(movie)[0]


def _speed_up(house: House) -> None:
    """Copy without a limit from the next attempt on."""
    core = house.app.core
    core.placement.configure(core.live.mappings, TransferSettings(), keep_free=lambda _: 0)


async def _failed(house: House) -> str:
    """Wait until a task has failed for good; return why."""

    async def there() -> bool:
        return bool(await house.tasks(TaskState.FAILED))

    await house.until(there)
    (row,) = [row for row in (await house.get("/api/v1/tasks"))["items"] if row["state"] == "failed"]
    return str(row["error"])


async def test_a_file_that_is_missing_on_the_array_fails_once_and_the_others_are_copied(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library) as house:
        (missing,) = house.array(episodes[1])
        missing.unlink()
        await house.plex.engine.play(ANN, episodes[0])
        await house.until(lambda: house.is_cached(*episodes[2:6]))
        assert await _failed(house) == f"{missing}: No such file or directory"
        assert not house.is_cached(episodes[1])
        await until_good(house)


async def test_a_file_that_disappears_under_its_copy_leaves_nothing_on_the_cache(tmp_path: Path) -> None:
    library = small_library(sizes=LARGE)
    movie = library.movies[0]
    async with at_home(tmp_path, library, transfer=SLOW) as house:
        original = await _copying(house, movie)
        original.unlink()
        assert str(original) in await _failed(house)
        assert files_below(tmp_path / "cache") == []
        assert leftovers(tmp_path / "cache") == []


@pytest.mark.parametrize("change", ["grows", "shrinks", "is replaced"])
async def test_a_file_that_changes_under_its_copy_is_copied_again_and_right(tmp_path: Path, change: str) -> None:
    library = small_library(sizes=LARGE)
    movie = library.movies[0]
    async with at_home(tmp_path, library, clock=Clock(60.0), transfer=SLOW) as house:
        original = await _copying(house, movie)
        if change == "grows":
            with original.open("ab") as file:
                file.write(b"more")
        elif change == "shrinks":
            os.truncate(original, 150_000)
        else:
            (other := original.with_name("other")).write_bytes(b"another" * 10_000)
            other.replace(original)
        _speed_up(house)
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()

        assert house.cache(movie)[0].read_bytes() == original.read_bytes()
        assert leftovers(tmp_path / "cache") == []
        # Where the machine was busy, the first copy had been made by then, and another task has made the second.
        assert sum(task.attempts for task in await house.tasks()) > 1


def _move_in_plex(house: House, key: str, plex_path: str) -> None:
    version = house.library.new_version((plex_path, 1000))
    house.library.set_versions(key, (version,), at=int(house.clock.now()))


@pytest.mark.parametrize(
    ("plex_path", "why"),
    [
        ("/elsewhere/a.mkv", "no mapping covers '/elsewhere/a.mkv'"),
        ("/data/Movies/../secret.mkv", "'/data/Movies/../secret.mkv' contains a relative component"),
        ("/data/MoviesToo/a.mkv", "no mapping covers '/data/MoviesToo/a.mkv'"),
    ],
)
async def test_a_path_that_no_mapping_covers_is_told_once_and_refused_by_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], plex_path: str, why: str
) -> None:
    library = small_library()
    (tmp_path / "array").mkdir()
    (tmp_path / "array" / "secret.mkv").write_bytes(b"secret")
    async with at_home(tmp_path, library) as house:
        _move_in_plex(house, library.movies[0], plex_path)
        for _ in range(2):
            session = await house.plex.engine.play(ANN, library.movies[0])
            await house.until(lambda: bool(house.app.core.listener.plays()))
            await house.plex.engine.stop(session)
            await house.until(lambda: not house.app.core.listener.plays())
        (line,) = logged(capsys, "path_unmapped")
        assert (line["path"], line["why"]) == (plex_path, why)

        for target in (library.movies[0], plex_path):
            status, answer = await house.post("/api/v1/cache", {"target": target})
            assert (status, answer["error"]["message"]) == (422, why)
        assert await house.tasks() == []
    assert files_below(tmp_path / "cache") == []


async def test_a_link_that_leads_out_of_the_array_is_not_followed(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        (original,) = house.array(movie)
        (tmp_path / "secret").write_bytes(b"secret")
        original.unlink()
        original.symlink_to(tmp_path / "secret")
        await house.plex.engine.play(ANN, movie)
        why = await _failed(house)
        assert why == f"{tmp_path / 'secret'} lies outside of {tmp_path / 'array' / 'Movies'}: a link leads out"
        assert files_below(tmp_path / "cache") == []


async def test_a_folder_on_the_cache_that_leads_out_is_not_written_to(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        (copy,) = house.cache(movie)
        (outside := tmp_path / "outside").mkdir()
        copy.parent.symlink_to(outside)
        await house.plex.engine.play(ANN, movie)
        assert "a link leads out" in await _failed(house)
        assert list(outside.iterdir()) == []
    assert house.array(movie)[0].exists()


async def test_an_original_that_was_replaced_meanwhile_is_served_and_the_old_version_kept_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    movie = library.movies[0]
    retention = {"after_stopped": "10m", "min_stay": "0"}
    async with at_home(tmp_path, library, clock=Clock(600.0), retention=retention) as house:
        session = await house.plex.engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))
        (original,), (copy,) = house.array(movie), house.cache(movie)
        before = copy.read_bytes()
        original.write_bytes(b"a better release")
        await house.clock.sleep(60)
        await house.plex.engine.stop(session)

        await house.until(lambda: not copy.exists())
        await house.quiet()
        (line,) = logged(capsys, "version_kept")
        assert line["path"] == str(original)
        assert original.read_bytes() == b"a better release"
        assert original.with_name(f"{original.name}.plexcached").read_bytes() == before


async def test_an_original_and_a_copy_that_were_both_replaced_both_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        await house.post("/api/v1/cache", {"target": movie})
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()
        (original,), (copy,) = house.array(movie), house.cache(movie)
        original.write_bytes(b"a better release")
        copy.write_bytes(b"transcoded")
        await house.post("/api/v1/evict", {"target": movie})

        why = await _failed(house)
        assert why.startswith(f"{copy} stays on the cache: original and copy were both changed")
        (line,) = logged(capsys, "task_failed")
        assert (line["kind"], line["why"], line["level"]) == ("evict", why, "error")
        assert (original.read_bytes(), copy.read_bytes()) == (b"a better release", b"transcoded")


async def test_a_copy_whose_original_was_deleted_meanwhile_is_brought_back(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    retention = {"after_stopped": "10m", "min_stay": "0"}
    async with at_home(tmp_path, library, clock=Clock(600.0), retention=retention) as house:
        session = await house.plex.engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))
        house.array(movie)[0].unlink()
        await house.clock.sleep(60)
        await house.plex.engine.stop(session)

        await house.until(lambda: not house.is_cached(movie))
        await house.quiet()
        assert house.damaged() == []
