"""The database: durable, checked, replaced when damaged."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from daemon.errors import StateError
from daemon.state import demands
from daemon.state.store import NAME, Store


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
