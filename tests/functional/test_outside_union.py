"""Sonarr, Plex and the user change a cached file through a real mergerfs pool: the outcomes are the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from daemon.errors import SourceChanged
from tests.support import placement
from tests.support.needs import needs_mergerfs, needs_root
from tests.support.outside import (
    E1,
    E2,
    NEW,
    OLD,
    UNIONS,
    Household,
    delete_in_view,
    household,
    move_over,
    rename_in_view,
    write_over,
)
from tests.support.pool import mount_pool

pytestmark = [needs_root, needs_mergerfs]
executor = placement.executor
everywhere = pytest.mark.parametrize("home", UNIONS, indirect=True)


@pytest.fixture
async def home(
    tmp_path: Path, executor: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> AsyncIterator[Household]:
    (tmp_path / "cache").mkdir()
    (tmp_path / "array").mkdir()
    with ExitStack() as stack:
        # Without its memory for attributes the pool shows at once what is there.
        point = mount_pool(
            stack, tmp_path / "cache", tmp_path / "array", tmp_path / "pool", "cache.attr=0,cache.entry=0"
        )
        async with household(tmp_path, executor, request.param, union=str(point)) as found:
            yield found


@everywhere
async def test_a_version_written_through_the_pool_gets_the_media_path(home: Household) -> None:
    await home.cache()
    write_over(home.view(), NEW)
    assert home.copy().read_bytes() == NEW
    await home.restart()
    # mergerfs closes a file some time after its writer has, and till then it counts as being written to.
    async with asyncio.timeout(60):
        while await home.entries():
            with suppress(SourceChanged):
                await home.evict()

    assert home.shown() == home.original().read_bytes() == NEW
    assert home.kind == "union+remove" or home.backup().read_bytes() == OLD


@everywhere
async def test_a_version_moved_over_the_old_one_in_the_pool_gets_the_media_path(home: Household) -> None:
    await home.cache()
    move_over(home.view(), NEW)
    assert home.shown() == NEW
    await home.look()
    await home.restart()
    assert home.shown() == NEW
    if await home.entries():
        await home.evict()

    assert home.shown() == NEW
    # Where the original was kept under its own name, the pool itself has replaced it.
    assert home.kind != "union+backup" or home.backup().read_bytes() == OLD


@everywhere
async def test_what_is_deleted_in_the_pool_is_gone_or_back_but_never_half(home: Household) -> None:
    await home.cache()
    await home.cache(E2, NEW)
    delete_in_view(home)
    assert home.shown() is None
    await home.look()
    await home.restart()

    assert home.shown() == (OLD if home.kind == "union+backup" else None)
    assert home.shown(E2) == NEW
    assert [entry.file.array_path for entry in await home.entries()] == [str(home.original(E2))]
    assert not home.backup().exists()


@everywhere
async def test_what_is_renamed_in_the_pool_plays_under_its_new_name(home: Household) -> None:
    await home.cache()
    rename_in_view(home, E1, E2)
    await home.look()
    await home.restart()

    assert home.shown(E2) == OLD
    assert home.shown(E1) == (OLD if home.kind == "union+backup" else None)
    assert await home.entries() == []


@everywhere
async def test_a_season_folder_renamed_in_the_pool_is_not_followed_and_nothing_of_it_is_lost(home: Household) -> None:
    await home.cache()
    season = home.view().parent
    season.rename(season.with_name("Season 01"))
    await home.look()
    await home.restart()

    assert home.shown("Show/Season 01/e1.mkv") == OLD
    assert home.shown() is None
    assert home.kind != "union+backup" or home.backup("Show/Season 01/e1.mkv").read_bytes() == OLD
    assert await home.entries() == []


@everywhere
async def test_what_is_deleted_and_fetched_anew_in_the_pool_stays_new(home: Household) -> None:
    await home.cache()
    delete_in_view(home)
    move_over(home.view(), NEW)
    await home.look()
    await home.restart()
    if await home.entries():
        await home.evict()

    assert home.shown() == NEW


@everywhere
async def test_what_plex_makes_in_the_pool_beside_a_cached_file_stays(home: Household) -> None:
    await home.cache()
    optimized = home.view().parent / "Plex Versions/Optimized for TV/e1.mp4"
    optimized.parent.mkdir(parents=True)
    optimized.write_bytes(NEW)
    await home.evict()
    await home.restart()

    assert (home.shown(), optimized.read_bytes()) == (OLD, NEW)
