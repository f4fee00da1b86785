"""Room that runs out, sources that change and copies that are cancelled leave nothing behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.errors import NoSpace, SourceChanged, SourceMissing, StorageError
from daemon.model import Entry
from tests.support import placement
from tests.support.files import LONG_AGO, Tiers
from tests.support.placement import E1, SLOW

executor = placement.executor
tiers = placement.tiers


async def test_no_copy_begins_without_room_for_it_and_for_what_must_stay_free(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers = Tiers(tmp_path, executor, keep_free=lambda total: total)

    with pytest.raises(NoSpace, match="bytes more than"):
        await tiers.cache_in(tiers.film())

    assert tiers.cached() == {}
    assert tiers.folders() == set()


async def test_room_that_goes_meanwhile_ends_the_copy_without_a_trace(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    reserve = [0]
    tiers = Tiers(tmp_path, executor, transfer=SLOW, keep_free=lambda _total: reserve[0])

    def taken(_done: int, _total: int) -> None:
        reserve[0] = 1 << 62

    with pytest.raises(NoSpace):
        await tiers.placement.cache_in(tiers.film(content=bytes(250_000)), taken)

    assert tiers.cached() == {}


async def test_a_source_that_changes_under_the_copy_leaves_no_copy(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers = Tiers(tmp_path, executor, transfer=SLOW)
    file = tiers.film(content=bytes(250_000))

    def grow(_done: int, _total: int) -> None:
        with (tiers.array / E1).open("ab") as original:
            original.write(b"more")

    with pytest.raises(SourceChanged):
        await tiers.placement.cache_in(file, grow)

    assert tiers.cached() == {}


def upgrade(tiers: Tiers) -> None:
    new = tiers.array / "new"
    new.write_bytes(b"film")
    os.utime(new, ns=(LONG_AGO, LONG_AGO))
    new.rename(tiers.array / E1)


def delete(tiers: Tiers) -> None:
    (tiers.array / E1).unlink()
    (tiers.array / "other.mkv").touch()


@pytest.mark.parametrize(("change", "error"), [(upgrade, SourceChanged), (delete, SourceMissing)])
async def test_a_source_that_is_replaced_before_the_copy_has_its_name_leaves_no_copy(
    tiers: Tiers, change: Callable[[Tiers], None], error: type[StorageError]
) -> None:
    async def publishing(_entry: Entry) -> None:
        change(tiers)

    with pytest.raises(error):
        await tiers.cache_in(tiers.film(), publishing=publishing)

    assert tiers.cached() == {}
    assert tiers.folders() == set()


async def test_a_cancelled_copy_leaves_nothing(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor, transfer=SLOW)
    begun = asyncio.Event()
    file = tiers.film(content=bytes(250_000))
    copying = asyncio.create_task(tiers.placement.cache_in(file, lambda *_: begun.set()))
    await begun.wait()
    assert list(tiers.cached()) != []

    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying

    assert tiers.cached() == {}
    assert tiers.on_array() == {E1: bytes(250_000)}


async def test_a_copy_without_room_leaves_the_array_asleep(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor, keep_free=lambda total: total - 100)
    file = replace(tiers.film(), size=1 << 60)
    tiers.array.rename(tmp_path / "asleep")

    with pytest.raises(NoSpace, match="bytes more than"):
        await tiers.cache_in(file)

    assert tiers.touches == []
    assert tiers.progress == []
