"""Copies that are not as they were recorded, half-way, or on both tiers: told, and walked to where they belong."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from daemon.model import Item, ItemType, MediaFile, Play, PlayState, User
from daemon.state import demands, ledger, plays
from daemon.storage.findings import Name
from daemon.storage.mover import Reading
from daemon.storage.states import BACKUP_SUFFIX
from tests.support.audits import E1, Audited, audited
from tests.support.files import LONG_AGO, open_descriptors

BACKUP = E1 + BACKUP_SUFFIX
FOREIGN_TWIN = "ondeckd did not place this copy, and the array has the same file too"

Chosen = dict[str, Any]

UNION_BACKUP: Chosen = {"original": "backup"}
LINK_BACKUP: Chosen = {"serve": "symlink", "original": "backup"}
LINK_REMOVE: Chosen = {"serve": "symlink", "original": "remove"}
EVERY: tuple[Chosen, ...] = ({}, UNION_BACKUP, {"original": "remove"}, LINK_BACKUP, LINK_REMOVE)


async def _with_checksum(house: Audited) -> Path:
    entry = replace(await house.cache_in(), checksum=f"blake2b:{blake2b(b'film').hexdigest()}")
    await house.store.run(partial(ledger.put_entries, entries=[entry]))
    return Path(entry.file.cache_path)


@pytest.mark.parametrize("placement", EVERY, ids=lambda one: "+".join(one.values()) or "keep")
async def test_a_copy_that_gives_back_other_bytes_than_were_recorded_is_told(tmp_path: Path, placement: Chosen) -> None:
    async with audited(tmp_path, **placement) as house:
        copy = await _with_checksum(house)
        assert await house.found() == []
        house.write(copy, b"flim")
        assert await house.found(array=False) == []
        (found,) = await house.found()
        assert (found.name, found.path) == (Name.CHANGED_COPY, str(copy))
        assert "the disk gives back other bytes than were recorded" in found.text


@pytest.mark.parametrize("placement", [{}, UNION_BACKUP, LINK_BACKUP], ids=str)
async def test_a_copy_with_other_bytes_leaves_by_eviction_and_by_no_fix(tmp_path: Path, placement: Chosen) -> None:
    async with audited(tmp_path, **placement) as house:
        house.write(await _with_checksum(house), b"flim")
        (outcome,) = await house.fix("all")
        assert (outcome.fixed, "evict it" in outcome.said) == (False, True)
        assert house.tiers.cached() == {E1: b"flim"}
        assert len(await house.custody.evict(f"{house.tiers.array}/{E1}")) == 1
        assert house.tiers.on_array() == {E1: b"film", "always.txt": b""}
        assert (house.tiers.cached(), await house.entries(), await house.found()) == ({}, [], [])


@pytest.mark.parametrize("placement", [{"original": "remove"}, LINK_REMOVE], ids=str)
async def test_of_the_only_copy_with_other_bytes_nobody_is_told_to_evict_it(tmp_path: Path, placement: Chosen) -> None:
    async with audited(tmp_path, **placement) as house:
        house.write(await _with_checksum(house), b"flim")
        (outcome,) = await house.fix("all")
        assert (outcome.fixed, "keep it until you have one" in outcome.said) == (False, True)
        assert house.tiers.cached() == {E1: b"flim"}


async def test_a_copy_that_is_written_while_it_is_read_is_the_next_audits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with audited(tmp_path) as house:
        copy = await _with_checksum(house)
        house.write(copy, b"flim")
        read = Reading.step

        def step(reading: Reading) -> None:
            read(reading)
            house.write(copy, b"film")

        monkeypatch.setattr(Reading, "step", step)
        assert await house.found() == []


async def test_a_copy_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with audited(tmp_path) as house:
        copy = await _with_checksum(house)
        before = open_descriptors()

        def step(_reading: Reading) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(Reading, "step", step)
        (found,) = await house.found()
        assert (found.name, found.path) == (Name.NOT_AUDITED, str(copy))
        assert open_descriptors() <= before


async def test_a_changed_copy_is_copied_back_and_the_old_version_stays(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        await house.cache_in()
        house.write(house.tiers.cache / E1, b"another film", mtime_ns=LONG_AGO + 5)
        assert await house.names(array=False) == ["changed-copy"]
        assert [outcome.fixed for outcome in await house.fix("changed-copy")] == [True]
        assert house.tiers.on_array() == {E1: b"another film", BACKUP: b"film", "always.txt": b""}
        assert house.tiers.cached() == {}
        assert (await house.entries(), await house.journal()) == ([], [])
        assert await house.names() == ["superseded-backup"]


@pytest.mark.parametrize("placement", [{}, UNION_BACKUP, LINK_BACKUP], ids=str)
async def test_a_copy_that_only_has_another_time_is_recorded_anew(tmp_path: Path, placement: Chosen) -> None:
    async with audited(tmp_path, **placement) as house:
        await house.cache_in()
        os.utime(house.tiers.cache / E1, ns=(LONG_AGO + 7, LONG_AGO + 7))
        assert await house.names() == ["changed-copy"]
        assert [outcome.fixed for outcome in await house.fix("changed-copy")] == [True]
        (entry,) = await house.entries()
        assert entry.copy_mtime_ns == LONG_AGO + 7
        assert house.tiers.cached() == {E1: b"film"}
        assert await house.found() == []


async def test_a_copy_that_is_being_played_does_not_leave(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        entry = await house.cache_in()
        house.write(house.tiers.cache / E1, b"another film", mtime_ns=LONG_AGO + 5)

        item = Item("1", ItemType.MOVIE, "Film", files=(MediaFile(entry.file.plex_path, 4),))
        now = Play("p", "1", "1", User("1", "Ann"), "tv", "TV", PlayState.PLAYING, 0.0, 0.0)
        await house.store.run(lambda connection: demands.put_items(connection, [item]))
        await house.store.run(lambda connection: plays.put_play(connection, now))
        (outcome,) = await house.fix("changed-copy")
        assert "being played" in outcome.said
        assert (house.tiers.cache / E1).read_bytes() == b"another film"
        await house.store.run(lambda connection: plays.put_play(connection, now, stopped_at=1.0))
        (outcome,) = await house.fix("changed-copy")
        assert outcome.fixed


async def test_an_original_that_is_gone_is_copied_back(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        await house.cache_in()
        (house.tiers.array / E1).unlink()
        assert await house.names(array=False) == []
        assert await house.names() == ["missing-original"]
        assert [outcome.fixed for outcome in await house.fix("all")] == [True]
        assert house.tiers.on_array() == {E1: b"film", "always.txt": b""}


async def test_a_placement_that_stands_half_way_is_finished(tmp_path: Path) -> None:
    async with audited(tmp_path, **UNION_BACKUP) as house:
        await house.cache_in()
        (house.tiers.array / E1).hardlink_to(house.tiers.array / BACKUP)
        assert await house.names() == ["unfinished-placement"]
        assert [outcome.fixed for outcome in await house.fix("unfinished-placement")] == [True]
        assert house.tiers.on_array() == {BACKUP: b"film", "always.txt": b""}
        assert (await house.found(), await house.journal()) == ([], [])


@pytest.mark.parametrize("placement", EVERY[1:], ids=lambda one: "+".join(one.values()))
async def test_a_file_that_both_tiers_have_is_told_and_put_aside(tmp_path: Path, placement: Chosen) -> None:
    async with audited(tmp_path, **placement) as house:
        entry = await house.cache_in()
        before = house.tiers.on_array()
        for name in (E1, BACKUP):
            (house.tiers.array / name).unlink(missing_ok=True)
        house.write(house.tiers.array / E1)
        (found,) = await house.found()
        assert (found.name, found.path) == (Name.DUPLICATE, entry.file.cache_path)
        assert "the array has the same file too" in found.text
        assert [outcome.fixed for outcome in await house.fix("adopt")] == [False]
        assert [outcome.fixed for outcome in await house.fix("duplicate")] == [True]
        assert house.tiers.on_array() == before
        assert (await house.found(), await house.journal()) == ([], [])


async def test_a_file_that_both_tiers_and_a_backup_have_leaves_the_cache(tmp_path: Path) -> None:
    async with audited(tmp_path, **UNION_BACKUP) as house:
        await house.cache_in()
        house.write(house.tiers.array / E1)
        assert await house.names() == ["duplicate"]
        assert [outcome.fixed for outcome in await house.fix("duplicate")] == [True]
        assert house.tiers.cached() == {}
        assert (house.tiers.array / E1).read_bytes() == b"film"


@pytest.mark.parametrize("placement", [UNION_BACKUP, {"original": "remove"}], ids=str)
async def test_a_missing_copy_whose_original_is_back_is_only_forgotten(tmp_path: Path, placement: Chosen) -> None:
    async with audited(tmp_path, **placement) as house:
        await house.cache_in()
        (house.tiers.cache / E1).unlink()
        (house.tiers.array / BACKUP).unlink(missing_ok=True)
        house.write(house.tiers.array / E1)
        (found,) = await house.found()
        assert (found.name, "its original stands at its name" in found.text) == (Name.MISSING_COPY, True)
        assert [outcome.fixed for outcome in await house.fix("missing-copy")] == [True]
        assert (await house.entries(), house.tiers.on_array()) == ([], {E1: b"film", "always.txt": b""})
