"""Looks at the disk and at the database file from outside, and says what is wrong."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.demo.files import all_files, intact, local_path
from daemon.demo.library import Library
from daemon.state.store import NAME
from daemon.storage.manifest import NAME as MANIFEST
from daemon.storage.paths import OWN_FOLDER, OWN_PREFIX

Row = dict[str, Any]
ALIVE = ("queued", "running")


@dataclass(frozen=True)
class Rows:
    """The database as it was at one moment: each table's rows."""

    entries: list[Row]
    journal: list[Row]
    tasks: list[Row]
    demands: list[Row]
    retentions: list[Row]
    plays: list[Row]
    watched: list[Row]
    item_files: list[Row]

    def of_tasks(self, kind: str, *states: str) -> set[str]:
        """Return the array paths of tasks."""
        return {row["array_path"] for row in self.tasks if row["kind"] == kind and row["state"] in states}

    def keys_of(self, plex_path: str) -> set[str]:
        """Return the items that a file belongs to."""
        return {row["rating_key"] for row in self.item_files if row["plex_path"] == plex_path}

    def show_of(self, rating_key: str) -> str:
        """Return the show of an item that is demanded."""
        return next((row["show"] for row in self.demands if row["rating_key"] == rating_key), "")


def read(folder: Path) -> Rows:
    """Read the database in `folder` without touching it: what a process that is killed or frozen has committed."""
    with tempfile.TemporaryDirectory() as name:
        for suffix in ("", "-wal"):
            if (part := folder / (NAME + suffix)).exists():
                shutil.copyfile(part, Path(name, part.name))
        connection = sqlite3.connect(Path(name, NAME))
        connection.row_factory = sqlite3.Row
        try:
            tables = {
                table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
                for table in Rows.__annotations__
            }
        finally:
            connection.close()
    return Rows(**tables)


@dataclass(frozen=True)
class Disk:
    """A library's two folders below `folder`."""

    library: Library
    folder: Path

    def wrong(self, rows: Rows, *, settled: bool) -> list[str]:
        """Return what is wrong with the files, and between them and the rows.

        While the daemon works, files may be on their way: as many temporary ones as copies run, a copy that has
        its name but is only in the journal, an evicted one that is still in the ledger. `settled`: not even that.
        """
        final, temporary = self._cached()
        entered = {row["cache_path"] for row in rows.entries}
        coming = set() if settled else {row["cache_path"] for row in rows.journal}
        leaving = rows.of_tasks("evict", "running")
        gone = {
            row["cache_path"] for row in rows.entries if not settled and {row["array_path"], row["parent"]} & leaving
        }
        copies = 0 if settled else len(rows.of_tasks("cache_in", "running"))
        return [
            *self._damaged(final),
            *(f"not in the ledger: {path}" for path in sorted(final - entered - coming)),
            *(f"in the ledger and not on the cache: {path}" for path in sorted(entered - final - gone)),
            *(f"{len(temporary)} temporary files of {copies} copies: {temporary}",)
            * (len(temporary) > copies * _FILES_OF_A_COPY),
        ]

    def _cached(self) -> tuple[set[str], list[str]]:
        final, temporary = set(), []
        for path in (self.folder / "cache").rglob("*"):
            if path.is_dir() or (path.parent.name, path.name) == (OWN_FOLDER, MANIFEST):
                continue
            if path.name.startswith(OWN_PREFIX) or OWN_FOLDER in path.parts:
                temporary.append(str(path))
            else:
                final.add(str(path))
        return final, temporary

    def _damaged(self, final: set[str]) -> list[str]:
        wrong, known = [], set()
        for plex_path, size in all_files(self.library):
            original = local_path(self.library, self.folder / "array", plex_path)
            copy = local_path(self.library, self.folder / "cache", plex_path)
            known.add(str(copy))
            if not (original.exists() and intact(self.library, plex_path, size, original)):
                wrong.append(f"original not whole: {original}")
            if str(copy) in final and not intact(self.library, plex_path, size, copy):
                wrong.append(f"copy not whole: {copy}")
        return wrong + [f"nobody's file: {path}" for path in sorted(final - known)]


_FILES_OF_A_COPY = 4
"""A video and its sidecars get their names one by one, but may have been begun together."""


def lost(before: Rows, after: Rows, sessions: list[Row], now: float) -> list[str]:
    """Return what was committed `before` a kill and is missing `after` the restart without a cause.

    `sessions` is what Plex says to be playing (and has said since the kill).
    """
    gone = _Explained(before, after, sessions, now)
    return [*gone.tasks(), *gone.plays(), *gone.retentions(), *gone.demands()]


class _Explained:
    def __init__(self, before: Rows, after: Rows, sessions: list[Row], now: float) -> None:
        self._before = before
        self._after = after
        self._now = now
        alive = {(one["session"], one["key"]) for one in sessions}
        open_before = [row for row in before.plays if row["stopped_at"] is None]
        self._alive = {row["id"]: row for row in open_before if (row["session_key"], row["rating_key"]) in alive}
        was = {row["id"]: row for row in before.plays}
        self._confirmed = [
            row for row in after.plays if row["confirmed"] and not (row["id"] in was and was[row["id"]]["confirmed"])
        ]
        self._ended = {row["id"] for row in after.plays if row["stopped_at"] is not None} - {
            row["id"] for row in before.plays if row["stopped_at"] is not None
        }
        seen = {(row["rating_key"], row["user"]): row["at"] for row in before.watched}
        self._watched = {
            (row["rating_key"], row["user"])
            for row in after.watched
            if seen.get((row["rating_key"], row["user"])) != row["at"]
        }

    def tasks(self) -> list[str]:
        after = Counter(row["id"] for row in self._after.tasks)
        return [f"task lost: {row}" for row in self._before.tasks if row["state"] in ALIVE and not after[row["id"]]]

    def plays(self) -> list[str]:
        still = {row["id"] for row in self._after.plays if row["stopped_at"] is None}
        return [f"play lost: {row}" for name, row in self._alive.items() if name not in still]

    def retentions(self) -> list[str]:
        kept = {(row["rating_key"], row["user"]) for row in self._after.retentions}
        replayed = {(row["rating_key"], row["user"]) for row in self._confirmed}
        return [
            f"retention lost: {row}"
            for row in self._before.retentions
            if row["until"] > self._now and (row["rating_key"], row["user"]) not in kept | replayed
        ]

    def demands(self) -> list[str]:
        kept = {(row["rating_key"], row["kind"], row["play"]) for row in self._after.demands}
        return [
            f"demand lost: {row}"
            for row in self._before.demands
            if (row["rating_key"], row["kind"], row["play"]) not in kept and not self._may_go(row)
        ]

    def _may_go(self, row: Row) -> bool:
        superseded = bool(row["show"]) and any(
            play["user"] == row["user"] and self._after.show_of(play["rating_key"]) == row["show"]
            for play in self._confirmed
        )
        return (
            not row["user"]
            or (row["until"] is not None and row["until"] <= self._now)
            or row["play"] in self._ended
            or (row["rating_key"], row["user"]) in self._watched
            or superseded
        )
