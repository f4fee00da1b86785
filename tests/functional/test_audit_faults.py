"""An audit that is disturbed: by faults of a disk, by other work that goes on, by an end before its own."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.auditing import Auditing
from daemon.state import ledger
from daemon.storage.findings import Finding, Name
from daemon.storage.states import BACKUP_SUFFIX
from tests.support.audits import E1, Audited, audited
from tests.support.files import LONG_AGO, NthChange, open_descriptors

MOST_CHANGES = 150


async def _arrange(house: Audited) -> None:
    """Leave one of everything that a fix changes files for."""
    tiers = house.tiers
    for name in ("missing", "changed", "unfinished", "lost"):
        await house.cache_in(f"{name}/f.mkv", name.encode())
    (tiers.cache / "missing/f.mkv").unlink()
    house.write(tiers.cache / "changed/f.mkv", b"changed anew", mtime_ns=LONG_AGO + 3)
    (tiers.array / f"unfinished/f.mkv{BACKUP_SUFFIX}").rename(tiers.array / "unfinished/f.mkv")
    (tiers.array / f"lost/f.mkv{BACKUP_SUFFIX}").unlink()
    house.write(tiers.array / f"orphaned/f.mkv{BACKUP_SUFFIX}", b"orphaned")
    tiers.film("redundant/f.mkv", b"redundant")
    house.write(tiers.array / f"redundant/f.mkv{BACKUP_SUFFIX}", b"redundant")
    tiers.film("malformed/f.mkv", b"malformed")
    house.write(tiers.array / f"malformed/f{BACKUP_SUFFIX}", b"malformeD")
    tiers.film("foreign/f.mkv", b"foreign")
    house.write(tiers.cache / "foreign/f.mkv", b"foreign")


def _everything(house: Audited) -> set[bytes]:
    return set(house.tiers.on_array().values()) | set(house.tiers.cached().values())


async def _fix_with_a_fault(root: Path, nth: int) -> int:
    """Fix everything while the nth change to a disk fails; return how many changes there were."""
    root.mkdir()

    def fail() -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with audited(root, original="backup") as house:
        await _arrange(house)
        before = _everything(house)
        with pytest.MonkeyPatch.context() as patch:
            changes = NthChange(patch, nth, fail)
            await house.fix("all")
        assert before <= _everything(house), f"after a fault at change {nth}"
        # As at the next start.
        house.tiers.sweep()
        await house.custody.recover()
        for _ in range(3):
            await house.fix("all")
        assert before <= _everything(house), f"after a fault at change {nth}"
        assert {finding.name for finding in await house.found()} <= {Name.REDUNDANT, Name.SUPERSEDED}
        assert await house.journal() == []
        return changes.count


@pytest.mark.parametrize("first", [5, *(pytest.param(nth, marks=pytest.mark.long) for nth in (1, 2, 3, 4, 6))])
async def test_a_fault_at_any_change_loses_nothing_and_the_next_audit_ends_it(tmp_path: Path, first: int) -> None:
    nth = first
    while await _fix_with_a_fault(tmp_path / str(nth), nth) >= nth:
        nth += 6
        assert nth < MOST_CHANGES
    assert nth > 12, "the faults have to meet something"


async def test_what_began_during_the_audit_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with audited(tmp_path) as house:
        entry = await house.cache_in()
        await house.store.run(partial(ledger.drop_entry, array_path=entry.file.array_path))
        walk = Auditing._walked

        async def walked(auditing: Auditing, *args: Any) -> list[Finding]:
            found = await walk(auditing, *args)
            assert [finding.name for finding in found] == [Name.DUPLICATE]
            await house.store.run(partial(ledger.put_entries, entries=[entry]))
            return found

        monkeypatch.setattr(Auditing, "_walked", walked)
        assert await house.found() == []


async def test_an_audit_that_is_cancelled_leaves_nothing_open(tmp_path: Path) -> None:
    async with audited(tmp_path) as house:
        await house.cache_in()
        before = open_descriptors()
        reached, go_on = threading.Event(), threading.Event()

        def touched(_operation: str) -> None:
            reached.set()
            go_on.wait(10)

        house.auditing._touched = touched
        audit = asyncio.ensure_future(house.found())
        await asyncio.to_thread(reached.wait, 10)
        audit.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await audit
        assert open_descriptors() <= before


async def test_a_folder_that_cannot_be_read_is_told_and_the_rest_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with audited(tmp_path) as house:
        house.write(house.tiers.cache / "good/a.mkv")
        house.write(house.tiers.cache / "bad/b.mkv")
        scandir = os.scandir

        def scan(path: Any) -> Any:
            if isinstance(path, int) and Path(f"/proc/self/fd/{path}").readlink().name == "bad":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", scan)
        found = [(finding.name, Path(finding.path).name) for finding in await house.found(array=False)]
        assert found == [(Name.NOT_AUDITED, "bad"), (Name.FOREIGN_COPY, "a.mkv")]


async def test_a_mapping_that_is_switched_off_and_holds_nothing_is_left_out(tmp_path: Path) -> None:
    async with audited(tmp_path, enabled=False) as house:
        house.write(house.tiers.cache / "a.mkv")
        assert await house.found() == []


async def test_a_link_of_ours_that_was_renamed_is_no_finding(tmp_path: Path) -> None:
    async with audited(tmp_path, serve="symlink", original="backup") as house:
        await house.cache_in()
        (house.tiers.array / E1).rename(house.tiers.array / "Show/renamed.mkv")
        assert await house.names() == []
