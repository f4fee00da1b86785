"""The database: durable, checked, replaced when damaged."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemon.errors import StateError
from daemon.state import demands
from daemon.state.store import NAME, Store
from tests.support.bad_input import memory_disk
from tests.support.needs import needs_root


async def test_a_transaction_that_raises_leaves_nothing_behind(tmp_path: Path) -> None:
    def half(connection: sqlite3.Connection) -> None:
        demands.put_meta(connection, "a", "1")
        raise RuntimeError

    async with Store(tmp_path) as store:
        with pytest.raises(RuntimeError):
            await store.run(half)
        assert await store.run(lambda c: demands.get_meta(c, "a")) == ""
        await store.run(lambda c: demands.put_meta(c, "a", "2"))
    async with Store(tmp_path) as store:
        assert await store.run(lambda c: demands.get_meta(c, "a")) == "2"
        assert store.problem == ""


async def test_a_damaged_database_is_kept_aside_and_the_backup_takes_its_place(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.run(lambda c: demands.put_meta(c, "a", "1"))
    (tmp_path / NAME).write_bytes(b"this is no database at all" * 1000)

    async with Store(tmp_path) as store:
        assert "the last backup" in store.problem
        assert await store.run(lambda c: demands.get_meta(c, "a")) == "1"
    assert (tmp_path / f"{NAME}.corrupt").read_bytes().startswith(b"this is no database")


async def test_a_page_overwritten_in_the_middle_counts_as_damage(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        for number in range(200):
            await store.run(lambda c, number=number: demands.put_meta(c, f"k{number}", "v" * 500))  # type: ignore[misc]  # a default argument in a lambda
    with (tmp_path / NAME).open("r+b") as handle:
        handle.seek(8 * 4096)
        handle.write(b"\xff" * 4096 * 20)

    async with Store(tmp_path) as store:
        assert store.problem
        assert await store.run(lambda c: demands.get_meta(c, "k7")) == "v" * 500


async def test_without_a_backup_a_damaged_database_is_replaced_by_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"garbage" * 5000)

    async with Store(tmp_path) as store:
        assert "an empty one" in store.problem
        assert await store.run(lambda c: demands.get_meta(c, "a")) == ""


async def test_a_missing_database_beside_a_backup_is_replaced_by_it(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.run(lambda c: demands.put_meta(c, "a", "1"))
    (tmp_path / NAME).unlink()

    async with Store(tmp_path) as store:
        assert store.problem == "the database was missing; replaced by the last backup"
        assert await store.run(lambda c: demands.get_meta(c, "a")) == "1"
    assert not list(tmp_path.glob("*.corrupt*"))


async def test_a_database_that_is_removed_meanwhile_is_told_and_comes_back_at_the_next_start(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        assert await store.answers()
        assert store.trouble == ""
        (tmp_path / NAME).unlink()
        assert await store.answers()
        assert "was removed while ondeckd runs" in store.trouble
        await store.run(lambda c: demands.put_meta(c, "a", "1"))
    async with Store(tmp_path) as store:
        assert await store.run(lambda c: demands.get_meta(c, "a")) == "1"


async def test_a_database_that_is_replaced_meanwhile_is_told(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        (tmp_path / "other").write_bytes(b"")
        (tmp_path / "other").replace(tmp_path / NAME)
        assert await store.answers()
        assert "was replaced while ondeckd runs" in store.trouble


async def test_a_database_that_is_silent_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.state.store._PATIENCE", 0.0)
    busy, release = threading.Event(), threading.Event()

    def hang(_: sqlite3.Connection) -> None:
        busy.set()
        release.wait()

    async with Store(tmp_path) as store, asyncio.TaskGroup() as group:
        group.create_task(store.run(hang))
        await asyncio.to_thread(busy.wait)
        asking = group.create_task(store.answers())
        await asyncio.sleep(0)
        assert "has not answered for" in store.trouble
        release.set()
        await asking
        assert store.trouble == ""


@needs_root
async def test_a_full_disk_is_one_clear_error_and_the_end_goes_in_order(tmp_path: Path) -> None:
    with memory_disk(tmp_path, "1m"):
        with capture_logs() as logs:
            async with Store(tmp_path) as store:
                await store.run(lambda c: demands.put_meta(c, "a", "1"))
                with pytest.raises(StateError, match=rf"^{tmp_path / NAME}: database or disk is full$"):
                    await store.run(lambda c: demands.put_meta(c, "b", "x" * 2_000_000))
                assert await store.run(lambda c: demands.get_meta(c, "b")) == ""
                await store.backup()
        assert {line["event"] for line in logs} == {"backup_failed"}
        assert not list(tmp_path.glob("*.part"))
        async with Store(tmp_path) as store:
            assert await store.run(lambda c: demands.get_meta(c, "a")) == "1"


async def test_a_commit_that_fails_leaves_no_transaction_behind(tmp_path: Path) -> None:
    def orphan(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE p (id PRIMARY KEY)")
        connection.execute("CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)")
        connection.execute("INSERT INTO c VALUES (1)")

    async with Store(tmp_path) as store:
        with pytest.raises(sqlite3.IntegrityError):
            await store.run(orphan)
        await store.run(lambda c: demands.put_meta(c, "a", "1"))


async def test_a_database_of_a_newer_ondeckd_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / NAME) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()

    with pytest.raises(StateError, match="999"):
        async with Store(tmp_path):
            pass
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


async def test_a_state_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot be opened"):
        async with Store(tmp_path / "missing"):
            pass
