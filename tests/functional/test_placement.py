"""A file comes to the cache and goes again, and its original stays."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.config import TransferSettings
from daemon.errors import Skipped, SourceMissing, UnmappedPath
from daemon.model import Entry
from daemon.storage import linux
from tests.support import placement
from tests.support.files import LONG_AGO, Tiers, open_descriptors
from tests.support.placement import E1, known

executor = placement.executor
tiers = placement.tiers


async def test_a_file_comes_to_the_cache_and_its_original_stays(tiers: Tiers) -> None:
    file = tiers.film(content=b"the film")

    [entry] = await tiers.cache_in(file)

    assert tiers.cached() == tiers.on_array() == {E1: b"the film"}
    assert entry == Entry(replace(file, size=8), LONG_AGO, 1_700_000_000.0)
    assert tiers.progress[-1] == (8, 8)


async def test_bytes_and_names_are_on_the_disk_before_what_relies_on_them(
    tiers: Tiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def noted(name: str, function: Callable[..., object], what: Callable[..., str]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            calls.append(re.sub(r"(\.ondeckd-)?[0-9a-f]{32}", "TEMPORARY", f"{name} {what(*args)}"))
            return function(*args, **kwargs)

        return call

    def named(descriptor: int) -> str:
        return Path(f"/proc/self/fd/{descriptor}").readlink().name

    file = tiers.film("Show/e1.mkv")
    monkeypatch.setattr(os, "fsync", noted("fsync", os.fsync, named))
    monkeypatch.setattr(linux, "rename_new", noted("rename", linux.rename_new, lambda old, new: f"{old} {new}"))
    monkeypatch.setattr(os, "unlink", noted("unlink", os.unlink, str))

    [entry] = await tiers.cache_in(file)
    calls.append("cached")
    await tiers.placement.evict(entry)

    assert [call for call in calls if call != "unlink TEMPORARY.probe"] == [
        "fsync TEMPORARY.part",
        "fsync manifest",
        "fsync .ondeckd",
        "fsync TEMPORARY.part",
        "rename TEMPORARY.part Show",
        "fsync cache",
        "rename TEMPORARY.part e1.mkv",
        "fsync Show",
        "cached",
        "fsync Show",
        "unlink e1.mkv",
        "fsync Show",
        "fsync cache",
    ]


async def test_an_evicted_file_leaves_nothing_but_its_original(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())

    await tiers.placement.evict(entry)

    assert tiers.cached() == {}
    assert tiers.folders() == set()
    assert tiers.on_array() == {E1: b"film"}


async def test_nothing_stays_open(tiers: Tiers) -> None:
    await tiers.placement.evict((await tiers.cache_in(tiers.film()))[0])
    before = open_descriptors()

    await tiers.placement.evict((await tiers.cache_in(tiers.film()))[0])
    with pytest.raises(SourceMissing):
        await tiers.cache_in(tiers.file("gone.mkv"))

    assert open_descriptors() == before


async def test_a_foreign_file_at_the_target_is_left_alone(tiers: Tiers) -> None:
    file = tiers.film()
    (tiers.cache / "Show/Season 1").mkdir(parents=True)
    (tiers.cache / E1).write_bytes(b"foreign")

    with pytest.raises(Skipped, match="not placed by ondeckd, and is left alone"):
        await tiers.cache_in(file)

    assert tiers.cached() == {E1: b"foreign"}
    assert ("open", "cache_in") not in tiers.touches


@pytest.mark.parametrize("no_rename", [False, True])
async def test_a_foreign_file_that_appears_at_the_last_moment_is_not_overwritten(
    tiers: Tiers, monkeypatch: pytest.MonkeyPatch, no_rename: bool
) -> None:
    if no_rename:
        monkeypatch.setattr(linux, "rename_new", lambda *_, **__: False)
    file = tiers.film()

    async def appear(_entry: Entry) -> None:
        (tiers.cache / "Show/Season 1").mkdir(parents=True)
        (tiers.cache / E1).write_bytes(b"foreign")

    with pytest.raises(Skipped):
        await tiers.cache_in(file, publishing=appear)

    assert tiers.cached() == {E1: b"foreign"}


async def test_a_file_system_without_exclusive_renames_serves_too(
    tiers: Tiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linux, "rename_new", lambda *_, **__: False)

    [entry] = await tiers.cache_in(tiers.film())

    assert tiers.cached() == {E1: b"film"}
    assert (tiers.cache / E1).stat().st_nlink == 1
    await tiers.placement.evict(entry)
    assert tiers.folders() == set()


async def test_a_copy_that_stands_is_not_made_again_and_a_sidecar_that_a_crash_kept_out_follows(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.film("Show/Season 1/e1.en.srt")
    entries = await tiers.cache_in(file)
    inode = (tiers.cache / E1).stat().st_ino
    tiers.touches.clear()

    assert await tiers.cache_in(file, known=known(entries)) == entries

    assert (tiers.cache / E1).stat().st_ino == inode
    assert tiers.touches == [("list", "cache_in")]
    (tiers.cache / "Show/Season 1/e1.en.srt").unlink()
    assert await tiers.cache_in(file, known=known(entries[:1])) == entries
    assert tiers.cached() == tiers.on_array()


async def test_a_copy_that_was_lost_is_made_again(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.film("Show/Season 1/e1.en.srt")
    entries = await tiers.cache_in(file)
    (tiers.cache / E1).unlink()

    assert await tiers.cache_in(file, known=known(entries)) == entries

    assert len(tiers.cached()) == 2


async def test_the_ledger_hears_of_a_copy_before_it_has_its_name(tiers: Tiers) -> None:
    file = tiers.film()
    heard: list[tuple[Entry, bool]] = []

    async def publishing(entry: Entry) -> None:
        heard.append((entry, await tiers.placement.stands(entry)))

    [entry] = await tiers.cache_in(file, publishing=publishing)

    assert heard == [(entry, False)]
    assert await tiers.placement.stands(entry)


async def test_a_file_that_is_not_there_is_missing(tiers: Tiers) -> None:
    tiers.film("other.mkv")

    with pytest.raises(SourceMissing, match="No such file"):
        await tiers.cache_in(tiers.file(E1))

    assert tiers.cached() == {}
    assert tiers.folders() == set()


@pytest.mark.parametrize("yields", [True, False])
async def test_a_copy_yields_to_a_stream_if_the_setting_says_so(
    tmp_path: Path, executor: ThreadPoolExecutor, yields: bool
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"yield_to_playback": yields})
    asked: list[bool] = []

    def busy() -> bool:
        asked.append(True)
        return True

    await tiers.cache_in(tiers.film(), busy=busy)

    assert bool(asked) is yields


async def test_new_settings_hold_for_what_begins_after_them(tiers: Tiers) -> None:
    settings = TransferSettings(sidecars="none")
    tiers.film("Show/Season 1/e1.srt")

    tiers.placement.configure(tiers.mappings, settings, keep_free=lambda _total: 0)

    assert len(await tiers.cache_in(tiers.film())) == 1


async def test_an_entry_of_a_mapping_that_has_gone_is_refused(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())

    with pytest.raises(UnmappedPath):
        await tiers.placement.evict(replace(entry, file=replace(entry.file, mapping="Old")))


async def test_many_files_of_one_folder_come_and_go_at_once(tiers: Tiers) -> None:
    files = [tiers.film(f"Show/Season 1/e{n}.mkv", os.urandom(1000)) for n in range(20)]

    for _ in range(3):
        found = await asyncio.gather(*(tiers.cache_in(file) for file in files))
        assert tiers.cached() == tiers.on_array()
        await asyncio.gather(*(tiers.placement.evict(entry) for [entry] in found))
        assert tiers.cached() == {}
        assert tiers.folders() == set()


async def test_every_touch_of_the_array_is_counted_with_its_reason(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    await tiers.placement.evict(entry)

    assert {reason for _, reason in tiers.touches} == {"cache_in", "evict"}
    assert {operation for operation, _ in tiers.touches} == {"open", "read", "stat", "list", "change"}
