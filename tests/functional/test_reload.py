"""The configuration file is noticed however it is changed, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.reload import watch


class Changes:
    """Remembers what the file held at each call, and lets a test wait for the next one."""

    def __init__(self, path: Path) -> None:
        self.texts: list[str] = []
        self._path = path
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self.texts.append(self._path.read_text())
        self._event.set()

    async def next(self) -> None:
        async with asyncio.timeout(60):
            await self._event.wait()
        self._event.clear()


@asynccontextmanager
async def watching(path: Path) -> AsyncIterator[Changes]:
    changes = Changes(path)
    task = asyncio.create_task(watch(path, changes))
    # One turn of the loop, and the folder is being watched.
    await asyncio.sleep(0)
    try:
        yield changes
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def write(path: Path, text: str) -> None:
    path.write_text(text)


def remove(path: Path) -> None:
    path.unlink()


def link(path: Path, target: Path | str) -> None:
    """Put a link in the place of whatever is there, in one step."""
    beside = path.with_name("link")
    beside.symlink_to(target)
    beside.replace(path)


def replace(path: Path, text: str) -> None:
    beside = path.with_name("beside")
    beside.write_text(text)
    beside.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("# 0")
    return path


async def test_a_file_replaced_again_and_again_is_noticed_each_time(path: Path) -> None:
    async with watching(path) as changes:
        for text in ("# 1", "# 2", "# 3"):
            replace(path, text)
            await changes.next()

        assert changes.texts == ["# 1", "# 2", "# 3"]


async def test_a_file_written_in_place_is_noticed(path: Path) -> None:
    async with watching(path) as changes:
        write(path, "# longer than before")
        await changes.next()


async def test_other_files_in_the_folder_mean_nothing(path: Path) -> None:
    other = path.with_name("other.toml")
    other.write_text("0")

    async with watching(path) as changes, watching(other) as others:
        replace(other, "1")
        await others.next()
        replace(path, "# 1")
        await changes.next()

        assert changes.texts == ["# 1"]


async def test_a_deleted_file_is_no_change_until_it_is_back(path: Path) -> None:
    other = path.with_name("other.toml")
    other.write_text("0")

    async with watching(path) as changes, watching(other) as others:
        remove(path)
        replace(other, "1")
        await others.next()
        write(path, "# 1")
        await changes.next()

        assert changes.texts == ["# 1"]


async def test_a_linked_file_is_noticed_when_what_it_points_to_changes(path: Path) -> None:
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    write(elsewhere / "config.toml", "# 0")
    link(path, elsewhere / "config.toml")

    async with watching(path) as changes:
        replace(elsewhere / "config.toml", "# 1")
        await changes.next()

        assert changes.texts == ["# 1"]


async def test_a_link_that_points_elsewhere_is_noticed(path: Path) -> None:
    write(path.with_name("one.toml"), "# one")
    write(path.with_name("two.toml"), "# two")
    link(path, "one.toml")

    async with watching(path) as changes:
        link(path, "two.toml")
        await changes.next()

        assert changes.texts == ["# two"]
