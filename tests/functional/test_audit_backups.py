"""Backups and links that no entry needs: what an audit says of them, and that no last copy goes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.state import ledger
from daemon.storage.findings import Name
from daemon.storage.proofs import Comparison
from daemon.storage.states import BACKUP_SUFFIX
from tests.support.audits import E1, audited
from tests.support.files import LONG_AGO

BACKUP = E1 + BACKUP_SUFFIX
FOREIGN_TWIN = "ondeckd did not place this copy, and the array has the same file too"

Chosen = dict[str, Any]

UNION_BACKUP: Chosen = {"original": "backup"}
LINK_BACKUP: Chosen = {"serve": "symlink", "original": "backup"}
LINK_REMOVE: Chosen = {"serve": "symlink", "original": "remove"}
EVERY: tuple[Chosen, ...] = ({}, UNION_BACKUP, {"original": "remove"}, LINK_BACKUP, LINK_REMOVE)


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
