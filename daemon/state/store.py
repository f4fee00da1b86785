"""The one SQLite database: opened, checked, backed up, and written by one thread in whole transactions."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from daemon.errors import StateError
from daemon.state.schema import migrate

T = TypeVar("T")

Connection = sqlite3.Connection
"""What `Store.run` hands to the work; only `daemon.state` speaks SQL to it."""

NAME = "ondeckd.db"
_BACKUP = "ondeckd.db.backup"


class Store:
    """The database as an async context.

    `problem` is one line for people when the database had to be replaced at start, else empty.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME
        self.backup_path = directory / _BACKUP
        self.problem = ""
        self._saved_changes = 0
        self._connection: sqlite3.Connection | None = None
        # One thread: SQLite has one writer anyway, and a commit's fsync must not stall the event loop.
        self._executor = ThreadPoolExecutor(1, "store")

    async def __aenter__(self) -> Self:
        try:
            await self._submit(self._open)
        except BaseException:
            self._executor.shutdown(wait=True)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._submit(self._close)
        finally:
            self._executor.shutdown(wait=True)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction: committed durably when it returns, rolled back when it raises.

        The transaction is carried out whole even if the caller is cancelled meanwhile.
        """
        return await self._submit(lambda: self._transact(work))

    async def backup(self) -> None:
        """Copy the database beside itself, if anything changed since the last copy."""
        await self._submit(self._backup)

    async def _submit(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _transact(self, work: Callable[[Connection], T]) -> T:
        connection = self._open_connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return result

    def _open_connection(self) -> sqlite3.Connection:
        assert self._connection is not None, "the store is not open"
        return self._connection

    def _open(self) -> None:
        try:
            self._connection = _connect(self.path)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise StateError(f"{self.path}: cannot be opened: {error}") from error
            self._replace(error)
        except ValueError as error:
            raise StateError(f"{self.path}: {error}") from error

    def _replace(self, damage: sqlite3.DatabaseError) -> None:
        aside = _free_name(self.path.with_name(f"{NAME}.corrupt"))
        for suffix in ("", "-wal", "-shm"):
            part = self.path.with_name(NAME + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        source = "an empty one"
        if self.backup_path.exists():
            try:
                _connect(self.backup_path).close()
                _copy(self.backup_path, self.path)
                source = "the last backup"
            except (sqlite3.DatabaseError, ValueError):
                source = "an empty one (the backup is damaged too)"
        self._connection = _connect(self.path)
        self.problem = f"the database was damaged ({damage}); kept as {aside.name}, replaced by {source}"

    def _backup(self) -> None:
        connection = self._open_connection()
        if connection.total_changes == self._saved_changes and self.backup_path.exists():
            return
        self._saved_changes = connection.total_changes
        part = self.backup_path.with_name(_BACKUP + ".part")
        part.unlink(missing_ok=True)
        target = sqlite3.connect(part)
        try:
            connection.backup(target)
        finally:
            target.close()
        part.replace(self.backup_path)

    def _close(self) -> None:
        connection = self._open_connection()
        self._backup()
        connection.close()
        self._connection = None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -4000")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"malformed: {verdict}")  # noqa: TRY301 - the connection must be closed
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or "malformed" in str(error)


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(target.name + ".part")
    part.write_bytes(source.read_bytes())
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
    part.replace(target)


def _free_name(path: Path) -> Path:
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate
