"""Who streams through a real mergerfs of an ext4 array and an xfs cache notices nothing of cache-ins and evictions."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import placement
from tests.support.needs import needs_ext4, needs_mergerfs, needs_root, needs_xfs
from tests.support.outside import E1, UNIONS, Household, household
from tests.support.pool import Readers, pool

pytestmark = [needs_root, needs_mergerfs, needs_ext4, needs_xfs]
executor = placement.executor

ROUNDS = [20, pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(300)])]


@pytest.mark.parametrize("kind", UNIONS)
@pytest.mark.parametrize("rounds", ROUNDS)
async def test_streams_get_the_right_bytes_without_an_error_while_the_file_comes_and_goes(
    tmp_path: Path, executor: ThreadPoolExecutor, kind: str, rounds: int
) -> None:
    content = os.urandom(2_000_000)
    with pool(tmp_path) as point:
        async with household(tmp_path, executor, kind, union=str(point)) as home:
            home.tiers.film(E1, content)
            readers = Readers(home.view(), content)
            async with asyncio.TaskGroup() as group:
                for call in (readers.stream, readers.stream):
                    group.create_task(asyncio.to_thread(call))
                for number in range(len(readers.jumps)):
                    group.create_task(asyncio.to_thread(readers.jump, number))
                try:
                    await _come_and_go(home, readers, rounds)
                finally:
                    readers.stop()
            assert home.original().read_bytes() == content
            assert not home.copy().exists()

    assert readers.errors == []
    assert readers.streams > 2
    assert sum(readers.jumps) > rounds * 8


async def _come_and_go(home: Household, readers: Readers, rounds: int) -> None:
    for _ in range(rounds):
        before = readers.repeated
        await home.cache()
        await asyncio.to_thread(readers.wait_for_all)
        # The daemon caches what plays, but evicts nothing that does.
        assert readers.repeated == before
        assert home.copy().exists()
        assert home.original().exists() == (home.kind == "union+keep")
        await home.evict()
        await asyncio.to_thread(readers.wait_for_all)
