"""The one SQLite database: opened, checked, backed up, and written by one thread in whole transactions."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import structlog

from daemon.errors import StateError
from daemon.state.schema import migrate

log = structlog.get_logger()

T = TypeVar("T")

Connection = sqlite3.Connection
"""What `Store.run` hands to the work; only `daemon.state` speaks SQL to it."""

NAME = "ondeckd.db"
_BACKUP = "ondeckd.db.backup"
_PATIENCE = 10.0
"""Seconds without an answer after which that is a trouble."""


class Store:
    """The database as an async context.

    Whatever goes wrong with it or its disk is a StateError. `problem` is one line for people when the database had to
    be replaced at start, else empty.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME
        self.backup_path = directory / _BACKUP
        self.problem = ""
        self._saved_changes = 0
        self._file: tuple[int, int] | None = None
        self._trouble = ""
        self._asked_at: float | None = None
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
        """Copy the database beside itself, if anything changed since the last copy; failing is only logged."""
        await self._submit(self._backup)

    async def answers(self) -> bool:
        """Ask the database; return whether it answers. What was found is in `trouble` from then on."""
        self._asked_at = self._asked_at or time.monotonic()
        try:
            self._trouble = await self._submit(self._look)
        except StateError as error:
            self._trouble = str(error)
            return False
        finally:
            self._asked_at = None
        return True

    @property
    def trouble(self) -> str:
        """Why what is remembered may be lost, in one line, as found when it was last asked; empty: all is well."""
        silence = time.monotonic() - self._asked_at if self._asked_at else 0.0
        return f"the database has not answered for {silence:.0f} s" if silence > _PATIENCE else self._trouble

    async def _submit(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._translated, work)

    def _translated(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # not the disk's fault but ours: the trace must be seen
        except sqlite3.DatabaseError as error:
            raise StateError(f"{self.path}: {error}") from error
        except OSError as error:
            raise StateError(f"{error.filename or self.path}: {error.strerror or error}") from error

    def _transact(self, work: Callable[[Connection], T]) -> T:
        connection = self._open_connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            # After some errors, a full disk among them, SQLite has rolled back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    def _look(self) -> str:
        self._open_connection().execute("SELECT count(*) FROM sqlite_schema").fetchone()
        try:
            same = _identity(self.path) == self._file
        except FileNotFoundError:
            return f"{self.path} was removed while ondeckd runs; a restart puts it back"
        return "" if same else f"{self.path} was replaced while ondeckd runs; it still uses the old one"

    def _open_connection(self) -> sqlite3.Connection:
        assert self._connection is not None, "the store is not open"
        return self._connection

    def _open(self) -> None:
        if damage := self._find_damage():
            self._replace(damage)
        self._file = _identity(self.path)

    def _find_damage(self) -> str:
        """Open the database unless that makes no sense; return why not."""
        if self.backup_path.exists() and not self.path.exists():
            return "was missing"
        try:
            self._connection = _connect(self.path)
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise StateError(f"{self.path}: cannot be opened: {error}") from error
            return f"was damaged ({error})"
        except ValueError as error:
            raise StateError(f"{self.path}: {error}") from error
        return ""

    def _replace(self, damage: str) -> None:
        aside = _free_name(self.path.with_name(f"{NAME}.corrupt"))
        kept = f"; kept as {aside.name}" if self.path.exists() else ""
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
        self.problem = f"the database {damage}{kept}; replaced by {source}"

    def _backup(self) -> None:
        connection = self._open_connection()
        changes = connection.total_changes
        if changes == self._saved_changes and self.backup_path.exists():
            return
        part = self.backup_path.with_name(_BACKUP + ".part")
        try:
            _save(connection, part)
            part.replace(self.backup_path)
        except (sqlite3.DatabaseError, OSError) as error:
            # The last backup is still there, and the next one may succeed.
            log.warning("backup_failed", path=str(self.backup_path), why=str(error))
        else:
            self._saved_changes = changes

    def _close(self) -> None:
        connection = self._open_connection()
        self._backup()
        connection.close()
        self._connection = None


def _save(connection: sqlite3.Connection, part: Path) -> None:
    part.unlink(missing_ok=True)
    target = sqlite3.connect(part)
    try:
        connection.backup(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        target.close()


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -1000")
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
