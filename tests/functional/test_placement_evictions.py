"""A copy is deleted only when its original is proven at that moment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.errors import UnsafeEvict, VerifyFailed
from tests.support import placement
from tests.support.files import LONG_AGO, Tiers
from tests.support.placement import E1

executor = placement.executor
tiers = placement.tiers


async def test_a_folder_with_other_files_stays(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    (tiers.cache / "Show/Season 1/new download.mkv").write_bytes(b"new")

    await tiers.placement.evict(entry)

    assert tiers.cached() == {"Show/Season 1/new download.mkv": b"new"}


def missing(tiers: Tiers) -> None:
    (tiers.array / E1).unlink()
    (tiers.array / "other.mkv").touch()


def replaced(tiers: Tiers) -> None:
    tiers.film(content=b"a better film")


def retimed(tiers: Tiers) -> None:
    tiers.film(mtime_ns=LONG_AGO + 1)


def linked(tiers: Tiers) -> None:
    (tiers.array / E1).unlink()
    os.link(tiers.cache / E1, tiers.array / E1)


def a_folder(tiers: Tiers) -> None:
    (tiers.array / E1).unlink()
    (tiers.array / E1).mkdir()


async def test_a_copy_whose_original_is_missing_is_brought_back(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    missing(tiers)

    await tiers.placement.evict(entry)

    assert (tiers.cached(), tiers.on_array()) == ({}, {E1: b"film", "other.mkv": b""})
    assert (tiers.array / E1).stat().st_mtime_ns == LONG_AGO


@pytest.mark.parametrize(("change", "newer"), [(replaced, b"a better film"), (retimed, b"film")])
async def test_a_copy_whose_original_was_replaced_goes_and_its_content_is_kept_beside_the_newer(
    tiers: Tiers, change: Callable[[Tiers], None], newer: bytes
) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    change(tiers)

    await tiers.placement.evict(entry)

    assert (tiers.cached(), tiers.on_array()) == ({}, {E1: newer, f"{E1}.plexcached": b"film"})


async def test_a_copy_whose_original_was_replaced_stays_where_there_is_no_name_to_keep_it_under(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    replaced(tiers)
    tiers.film(f"{E1}.plexcached", b"somebody else's")

    with pytest.raises(UnsafeEvict, match="the name of its backup is taken"):
        await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"film"}
    assert tiers.on_array() == {E1: b"a better film", f"{E1}.plexcached": b"somebody else's"}


@pytest.mark.parametrize("change", [linked, a_folder])
async def test_a_copy_whose_original_is_not_proven_stays(tiers: Tiers, change: Callable[[Tiers], None]) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    change(tiers)

    with pytest.raises(UnsafeEvict, match="stays on the cache"):
        await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"film"}


async def test_an_original_that_leads_out_of_the_array_proves_nothing(tiers: Tiers, tmp_path: Path) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    (tiers.array / E1).rename(tmp_path / "outside.mkv")
    (tiers.array / E1).symlink_to(tmp_path / "outside.mkv")

    with pytest.raises(UnsafeEvict, match="something that is no file"):
        await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"film"}


async def test_a_copy_that_somebody_changed_is_the_newest_and_comes_back_beside_what_it_replaced(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    (tiers.cache / E1).write_bytes(b"transcoded")

    await tiers.placement.evict(entry)

    assert (tiers.cached(), tiers.on_array()) == ({}, {E1: b"transcoded", f"{E1}.plexcached": b"film"})


async def test_of_two_changed_versions_both_stay(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    (tiers.cache / E1).write_bytes(b"transcoded")
    replaced(tiers)

    with pytest.raises(UnsafeEvict, match="nobody can tell which is newer"):
        await tiers.placement.evict(entry)

    assert (tiers.cached(), tiers.on_array()) == ({E1: b"transcoded"}, {E1: b"a better film"})


async def test_a_copy_that_was_emptied_is_not_taken_for_a_newer_version(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    (tiers.cache / E1).write_bytes(b"")

    with pytest.raises(UnsafeEvict, match="stays on the cache"):
        await tiers.placement.evict(entry)

    assert (tiers.cached(), tiers.on_array()) == ({E1: b""}, {E1: b"film"})


async def test_a_copy_that_has_gone_needs_no_eviction_and_no_array(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    shutil.rmtree(tiers.cache / "Show")
    tiers.touches.clear()

    await tiers.placement.evict(entry)

    assert tiers.touches == []


async def test_a_checksum_is_recorded_and_proves_the_original_at_the_end(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"verify": "checksum"})
    [entry] = await tiers.cache_in(tiers.film())
    assert entry.checksum.startswith("blake2b:")

    tiers.film(content=b"rot!")
    with pytest.raises(UnsafeEvict, match="has other content"):
        await tiers.placement.evict(entry)
    assert tiers.cached() == {E1: b"film"}

    tiers.film()
    await tiers.placement.evict(entry)
    assert tiers.cached() == {}
    await tiers.placement.evict(entry)


async def test_a_disk_that_gives_back_other_bytes_gets_no_name(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"verify": "checksum"})
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda target, data, offset: write(target, bytes(len(data)), offset))

    with pytest.raises(VerifyFailed, match="gave back other bytes"):
        await tiers.cache_in(tiers.film())

    assert tiers.cached() == {}


async def test_an_original_that_is_replaced_while_its_checksum_is_read_proves_nothing(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"verify": "checksum"})
    [entry] = await tiers.cache_in(tiers.film())

    def replaced_by_rot(operation: str, _reason: str) -> None:
        if operation == "read":
            (tiers.array / E1).unlink()
            tiers.film(content=b"rot!")

    tiers.when_touched = replaced_by_rot
    with pytest.raises(UnsafeEvict, match="is being changed"):
        await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"film"}
