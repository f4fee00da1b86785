"""Each thing that an audit can find, and what becomes of it when it is fixed."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import TargetBusy
from daemon.model import Goal, Intent, TaskKind
from daemon.state import journal, tasks
from daemon.storage import tree
from daemon.storage.findings import KINDS, Name
from daemon.storage.states import BACKUP_SUFFIX
from tests.support.audits import E1, audited
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
