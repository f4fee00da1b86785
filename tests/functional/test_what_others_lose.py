"""Ways in which files are lost by programs that decide from names alone. Here each of them ends well."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.errors import AnchorMissing, Skipped, StorageError, TierUnavailable, UnsafeEvict
from daemon.storage import linux
from daemon.storage.paths import OWN_FOLDER
from tests.support import placement
from tests.support.outside import (
    BACKED_UP,
    E1,
    NEW,
    OLD,
    PLACEMENTS,
    Household,
    household,
    move_over,
    new_disk,
    stale,
    write_over,
)

executor = placement.executor
everywhere = pytest.mark.parametrize("home", PLACEMENTS, indirect=True)
by_links = pytest.mark.parametrize("home", PLACEMENTS[3:], indirect=True)
with_backups = pytest.mark.parametrize("home", BACKED_UP, indirect=True)


@pytest.fixture
async def home(
    tmp_path: Path, executor: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> AsyncIterator[Household]:
    async with household(tmp_path, executor, request.param) as found:
        yield found


@by_links
async def test_a_link_to_the_copy_does_not_count_as_an_original_that_makes_the_copy_dispensable(
    home: Household,
) -> None:
    await home.cache()
    home.backup().unlink(missing_ok=True)
    assert home.original().exists()

    await home.evict()

    assert (home.original().is_symlink(), home.original().read_bytes()) == (False, OLD)


@everywhere
async def test_a_link_of_the_users_own_to_the_copy_does_not_count_as_an_original_either(home: Household) -> None:
    await home.cache()
    for path in (home.original(), home.backup()):
        path.unlink(missing_ok=True)
    detour = home.tiers.array.parent / "detour"
    detour.symlink_to(home.tiers.cache)
    home.original().symlink_to(detour / E1)
    assert home.original().exists()

    with pytest.raises(UnsafeEvict, match="something that is no file stands at the original's name"):
        await home.evict()

    assert home.copy().read_bytes() == OLD


@everywhere
async def test_an_array_path_that_shows_the_cache_does_not_prove_that_the_array_has_the_file(home: Household) -> None:
    await home.cache()
    home.tiers.array.rename(home.tiers.array.with_name("disks"))
    home.tiers.array.symlink_to(home.tiers.cache)

    with pytest.raises((UnsafeEvict, TierUnavailable)):
        await home.evict()
    with pytest.raises(StorageError):
        await home.custody.cache_in(home.tiers.file(E1 + ".mkv"))
    await home.look()
    await home.restart()

    assert home.copy().read_bytes() == OLD
    assert len(await home.entries()) == 1


@everywhere
async def test_a_new_version_written_over_the_copy_is_not_deleted_in_favour_of_the_old_backup(home: Household) -> None:
    await home.cache()
    write_over(home.copy(), NEW)

    await home.evict()

    assert home.shown() == NEW


@everywhere
async def test_two_versions_of_one_film_both_keep_their_originals(home: Household) -> None:
    names = [f"Heat (1995)/Heat (1995) [{height}p].mkv" for height in (1080, 2160)]
    for name in names:
        await home.cache(name, name.encode())
    await home.restart()
    for name in names:
        assert home.shown(name) == name.encode()
        await home.evict(name)

    assert {path.name: path.read_bytes() for path in home.names(names[0])} == {
        Path(name).name: name.encode() for name in names
    }


@with_backups
async def test_episodes_whose_names_begin_alike_all_come_back_from_a_dead_cache(home: Household) -> None:
    names = [f"Show/[Group] Show - 0{number} [1080p].mkv" for number in range(1, 5)]
    for name in names:
        await home.cache(name, name.encode())
    new_disk(home.tiers.cache)
    await home.restart()

    assert {path.name: path.read_bytes() for path in home.names(names[0])} == {
        Path(name).name: name.encode() for name in names
    }


@everywhere
async def test_the_backup_of_a_lost_episode_survives_the_caching_of_another(home: Household) -> None:
    lost = home.tiers.array / "Show/[Group] Show - 01.mkv.plexcached"
    stale(lost, b"all that is left of it")
    name = "Show/[Group] Show - 02.mkv"
    await home.cache(name)
    await home.restart()
    await home.evict(name)

    assert lost.read_bytes() == b"all that is left of it"
    assert home.shown(name) == OLD


@with_backups
async def test_of_several_backups_the_right_one_comes_back_after_a_restart(home: Household) -> None:
    await home.cache()
    for name in ("e1 (older).mkv.plexcached", ".e1.mkv.plexcached", "e1.plexcached", "e1.mkv.bak.plexcached"):
        stale(home.original().with_name(name), b"another version")
    home.copy().unlink()
    await home.restart()

    assert (home.original().is_symlink(), home.shown()) == (False, OLD)
    assert [path.read_bytes() for path in home.names() - {home.original()}] == [b"another version"] * 4


@everywhere
async def test_a_new_file_beside_an_old_backup_is_not_taken_for_what_that_is_a_backup_of(home: Household) -> None:
    stale(home.backup(), b"put aside by somebody, long ago")
    home.tiers.film(E1, NEW)
    if home.links:
        with pytest.raises(Skipped, match="is there already"):
            await home.cache()
    else:
        await home.cache()
        assert home.shown() == NEW
        await home.evict()

    assert (home.original().read_bytes(), home.backup().read_bytes()) == (NEW, b"put aside by somebody, long ago")


@everywhere
async def test_a_partial_file_under_the_copys_name_is_not_taken_for_a_copy(home: Household) -> None:
    home.tiers.film(E1, OLD)
    stale(home.copy(), OLD[:1000])

    with pytest.raises(Skipped, match="not placed by ondeckd, and is left alone"):
        await home.cache()
    await home.restart()
    await home.evict()

    assert (home.original().is_symlink(), home.original().read_bytes()) == (False, OLD)
    assert home.copy().read_bytes() == OLD[:1000]


@by_links
async def test_a_stale_copy_of_which_nothing_is_known_is_not_linked_after_an_upgrade(home: Household) -> None:
    await home.cache()
    stale_copy = home.copy()
    (home.tiers.cache / OWN_FOLDER / "manifest").unlink()
    await home.store.run(lambda connection: connection.execute("DELETE FROM entries"))
    move_over(home.original(), NEW)

    with pytest.raises(Skipped):
        await home.cache()

    assert (home.shown(), stale_copy.read_bytes()) == (NEW, OLD)


@everywhere
async def test_what_is_cached_a_second_time_loses_neither_copy_nor_original(home: Household) -> None:
    first = await home.cache()
    assert await home.cache() == first
    assert (home.shown(), home.copy().read_bytes()) == (OLD, OLD)

    await home.evict()
    assert (home.original().is_symlink(), home.shown()) == (False, OLD)
    await home.evict()
    assert home.shown() == OLD


@everywhere
async def test_a_download_that_lies_only_on_the_cache_is_never_deleted(home: Household) -> None:
    stale(home.original("other.mkv"), b"so that the array is not empty")
    stale(home.copy(), NEW)
    with pytest.raises(StorageError):
        await home.custody.cache_in(home.tiers.file(E1))
    await home.restart()
    await home.look()
    await home.evict()

    assert home.copy().read_bytes() == NEW


@everywhere
async def test_a_download_that_lies_only_on_the_cache_survives_an_array_that_is_away(home: Household) -> None:
    stale(home.copy(), NEW)
    with pytest.raises((AnchorMissing, Skipped)):
        await home.custody.cache_in(home.tiers.file(E1))
    await home.restart()
    await home.evict()

    assert home.copy().read_bytes() == NEW


@by_links
@pytest.mark.parametrize("exchange", [True, False])
async def test_there_is_no_moment_without_a_whole_file_at_the_media_path(
    home: Household, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(linux, "exchange", lambda *_: False)
    content = os.urandom(300_000)
    file = home.tiers.film(E1, content)
    stop = threading.Event()

    def read_on() -> int:
        count = 0
        while not stop.is_set() or count == 0:
            assert home.original().read_bytes() == content
            count += 1
        return count

    reading = asyncio.create_task(asyncio.to_thread(read_on))
    try:
        for _ in range(10):
            await home.cache()
            await home.evict()
    finally:
        stop.set()
        assert await reading > 10
    assert home.tiers.on_array() == {file.array_path.removeprefix(f"{home.tiers.array}/"): content}
