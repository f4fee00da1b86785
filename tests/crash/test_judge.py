"""The judge of the kills finds what it has to find."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.files import local_path, video_files, write
from daemon.storage.paths import OWN_FOLDER
from tests.support.judge import Disk, Rows, lost
from tests.support.plex import small_library

_NOW = 1000.0
_EMPTY = Rows([], [], [], [], [], [], [], [])


def row(**values: Any) -> dict[str, Any]:
    return values


def demand(**values: Any) -> dict[str, Any]:
    return {"rating_key": "7", "kind": "next_up", "user": "1", "play": "p", "until": None, "show": "5", **values}


def play(**values: Any) -> dict[str, Any]:
    return {
        "id": "p",
        "session_key": "3",
        "rating_key": "6",
        "user": "1",
        "confirmed": 1,
        "stopped_at": None,
        **values,
    }


def arranged(folder: Path) -> tuple[Disk, Rows, Path, Path]:
    """Return a disk with one cached file, rows that say so, the original and the copy."""
    library = small_library()
    write(library, folder / "array")
    plex_path, _ = next(video_files(library))
    original, copy = (local_path(library, folder / tier, plex_path) for tier in ("array", "cache"))
    copy.parent.mkdir(parents=True)
    shutil.copyfile(original, copy)
    entry = row(cache_path=str(copy), array_path=str(original), plex_path=plex_path, parent="")
    return Disk(library, folder), replace(_EMPTY, entries=[entry]), original, copy


def leave_a_part(copy: Path) -> None:
    part = copy.parent.parent / OWN_FOLDER / f"{'0' * 32}.part"
    part.parent.mkdir()
    part.touch()


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (lambda original, _: original.unlink(), "original not whole"),
        (lambda original, _: original.write_bytes(b"x"), "original not whole"),
        (lambda _, copy: copy.write_bytes(b"x"), "copy not whole"),
        (lambda _, copy: copy.unlink(), "in the ledger and not on the cache"),
        (lambda _, copy: shutil.copyfile(copy, copy.with_name("other")), "not in the ledger"),
        (lambda _, copy: leave_a_part(copy), "1 temporary files of 0 copies"),
    ],
)
def test_what_is_wrong_on_the_disk_is_found(tmp_path: Path, spoil: Callable[[Path, Path], None], finding: str) -> None:
    disk, rows, original, copy = arranged(tmp_path)
    assert disk.wrong(rows, settled=True) == []

    spoil(original, copy)

    assert any(line.startswith(finding) for line in disk.wrong(rows, settled=True))


def test_what_is_on_its_way_is_no_fault_until_all_rests(tmp_path: Path) -> None:
    disk, rows, original, copy = arranged(tmp_path)
    leave_a_part(copy)
    running = row(array_path=str(original), kind="cache_in", state="running")
    coming = replace(rows, entries=[], journal=rows.entries, tasks=[running])

    assert disk.wrong(coming, settled=False) == []
    assert len(disk.wrong(coming, settled=True)) == 2


def test_what_is_missing_without_a_cause_is_found() -> None:
    before = replace(
        _EMPTY,
        tasks=[row(id=1, state="queued")],
        plays=[play()],
        retentions=[row(rating_key="8", user="1", until=_NOW + 1)],
        demands=[demand()],
    )
    sessions = [row(session="3", key="6")]

    assert lost(before, before, sessions, _NOW) == []
    kinds = [line.split(":")[0] for line in lost(before, _EMPTY, sessions, _NOW)]
    assert kinds == ["task lost", "play lost", "retention lost", "demand lost"]


@pytest.mark.parametrize(
    ("gone", "after"),
    [
        (demand(until=_NOW - 1), _EMPTY),
        (demand(), replace(_EMPTY, plays=[play(stopped_at=_NOW)])),
        (demand(), replace(_EMPTY, watched=[row(rating_key="7", user="1", at=_NOW)])),
        (demand(play="older"), replace(_EMPTY, plays=[play(id="new")], demands=[demand(rating_key="6", play="new")])),
    ],
    ids=["over", "stopped", "watched", "taken over"],
)
def test_a_demand_that_went_for_a_cause_is_not_lost(gone: dict[str, Any], after: Rows) -> None:
    assert lost(replace(_EMPTY, demands=[gone]), after, [], _NOW) == []
