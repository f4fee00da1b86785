"""What a crash left on the cache is swept, and nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.errors import TierUnavailable
from daemon.storage import tree
from tests.support import placement
from tests.support.files import Tiers
from tests.support.placement import E1, SLOW, known

executor = placement.executor
tiers = placement.tiers


async def test_the_sweep_removes_what_a_crash_left_and_nothing_else(tiers: Tiers) -> None:
    await tiers.cache_in(tiers.film())
    stray = "0123456789abcdef0123456789abcdef.part"
    ours = [tiers.cache / ".ondeckd" / stray, tiers.cache / f"Show/.ondeckd-{stray}"]
    theirs = [
        tiers.cache / ".ondeckd/manifest",
        tiers.cache / "Show" / stray,
        tiers.cache / ".ondeckd-notes.txt",
    ]
    for path in [*ours, *theirs]:
        path.write_bytes(b"")
    folder = tiers.cache / f".ondeckd-{stray}"
    folder.mkdir()

    assert sorted(tiers.sweep()) == sorted(str(path) for path in [*ours, folder])

    assert all(path.exists() for path in theirs)
    assert tiers.sweep() == []


async def test_a_cache_that_is_not_there_at_the_start_is_swept_before_the_next_copy(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    left = tiers.cache / ".ondeckd/0123456789abcdef0123456789abcdef.part"
    left.touch()
    started = Tiers(tiers.array.parent, tiers.executor)
    tiers.cache.rename(aside := tiers.cache.with_name("aside"))
    assert started.sweep() == []
    aside.rename(tiers.cache)

    await started.cache_in(started.film(), known=known([entry]))

    assert list(tiers.cached()) == [E1]


async def test_a_cache_that_went_away_under_a_copy_is_swept_before_the_next(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    tiers.sweep()
    aside = tiers.cache.with_name("aside")
    tiers.cache.rename(aside)
    with pytest.raises(TierUnavailable):
        await tiers.cache_in(tiers.film("e2.mkv"))
    (aside / ".ondeckd/0123456789abcdef0123456789abcdef.part").touch()
    aside.rename(tiers.cache)

    await tiers.cache_in(tiers.film(), known=known([entry]))

    assert list(tiers.cached()) == [E1]


async def test_a_sweep_leaves_what_running_copies_and_probes_use(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor, transfer=SLOW)
    swept = []

    def sweep(_done: int, _total: int) -> None:
        swept.append(tiers.sweep())

    await tiers.placement.cache_in(tiers.film(content=bytes(200_000)), sweep)
    with tree.probe_file(str(tiers.cache)) as probe:
        assert tiers.sweep() == []
        assert (tiers.cache / probe).exists()

    assert len(swept) > 1
    assert not any(swept)
    assert tiers.cached() == tiers.on_array()
