"""What a fault of a tier holds back, and what not."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.asking import Asker
from daemon.bell import Bell
from daemon.clock import Clock
from daemon.config import build
from daemon.errors import (
    AnchorMissing,
    NoSpace,
    OndeckdError,
    SourceMissing,
    StorageError,
    TierRefused,
    TierUnavailable,
    UnsafeEvict,
)
from daemon.holds import Holds
from daemon.live import Live
from daemon.model import TaskKind
from daemon.state.store import Store
from daemon.storage.faults import translated
from daemon.tiers import Tier


def _mapping(folder: Path, name: str, **more: str) -> dict[str, str]:
    array, cache = (str(folder / tier / name) for tier in ("array", "cache"))
    return {"name": name, "plex": f"/data/{name}", "array": array, "cache": cache, **more}


@pytest.fixture
async def holds(tmp_path: Path) -> AsyncIterator[Holds]:
    """Two mappings with good tiers, nothing held."""
    for name in ("Films", "TV"):
        (tmp_path / "array" / name).mkdir(parents=True)
        (tmp_path / "array" / name / "a.mkv").touch()
        (tmp_path / "cache" / name).mkdir(parents=True)
    mappings = [_mapping(tmp_path, name) for name in ("Films", "TV")]
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
    assert sorted(holds.held(TaskKind.CACHE_IN)) == ["Films", "TV"]
    assert holds.held(TaskKind.EVICT) == []


async def test_a_cache_on_another_file_system_is_not_full_with_it(
    holds: Holds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tier, "disk", lambda _tier, mapping: {"TV": 1, "Films": 2}[mapping.name])
    assert await holds.blame("TV", NoSpace("full", path=str(tmp_path / "cache" / "TV" / "a.mkv")))
    assert holds.held(TaskKind.CACHE_IN) == ["TV"]


async def test_a_full_array_holds_only_what_is_always_copied_back_and_one_success_lets_the_next_try(
    holds: Holds, tmp_path: Path
) -> None:
    holds._live.swap(build({"mapping": [_mapping(tmp_path, name, original="remove") for name in ("Films", "TV")]}))
    full = NoSpace("full", path=str(tmp_path / "array" / "TV" / "a.mkv"))
    assert await holds.blame("TV", full)
    assert sorted(holds.held(TaskKind.EVICT)) == ["Films", "TV"]
    assert holds.held(TaskKind.CACHE_IN) == []

    holds.succeeded("TV", TaskKind.CACHE_IN)
    assert sorted(holds.held(TaskKind.EVICT)) == ["Films", "TV"]
    holds.succeeded("TV", TaskKind.EVICT)
    assert holds.held(TaskKind.EVICT) == []
    assert sorted(holds.problems()) == ["Films", "TV"]


async def test_one_copy_that_finds_no_room_on_the_array_is_one_file_where_originals_stay(
    holds: Holds, tmp_path: Path
) -> None:
    assert not await holds.blame("TV", NoSpace("full", path=str(tmp_path / "array" / "TV" / "a.mkv")))
    assert holds.problems() == {}


async def test_of_a_full_array_and_a_full_cache_neither_hides_the_other(holds: Holds, tmp_path: Path) -> None:
    holds._live.swap(build({"mapping": [_mapping(tmp_path, "TV", original="remove")]}))
    assert await holds.blame("TV", NoSpace("array full", path=str(tmp_path / "array" / "TV" / "a.mkv")))
    assert await holds.blame("TV", NoSpace("cache full"))
    assert holds.held(TaskKind.EVICT) == holds.held(TaskKind.CACHE_IN) == ["TV"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, NoSpace),
        (errno.EDQUOT, NoSpace),
        (errno.EROFS, TierRefused),
        (errno.EACCES, TierRefused),
        (errno.EPERM, TierRefused),
        (errno.EIO, TierUnavailable),
        (errno.ESTALE, TierUnavailable),
    ],
)
def test_what_a_failed_call_means_and_on_which_tier(code: int, kind: type[StorageError]) -> None:
    with pytest.raises(StorageError) as found, translated("copying a to b", tier="/cache"):
        raise OSError(code, os.strerror(code))
    assert (type(found.value), found.value.path) == (kind, "/cache")


async def test_an_array_that_is_never_written_to_is_never_asked_whether_it_can_be(
    holds: Holds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.holds.demand_writable", lambda *_: pytest.fail("it was asked"))
    monkeypatch.setattr("daemon.tiers.demand_writable", lambda *_: pytest.fail("it was asked"))
    refused = TierRefused("EACCES", path=str(tmp_path / "array" / "TV" / "a.mkv"))
    assert not await holds.blame("TV", refused)

    holds._live.swap(build({"mapping": [_mapping(tmp_path, "TV", original="backup")]}))
    for error in (TierUnavailable("EIO", path=refused.path), TierRefused("EACCES", path=str(tmp_path / "cache/TV/a"))):
        assert not await holds.blame("TV", error)


async def test_a_small_file_that_fits_lets_the_next_try_and_says_nothing_of_the_cache_being_well(holds: Holds) -> None:
    assert await holds.blame("TV", NoSpace("full"))
    holds.succeeded("TV")
    assert holds.held(TaskKind.CACHE_IN) == []
    assert holds.problems()["TV"].why == "full"
    assert await holds.blame("TV", NoSpace("full"))
    assert sorted(holds.held(TaskKind.CACHE_IN)) == ["Films", "TV"]


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
