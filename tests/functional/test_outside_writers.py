"""Others who write to a file while ondeckd moves it, and evictions that fail half-way: no byte goes astray."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.errors import NoSpace, SourceChanged, StorageError
from tests.support import outside, placement
from tests.support.bad_input import fill, memory_disk
from tests.support.needs import needs_root
from tests.support.outside import (
    NEW,
    NOT_KEPT,
    OLD,
    PLACEMENTS,
    Household,
    household,
    move_over,
    new_disk,
    write_over,
)

executor = placement.executor
everywhere = outside.everywhere
home = outside.home
HALF = len(NEW) // 2


@everywhere
async def test_a_copy_is_not_evicted_while_somebody_writes_a_new_version_into_it(home: Household) -> None:
    await home.cache()
    with home.copy().open("r+b") as writer:
        writer.truncate(0)
        writer.write(NEW[:HALF])
        writer.flush()
        with pytest.raises(StorageError, match=r"being written to|being changed"):
            await home.evict()
        await home.look()
        await home.restart()
        writer.write(NEW[HALF:])

    await home.evict()
    assert home.shown() == home.original().read_bytes() == NEW


@everywhere
async def test_a_copy_is_not_evicted_while_somebody_is_about_to_write_to_it(home: Household) -> None:
    await home.cache()
    with home.copy().open("r+b") as writer:
        with pytest.raises(StorageError, match=r"being written to|being changed"):
            await home.evict()
        writer.write(NEW)

    assert home.copy().read_bytes() == NEW
    await home.evict()
    assert home.shown() == home.original().read_bytes() == NEW
    assert home.kind.endswith("remove") or home.backup().read_bytes() == OLD


@pytest.mark.parametrize("home", NOT_KEPT, indirect=True)
async def test_an_original_is_not_put_aside_while_somebody_still_writes_it(home: Household) -> None:
    home.original().parent.mkdir(parents=True)
    with home.original().open("wb") as writer:
        writer.write(NEW[:HALF])
        writer.flush()
        with pytest.raises(SourceChanged, match="being written to"):
            await home.cache()
        writer.write(NEW[HALF:])

    await home.cache()
    assert home.shown() == home.copy().read_bytes() == NEW


@everywhere
async def test_an_original_that_somebody_goes_on_writing_wins_over_its_half_copy(home: Household) -> None:
    await home.cache(content=NEW[:HALF])
    path = home.original() if home.kind == "union+keep" else home.backup()
    if path.exists():
        write_over(path, NEW)
    await home.evict()

    assert NEW[:HALF] in {found.read_bytes() for found in home.names()}
    assert home.kind in {"union+remove", "symlink+remove"} or NEW in {found.read_bytes() for found in home.names()}


@needs_root
@pytest.mark.parametrize("kind", PLACEMENTS)
async def test_an_eviction_that_fails_half_way_leaves_no_original_hidden(
    tmp_path: Path, executor: ThreadPoolExecutor, kind: str
) -> None:
    array = tmp_path / "array"
    array.mkdir()
    with memory_disk(array, "1M"):
        async with household(tmp_path, executor, kind) as home:
            await home.cache()
            move_over(home.copy(), NEW)
            fill(array / "filler")
            with pytest.raises(NoSpace):
                await home.evict()
            assert home.shown() == NEW

            new_disk(home.tiers.cache)
            await home.look()
            await home.restart()
            assert home.shown() == (None if kind.endswith("remove") else OLD)
            assert home.kind.endswith("remove") or home.names() == {home.original()}
