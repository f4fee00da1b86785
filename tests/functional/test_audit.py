"""Each thing that an audit can find, and what becomes of it when it is fixed."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import TargetBusy
from daemon.model import Goal, Intent, Item, ItemType, MediaFile, Play, PlayState, TaskKind, User
from daemon.state import demands, journal, ledger, plays, tasks
from daemon.storage import tree
from daemon.storage.findings import KINDS, Name
from daemon.storage.mover import Reading
from daemon.storage.proofs import Comparison
from daemon.storage.states import BACKUP_SUFFIX
from tests.support.audits import E1, Audited, audited
from tests.support.files import LONG_AGO, open_descriptors
from tests.support.needs import needs_root

BACKUP = E1 + BACKUP_SUFFIX
FOREIGN_TWIN = "ondeckd did not place this copy, and the array has the same file too"

Chosen = dict[str, Any]

UNION_BACKUP: Chosen = {"original": "backup"}
LINK_BACKUP: Chosen = {"serve": "symlink", "original": "backup"}
LINK_REMOVE: Chosen = {"serve": "symlink", "original": "remove"}
EVERY: tuple[Chosen, ...] = ({}, UNION_BACKUP, {"original": "remove"}, LINK_BACKUP, LINK_REMOVE)


@pytest.mark.parametrize("placement", EVERY, ids=lambda one: "+".join(one.values()) or "keep")
async def test_nothing_is_found_where_all_is_well(tmp_path: Path, placement: Chosen) -> None:
    async with audited(tmp_path, **placement) as house:
        await house.cache_in()
        assert await house.found() == []
        assert await house.found(array=False) == []


@pytest.mark.parametrize("placement", EVERY, ids=lambda one: "+".join(one.values()) or "keep")
async def test_an_audit_without_the_array_touches_nothing_there(tmp_path: Path, placement: Chosen) -> None:
    async with audited(tmp_path, **placement) as house:
        await house.cache_in()
        house.write(house.tiers.cache / "Show/foreign.mkv")
        house.write(house.tiers.cache / "Show/film.tmp")
        house.tiers.touches.clear()
        house.touches.clear()
        aside = house.tiers.array.rename(tmp_path / "aside")
        # A link to itself: whatever looks there fails, and not as if there were nothing.
        house.tiers.array.symlink_to(house.tiers.array)
        found = await house.names(array=False)
        fixed = await house.fix("all", array=False)
        house.tiers.array.unlink()
        aside.rename(house.tiers.array)
        assert found == ["foreign-temporary", "foreign-copy"]
        assert [outcome.said for outcome in fixed] == [f"left as it is: {one.finding.text}" for one in fixed]
        assert house.touches == house.tiers.touches == []


async def test_an_unused_partial_file_is_removed_and_one_in_use_is_left(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        await house.cache_in()
        names = [".ondeckd/" + tree.temporary_name("part"), "Show/.ondeckd-" + tree.temporary_name("part")]
        left = [house.write(house.tiers.cache / name) for name in names]
        left.append(house.write(house.tiers.array / names[1]))
        with tree.folder(str(house.tiers.cache), (".ondeckd",)) as own:
            used = os.open(".", os.O_RDONLY, dir_fd=own)
            name = tree.temporary_name("part")
            descriptor = tree.new_temporary(name, own)
        os.close(used)
        assert await house.names(array=False) == ["partial-file"] * 2
        assert await house.names() == ["partial-file"] * 3
        assert all(outcome.fixed for outcome in await house.fix("partial-file"))
        assert not any(path.exists() for path in left)
        assert (house.tiers.cache / ".ondeckd" / name).exists()
        os.close(descriptor)


@pytest.mark.parametrize("tier", ["cache", "array"])
@pytest.mark.parametrize("name", ["a.mkv.partial~", ".a.mkv.x7Kq2B", ".fuse_hidden0000001200000004", "b.tmp"])
async def test_a_foreign_temporary_file_is_told_and_left(tmp_path: Path, name: str, tier: str) -> None:
    async with audited(tmp_path) as house:
        path = house.write(getattr(house.tiers, tier) / "Show" / name)
        assert await house.names(array=False) == ["foreign-temporary"] * (tier == "cache")
        (outcome,) = await house.fix("all")
        assert (outcome.finding.name, outcome.fixed) == (Name.FOREIGN_TEMPORARY, False)
        assert path.read_bytes() == b"film"


@pytest.mark.parametrize("placement", [UNION_BACKUP, LINK_BACKUP], ids=str)
async def test_a_missing_copy_gets_its_original_back(tmp_path: Path, placement: Chosen) -> None:
    async with audited(tmp_path, **placement) as house:
        await house.cache_in()
        (house.tiers.cache / E1).unlink()
        assert await house.names() == ["missing-copy"]
        (unasked,) = await house.fix("missing-copy", array=False)
        assert not unasked.fixed
        assert "--array" in unasked.said
        (outcome,) = await house.fix("missing-copy")
        assert outcome.fixed
        assert house.tiers.on_array() == {E1: b"film", "always.txt": b""}
        assert not (house.tiers.array / E1).is_symlink()
        assert (await house.entries(), await house.journal(), await house.found()) == ([], [], [])


async def test_a_missing_copy_whose_original_was_kept_is_dropped_without_the_array(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        await house.cache_in()
        (house.tiers.cache / E1).unlink()
        house.tiers.touches.clear()
        (outcome,) = await house.fix("missing-copy", array=False)
        assert outcome.fixed
        assert await house.entries() == []
        assert house.tiers.touches == house.touches == []


async def test_a_foreign_copy_is_adopted_if_the_array_has_the_same_file(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        for name in ("Show/e1.mkv", "Show/e1.en.srt"):
            house.tiers.film(name)
            house.write(house.tiers.cache / name)
        assert {(one.name, one.text) for one in await house.found()} == {(Name.DUPLICATE, FOREIGN_TWIN)}
        assert all(outcome.fixed for outcome in await house.fix("adopt"))
        by_name = {Path(entry.file.array_path).name: entry for entry in await house.entries()}
        assert {entry.placement for entry in by_name.values()} == {"union+keep"}
        assert by_name["e1.en.srt"].parent == by_name["e1.mkv"].file.array_path
        assert by_name["e1.mkv"].parent == ""
        assert await house.found() == []
        gone = await house.custody.evict(by_name["e1.mkv"].file.array_path)
        assert len(gone) == 2
        assert house.tiers.cached() == {}


@pytest.mark.parametrize("other", [b"", b"other", None], ids=["empty", "another", "none"])
async def test_a_foreign_copy_that_nothing_proves_stays_as_it_is(tmp_path: Path, other: bytes | None) -> None:
    async with audited(tmp_path) as house:
        if other is not None:
            house.tiers.film(E1, other)
        house.write(house.tiers.cache / E1)
        (outcome,) = await house.fix("all")
        assert (outcome.finding.name, outcome.fixed) == (Name.FOREIGN_COPY, False)
        assert house.tiers.cached() == {E1: b"film"}
        assert await house.entries() == []


async def test_a_foreign_copy_is_adopted_with_its_backup(tmp_path: Path) -> None:
    async with audited(tmp_path, **UNION_BACKUP) as house:
        house.write(house.tiers.cache / E1)
        house.write(house.tiers.array / BACKUP)
        assert [outcome.fixed for outcome in await house.fix("adopt")] == [True]
        assert [entry.placement for entry in await house.entries()] == ["union+backup"]
        assert await house.found() == []


@pytest.mark.parametrize("name", [E1, BACKUP], ids=["original", "backup"])
@pytest.mark.parametrize("placement", [LINK_BACKUP, LINK_REMOVE], ids=str)
async def test_a_foreign_copy_that_no_link_leads_to_is_told_and_never_adopted(
    tmp_path: Path, placement: Chosen, name: str
) -> None:
    async with audited(tmp_path, **placement) as house:
        house.write(house.tiers.array / name)
        house.write(house.tiers.cache / E1)
        (outcome,) = await house.fix("all")
        told = Name.DUPLICATE if name == E1 else Name.FOREIGN_COPY
        assert (outcome.finding.name, outcome.fixed) == (told, False)
        assert "no symlink leads here: remove this copy by hand" in outcome.said
        assert await house.entries() == []
        assert house.tiers.cached() == {E1: b"film"}
        assert (house.tiers.array / name).read_bytes() == b"film"
        assert await house.names() == [told]


async def test_what_to_do_about_a_foreign_copy_without_a_link_leads_on(tmp_path: Path) -> None:
    async with audited(tmp_path, **LINK_BACKUP) as house:
        await house.cache_in("Other/x.mkv")
        house.write(house.tiers.array / BACKUP)
        house.write(house.tiers.cache / E1).unlink()
        assert [outcome.fixed for outcome in await house.fix("all")] == [True]
        await house.cache_in()
        assert (house.tiers.array / E1).is_symlink()
        assert await house.found() == []


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


async def test_an_orphaned_backup_gets_its_name_back(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        await house.cache_in("Other/x.mkv")
        house.write(house.tiers.array / BACKUP, b"the only copy")
        assert await house.names() == ["orphaned-backup"]
        assert [outcome.fixed for outcome in await house.fix("all")] == [True]
        assert (house.tiers.array / E1).read_bytes() == b"the only copy"
        assert not (house.tiers.array / BACKUP).exists()
        assert (await house.found(), await house.journal()) == ([], [])


async def test_a_backup_is_deleted_only_if_the_original_has_the_same_bytes(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        for name, content in (("same", b"film"), ("other", b"flim"), ("longer", b"film 2")):
            house.tiers.film(f"Show/{name}.mkv", content)
            house.write(house.tiers.array / f"Show/{name}.mkv{BACKUP_SUFFIX}", mtime_ns=LONG_AGO + 9)
        assert await house.names() == ["redundant-backup"] * 2 + ["superseded-backup"]
        outcomes = {Path(one.finding.path).name: one for one in await house.fix("all")}
        assert outcomes["same.mkv.plexcached"].fixed
        assert "superseded" in outcomes["other.mkv.plexcached"].said
        assert "by hand" in outcomes["longer.mkv.plexcached"].said
        left = {path.name: path.read_bytes() for path in (house.tiers.array / "Show").glob("*.plexcached")}
        assert left == {"other.mkv.plexcached": b"film", "longer.mkv.plexcached": b"film"}
        assert (house.tiers.array / "Show/same.mkv").read_bytes() == b"film"
        assert await house.journal() == []


async def test_a_backup_that_changes_while_it_is_compared_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with audited(tmp_path) as house:
        house.tiers.film(E1)
        backup = house.write(house.tiers.array / BACKUP, mtime_ns=LONG_AGO + 9)
        compare = Comparison.step

        def step(comparison: Comparison) -> None:
            compare(comparison)
            house.write(backup, b"flim")

        monkeypatch.setattr(Comparison, "step", step)
        (outcome,) = await house.fix("all")
        assert (outcome.fixed, "changed" in outcome.said) == (False, True)
        assert backup.read_bytes() == b"flim"
        assert await house.journal() == []


async def test_a_backup_that_is_replaced_after_it_was_compared_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with audited(tmp_path) as house:
        house.tiers.film(E1)
        backup = house.write(house.tiers.array / BACKUP, mtime_ns=LONG_AGO + 9)
        compare = Comparison.step

        def step(comparison: Comparison) -> None:
            compare(comparison)
            house.write(tmp_path / "new", b"flim").replace(backup)

        monkeypatch.setattr(Comparison, "step", step)
        assert [outcome.fixed for outcome in await house.fix("all")] == [False]
        assert backup.read_bytes() == b"flim"


async def test_a_backup_that_an_entry_needs_is_no_finding_and_one_that_none_needs_is(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        await house.cache_in()
        house.write(house.tiers.array / BACKUP)
        assert await house.names() == ["redundant-backup"]
        assert [outcome.fixed for outcome in await house.fix("all")] == [True]
        assert len(await house.entries()) == 1
        assert await house.found() == []


@pytest.mark.parametrize(
    ("siblings", "renamed"),
    [
        ({"film.mkv": b"flim"}, "film.mkv.plexcached"),
        ({"film.mkv": b"flim", "film.nfo": b"about"}, "film.mkv.plexcached"),
        ({"film.mkv": b"flim", "film.nfo": b"info"}, None),
        ({"film.srt": b"words"}, None),
        ({"film.mkv": b"another"}, None),
        ({}, None),
    ],
)
async def test_a_malformed_backup_is_renamed_if_one_sibling_of_its_size_proves_it(
    tmp_path: Path, siblings: dict[str, bytes], renamed: str | None
) -> None:
    async with audited(tmp_path) as house:
        house.write(house.tiers.array / "Show/film.plexcached", b"four")
        for name, content in siblings.items():
            house.write(house.tiers.array / "Show" / name, content)
        (outcome,) = [one for one in await house.fix("all") if one.finding.name is Name.MALFORMED]
        assert outcome.fixed == bool(renamed)
        assert (house.tiers.array / "Show" / (renamed or "film.plexcached")).read_bytes() == b"four"


async def test_a_malformed_backup_is_named_as_its_entry_is_and_never_as_a_subtitle(tmp_path: Path) -> None:
    async with audited(tmp_path, **UNION_BACKUP) as house:
        await house.cache_in(E1, b"the film")
        (house.tiers.array / BACKUP).rename(house.tiers.array / "Show/e1.plexcached")
        house.tiers.film("Show/e1.srt", b"words")
        outcomes = await house.fix("malformed-backup")
        assert [one.fixed for one in outcomes if one.finding.name is Name.MALFORMED] == [True]
        assert (house.tiers.array / BACKUP).read_bytes() == b"the film"
        assert await house.found() == []


async def test_a_malformed_backup_is_never_renamed_over_another(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        house.tiers.film("Show/film.mkv", b"two")
        house.write(house.tiers.array / "Show/film.plexcached", b"one")
        house.write(house.tiers.array / "Show/film.mkv.plexcached", b"other one")
        outcome, _ = await house.fix("malformed-backup")
        assert (outcome.finding.name, outcome.fixed) == (Name.MALFORMED, False)
        assert (house.tiers.array / "Show/film.plexcached").read_bytes() == b"one"
        assert (house.tiers.array / "Show/film.mkv.plexcached").read_bytes() == b"other one"


async def test_a_malformed_backup_whose_renaming_was_killed_half_way_is_renamed(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        house.write(house.tiers.array / "Show/film.mkv", b"flim")
        malformed = house.write(house.tiers.array / "Show/film.plexcached", b"four")
        (house.tiers.array / "Show/film.mkv.plexcached").hardlink_to(malformed)
        (outcome, _) = await house.fix("malformed-backup")
        assert (outcome.finding.name, outcome.fixed) == (Name.MALFORMED, True)
        assert not malformed.exists()
        assert (house.tiers.array / "Show/film.mkv.plexcached").read_bytes() == b"four"
        assert await house.names() == ["redundant-backup"]


async def test_a_dangling_link_gets_its_backup_back_and_one_without_is_told(tmp_path: Path) -> None:
    async with audited(tmp_path, **LINK_BACKUP) as house:
        await house.cache_in("Other/x.mkv")
        house.write(house.tiers.array / BACKUP)
        for name in (E1, "Show/e2.mkv"):
            (house.tiers.array / name).symlink_to(house.tiers.cache / name)
        assert await house.names() == ["dangling-link"] * 2
        assert [outcome.fixed for outcome in await house.fix("dangling-link")] == [True, False]
        assert (house.tiers.array / E1).read_bytes() == b"film"
        assert not (house.tiers.array / E1).is_symlink()
        assert await house.journal() == []


async def test_a_link_that_leads_out_of_the_mapping_is_told_and_left(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        (house.tiers.array / "out.mkv").symlink_to("/somewhere/else.mkv")
        (house.tiers.array / "in.mkv").symlink_to("always.txt")
        (outcome,) = await house.fix("all")
        assert (outcome.finding.name, outcome.finding.path) == (Name.FOREIGN_LINK, f"{house.tiers.array}/out.mkv")
        assert (house.tiers.array / "out.mkv").is_symlink()


@pytest.mark.parametrize("placement", [LINK_BACKUP, LINK_REMOVE], ids=str)
async def test_a_link_without_an_entry_is_adopted(tmp_path: Path, placement: Chosen) -> None:
    async with audited(tmp_path, **placement) as house:
        entry = await house.cache_in()
        await house.store.run(partial(ledger.drop_entry, array_path=entry.file.array_path))
        assert await house.names() == ["unentered-link"]
        assert [outcome.fixed for outcome in await house.fix("adopt")] == [True]
        (adopted,) = await house.entries()
        assert (adopted.placement, adopted.link) == (entry.placement, entry.link)
        assert await house.found() == []
        await house.custody.evict(adopted.file.array_path)
        assert house.tiers.on_array() == {E1: b"film", "always.txt": b""}


@needs_root
async def test_owner_and_mode_are_set_as_the_originals(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        await house.cache_in()
        for path in (house.tiers.cache / E1, house.tiers.cache / "Show"):
            os.chown(path, 1234, 1235)
            path.chmod(0o700)
        house.tiers.array.joinpath("Foreign").mkdir()
        house.tiers.cache.joinpath("Foreign").mkdir(mode=0o700)
        assert await house.names(array=False) == []
        assert await house.names() == ["wrong-owner"] * 2
        assert all(outcome.fixed for outcome in await house.fix("wrong-owner"))
        for name in (E1, "Show"):
            here, there = (house.tiers.cache / name).stat(), (house.tiers.array / name).stat()
            assert (here.st_uid, here.st_gid, here.st_mode) == (there.st_uid, there.st_gid, there.st_mode)
        assert await house.found() == []


async def test_the_list_of_the_mover_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "exclude.txt"
    path.write_text("/mnt/cache/my own\n### Plexcache exclusions below this line\n/mnt/cache/old.mkv\n")
    async with audited(tmp_path, unraid={"mover_exclude_file": str(path)}) as house:
        entry = await house.cache_in()
        folder = f"{house.tiers.cache}/.ondeckd"
        found = await house.found(array=False)
        assert {one.name for one in found} == {Name.MOVER_EXCLUSION}
        assert {one.path for one in found} == {folder, entry.file.cache_path, "/mnt/cache/old.mkv"}
        assert all("is written by ondeckd audit --fix mover-exclusion only" in one.text for one in found)
        assert all(outcome.fixed for outcome in await house.fix("mover-exclusion", array=False))
        own, marker = "/mnt/cache/my own", "### Plexcache exclusions below this line"
        assert path.read_text() == f"{own}\n{marker}\n{folder}\n{entry.file.cache_path}\n"
        assert await house.found(array=False) == []


async def test_a_file_with_which_something_is_being_done_is_left_alone(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        running, journalled = await house.cache_in(), await house.cache_in("Show/e2.mkv")
        for entry in (running, journalled):
            house.write(Path(entry.file.cache_path), b"another")
            house.write(Path(entry.file.array_path + BACKUP_SUFFIX))
        new = tasks.NewTask(TaskKind.EVICT, running.file, 1, "")
        await house.store.run(lambda connection: tasks.put(connection, new, 0.0))
        await house.store.run(lambda connection: tasks.claim(connection, TaskKind.EVICT, 0.0))
        await house.store.run(partial(journal.begin, new=Intent(journalled, Goal.UNCACHED, "drop")))
        assert await house.found() == []


async def test_an_array_that_is_not_mounted_is_told_and_nothing_there_is_judged(tmp_path: Path) -> None:
    async with audited(tmp_path, **UNION_BACKUP) as house:
        await house.cache_in()
        house.tiers.array.rename(tmp_path / "unmounted")
        house.tiers.array.mkdir()
        assert await house.names() == ["not-audited"]
        assert [outcome.fixed for outcome in await house.fix("all")] == [False]
        assert len(await house.entries()) == 1


async def test_a_cache_that_is_not_mounted_is_told_and_no_entry_is_dropped(tmp_path: Path) -> None:
    async with audited(tmp_path, **UNION_BACKUP) as house:
        await house.cache_in()
        house.tiers.cache.rename(tmp_path / "unmounted")
        house.tiers.cache.mkdir()
        assert await house.names() == ["not-audited"]
        await house.fix("all")
        assert house.tiers.on_array() == {BACKUP: b"film", "always.txt": b""}
        assert len(await house.entries()) == 1


async def test_a_dry_run_looks_and_fixes_nothing(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        house.auditing._dry_run = True
        house.write(house.tiers.array / BACKUP)
        assert [row["name"] for row in await house.auditing.report(array=True)] == ["orphaned-backup"]
        with pytest.raises(TargetBusy, match="dry run"):
            await house.auditing.repair(["all"], array=True)
        assert (house.tiers.array / BACKUP).exists()


async def test_one_audit_at_a_time(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        async with house.auditing._alone():
            with pytest.raises(TargetBusy, match="under way"):
                await house.found()
        assert await house.found() == []


def test_every_finding_is_in_the_table() -> None:
    assert list(KINDS) == list(Name)
