"""What a fault of a tier holds back, and what not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.asking import Asker
from daemon.bell import Bell
from daemon.clock import Clock
from daemon.config import build
from daemon.errors import AnchorMissing, NoSpace, OndeckdError, SourceMissing, TierUnavailable, UnsafeEvict
from daemon.holds import Holds
from daemon.live import Live
from daemon.model import TaskKind
from daemon.state.store import Store


@pytest.fixture
async def holds(tmp_path: Path) -> AsyncIterator[Holds]:
    """Two mappings with good tiers, nothing held."""
    mappings = []
    for name in ("Films", "TV"):
        (tmp_path / "array" / name).mkdir(parents=True)
        (tmp_path / "array" / name / "a.mkv").touch()
        (tmp_path / "cache" / name).mkdir(parents=True)
        array, cache = (str(tmp_path / tier / name) for tier in ("array", "cache"))
        mappings.append({"name": name, "plex": f"/data/{name}", "array": array, "cache": cache})
    live, clock = Live(build({"mapping": mappings})), Clock(600.0)
    (tmp_path / "state").mkdir()
    with ThreadPoolExecutor(2) as executor:
        async with Store(tmp_path / "state") as store:
            yield Holds(live, store, clock, Asker(executor), Bell(clock))


@pytest.mark.parametrize("error", [TierUnavailable("EIO"), SourceMissing("gone"), UnsafeEvict("changed")])
async def test_a_fault_of_one_file_holds_nothing(holds: Holds, error: OndeckdError) -> None:
    assert not await holds.blame("TV", error)
    assert holds.held(TaskKind.CACHE_IN) == holds.held(TaskKind.EVICT) == []


async def test_what_leaves_a_full_cache_is_not_held(holds: Holds) -> None:
    assert await holds.blame("TV", NoSpace("full"))
    assert holds.held(TaskKind.CACHE_IN) == ["TV"]
    assert holds.held(TaskKind.EVICT) == []


async def test_a_small_file_that_fits_lets_the_next_try_and_says_nothing_of_the_cache_being_well(holds: Holds) -> None:
    assert await holds.blame("TV", NoSpace("full"))
    holds.succeeded("TV")
    assert holds.held(TaskKind.CACHE_IN) == []
    assert holds.problems()["TV"].why == "full"
    assert await holds.blame("TV", NoSpace("full"))
    assert holds.held(TaskKind.CACHE_IN) == ["TV"]


async def test_an_array_that_is_not_mounted_holds_both_ways_until_it_is_let_go(holds: Holds) -> None:
    assert await holds.blame("TV", AnchorMissing("TV: /mnt/tv is empty"))
    assert holds.held(TaskKind.CACHE_IN) == holds.held(TaskKind.EVICT) == ["TV"]
    assert holds.problems()["TV"].why == "/mnt/tv is empty"
    holds.release("TV")
    assert holds.held(TaskKind.EVICT) == []


@pytest.mark.parametrize("error", [TierUnavailable("EROFS"), SourceMissing("gone")])
async def test_the_cause_is_looked_for_and_named(holds: Holds, tmp_path: Path, error: OndeckdError) -> None:
    (tmp_path / "array" / "TV" / "a.mkv").unlink()
    assert await holds.blame("TV", error)
    hold = holds.problems()["TV"]
    assert (hold.kind, hold.why) == (AnchorMissing, f"{tmp_path / 'array' / 'TV'} is empty; is the array mounted?")
