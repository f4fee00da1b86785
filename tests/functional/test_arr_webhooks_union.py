"""Sonarr works through a real mergerfs pool and says what it did: the outcomes are the same as on bare folders."""

from __future__ import annotations

import errno
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import arr, placement
from tests.support.changes import Arr
from tests.support.needs import needs_mergerfs, needs_root
from tests.support.outside import E1, E2, NEW, OLD, UNIONS, Household, delete_in_view, household, move_over, stale
from tests.support.pool import mount_pool

pytestmark = [needs_root, needs_mergerfs]
executor = placement.executor
everywhere = pytest.mark.parametrize("home", UNIONS, indirect=True)

KEPT = "Show/Season 1/kept.mkv"
OTHER = "Show/Season 2/e1 - Pilot.mkv"
TV = "/data/tv"


@pytest.fixture
async def home(
    tmp_path: Path, executor: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> AsyncIterator[Household]:
    (tmp_path / "cache").mkdir()
    (tmp_path / "array").mkdir()
    with ExitStack() as stack:
        point = mount_pool(
            stack, tmp_path / "cache", tmp_path / "array", tmp_path / "pool", "cache.attr=0,cache.entry=0"
        )
        async with household(tmp_path, executor, request.param, union=str(point)) as found:
            stale(found.original(KEPT), b"so that the array is not empty")
            yield found


@everywhere
async def test_what_sonarr_deletes_in_the_pool_is_gone_from_both_disks(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    delete_in_view(home)
    await sonarr.says(arr.deleted(str(home.view()), len(OLD)))
    await home.look()
    await home.restart()
    assert await home.entries() == []
    assert (home.shown(), home.names(), home.tiers.cached()) == (None, {home.original(KEPT)}, {})


@everywhere
@pytest.mark.parametrize("name", [E1, E2])
async def test_an_upgrade_in_the_pool_leaves_the_new_file_alone_wherever_the_pool_put_it(
    home: Household, name: str
) -> None:
    sonarr = Arr(home)
    await home.cache()
    await sonarr.demand()
    delete_in_view(home)
    move_over(home.view(name), NEW)
    payload = arr.imported(str(home.view(name)), len(NEW), arr.file(str(home.view()), len(OLD)))
    assert await sonarr.says(payload) is None
    await home.look()
    await home.restart()
    assert (await home.entries(), await sonarr.listed()) == ([], [name])
    assert home.shown(name) == NEW
    assert home.shown(E2 if name == E1 else E1) is None
    assert not home.backup().exists()


@everywhere
async def test_a_file_renamed_in_the_pool_stays_cached_under_its_new_name(home: Household) -> None:
    sonarr, new = Arr(home), E2
    await home.cache()
    home.view().rename(home.view(new))

    assert await sonarr.says(arr.renamed((str(home.view()), str(home.view(new))))) is None
    assert [entry.file.plex_path for entry in await home.entries()] == [f"{TV}/{new}"]
    await home.look()
    await home.restart()
    assert (home.shown(), home.shown(new), set(home.tiers.cached())) == (None, OLD, {new})
    await home.evict(new)
    assert (home.shown(new), home.tiers.cached()) == (OLD, {})
    assert home.original(new).read_bytes() == OLD


@everywhere
async def test_a_file_that_the_pool_cannot_rename_is_copied_and_nothing_comes_back(home: Household) -> None:
    sonarr = Arr(home)
    await home.cache()
    await sonarr.demand(size=len(OLD))
    home.view(OTHER).parent.mkdir()  # on one of the disks
    try:
        home.view().rename(home.view(OTHER))
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(home.view(), home.view(OTHER))
        home.view().unlink()

    assert await sonarr.says(arr.renamed((str(home.view()), str(home.view(OTHER))))) is None
    await home.look()
    await home.restart()
    assert (await sonarr.listed(), await home.entries()) == ([OTHER], [])
    assert (home.shown(), home.shown(OTHER)) == (None, OLD)
    assert not home.backup().exists()
