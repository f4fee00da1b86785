"""A tier that is full, read-only or not ours to write: one error, one notice, and everything that needs it waits."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from structlog.testing import capture_logs

from daemon.model import TaskKind
from daemon.storage import tree
from tests.support.bad_input import fill, memory_disk, remount
from tests.support.household import household
from tests.support.needs import needs_ext4, needs_root

FILES = 20


@pytest.fixture
def notices() -> Iterator[list[Any]]:
    with capture_logs() as found:
        yield found


def told(notices: list[Any], *events: str) -> list[str]:
    """Return the mappings in the log lines of these events; of the usual ones if none is named."""
    wanted = events or ("mapping_held", "task_failed")
    return [line.get("mapping", line["event"]) for line in notices if line["event"] in wanted]


@needs_root
async def test_a_full_array_holds_what_has_to_be_copied_back_and_nothing_else(
    tmp_path: Path, notices: list[Any]
) -> None:
    with memory_disk(tmp_path / "array", "4m"):
        async with household(tmp_path, 20, films="union+remove", shows="symlink+remove", music="union+backup") as home:
            old = [home.film(("films", "shows")[number % 2], number) for number in range(FILES)]
            song = home.film("music", 1)
            await home.ask(TaskKind.CACHE_IN, *old, song)
            await home.until_done(FILES + 1)
            fresh = home.film("films", FILES)
            fill(tmp_path / "array" / "somebody's.iso")

            await home.ask(TaskKind.EVICT, *old)
            await home.until(lambda: bool(home.holds.problems()))
            await home.ask(TaskKind.EVICT, song)
            await home.ask(TaskKind.CACHE_IN, fresh)
            await home.until_done(FILES + 3)
            assert await home.spent() == [0] * FILES
            assert home.copies("films") + home.copies("shows") == FILES + 1
            assert set(home.holds.problems()) == {"films", "shows"}

            (tmp_path / "array" / "somebody's.iso").unlink()
            home.hurry()
            await home.until_done(2 * FILES + 3)
            await home.until(lambda: not home.holds.problems())
    assert told(notices) == ["films, shows"]
    assert told(notices, "mapping_released") == ["films, shows"]


@needs_root
async def test_a_full_cache_holds_all_mappings_on_it_with_one_notice(tmp_path: Path, notices: list[Any]) -> None:
    (tmp_path / "cache" / "music").mkdir(parents=True)
    with memory_disk(tmp_path / "disk", "1m"):
        for name in ("films", "shows"):
            (tmp_path / "disk" / name).mkdir()
            (tmp_path / "cache" / name).symlink_to(tmp_path / "disk" / name)
        async with household(tmp_path, 10, films="union+keep", shows="union+backup", music="union+keep") as home:
            fill(tmp_path / "disk" / "somebody's.iso")
            names = [home.film(("films", "shows")[number % 2], number) for number in range(FILES)]
            await home.ask(TaskKind.CACHE_IN, *names, home.film("music", 1))
            await home.until_done(1)
            assert await home.spent() == [1] + [0] * (FILES - 1)
            assert home.copies("music") == 1

            (tmp_path / "disk" / "somebody's.iso").unlink()
            home.hurry()
            await home.until_done(FILES + 1)
            await home.until(lambda: not home.holds.problems())
    assert told(notices) == ["films, shows"]
    assert told(notices, "mapping_released") == ["films, shows"]


@needs_root
async def test_a_cache_that_turns_read_only_holds_all_mappings_on_it_with_one_notice(
    tmp_path: Path, notices: list[Any]
) -> None:
    with memory_disk(tmp_path / "cache", "4m"):
        async with household(tmp_path, films="union+keep", shows="symlink+remove") as home:
            remount(tmp_path / "cache", "ro")
            names = [home.film(("films", "shows")[number % 2], number) for number in range(FILES)]
            await home.ask(TaskKind.CACHE_IN, *names)
            await home.until(lambda: len(home.holds.problems()) > 0)
            assert sorted(home.holds.held(TaskKind.CACHE_IN)) == ["films", "shows"]
            await home.clock.sleep(600)
            assert await home.spent() == [0] * FILES

            remount(tmp_path / "cache", "rw")
            await home.until_done(FILES)
            await home.until(lambda: not home.holds.problems())
    assert told(notices) == ["films, shows"]


@contextmanager
def ext4(point: Path) -> Iterator[None]:
    """Have a small ext4 of its own at `point` meanwhile."""
    point.mkdir(parents=True)
    image = point.with_name("image")
    with image.open("wb") as file:
        file.truncate(16 << 20)
    run(["mkfs.ext4", "-q", str(image)], check=True)
    run(["mount", "-o", "loop", str(image), str(point)], check=True)
    try:
        yield
    finally:
        run(["umount", "-l", str(point)], check=True)
        image.unlink()


@needs_root
@needs_ext4
async def test_an_array_that_turns_read_only_holds_the_mappings_that_write_to_it(
    tmp_path: Path, notices: list[Any]
) -> None:
    with ext4(tmp_path / "array"):
        async with household(tmp_path, films="union+backup", shows="symlink+remove", music="union+keep") as home:
            names = [home.film(("films", "shows")[number % 2], number) for number in range(FILES)]
            songs = [home.film("music", number) for number in range(3)]
            remount(tmp_path / "array", "ro")
            await home.ask(TaskKind.CACHE_IN, *names, *songs)
            await home.until_done(3)
            await home.clock.sleep(600)
            assert await home.spent() == [0] * FILES
            assert sorted(home.holds.problems()) == ["films", "shows"]
            assert (home.copies("films"), home.copies("shows"), home.copies("music")) == (0, 0, 3)

            remount(tmp_path / "array", "rw")
            await home.until_done(FILES + 3)
            await home.until(lambda: not home.holds.problems())
    assert told(notices) == ["films, shows"]


@contextmanager
def refused(folder: Path) -> Iterator[None]:
    """Have a folder that this user may not write to, be it root."""
    if os.geteuid():
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    if run(["chattr", "+i", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("needs a file system that knows chattr +i")
    try:
        yield
    finally:
        run(["chattr", "-i", str(folder)], check=True)


async def test_an_array_without_permission_holds_its_mapping_until_there_is(tmp_path: Path, notices: list[Any]) -> None:
    async with household(tmp_path, films="symlink+backup", shows="symlink+backup") as home:
        names = [home.film("films", number) for number in range(FILES)]
        await home.ask(TaskKind.CACHE_IN, *names[1:])
        await home.until_done(FILES - 1)
        array = tmp_path / "array" / "films"
        with ExitStack() as stack:
            for folder in (array, *array.glob("*/")):
                stack.enter_context(refused(folder))
            await home.ask(TaskKind.EVICT, *names[1:])
            await home.ask(TaskKind.CACHE_IN, names[0], home.film("shows", 1))
            await home.until_done(FILES)
            await home.until(lambda: home.holds.held(TaskKind.EVICT) == ["films"])
            await home.clock.sleep(600)
            assert await home.spent() == [0] * FILES
            assert "cannot be written; mount it read-write, or let" in home.holds.problems()["films"].why
        await home.until_done(2 * FILES)
    assert told(notices) == ["films"]


async def test_one_folder_without_permission_costs_its_own_file_only(tmp_path: Path, notices: list[Any]) -> None:
    async with household(tmp_path, films="symlink+backup") as home:
        names = [home.film("films", number) for number in range(4)]
        with refused(tmp_path / "array" / "films" / "1"):
            await home.ask(TaskKind.CACHE_IN, *names)
            await home.until_done(3)
            failed = await home.until_failed()
            assert (failed.file.plex_path, failed.attempts) == (names[1], 5)
    assert told(notices) == ["task_failed"]


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("placement", ["union+keep", "symlink+backup"])
async def test_one_file_that_cannot_be_read_costs_itself_only(
    tmp_path: Path, notices: list[Any], monkeypatch: pytest.MonkeyPatch, placement: str, code: int
) -> None:
    really = tree.open_file

    def open_file(root: str, parts: tuple[str, ...]) -> int:
        if parts[0] == "1":
            raise OSError(code, os.strerror(code))
        return really(root, parts)

    async with household(tmp_path, films=placement) as home:
        names = [home.film("films", number) for number in range(4)]
        monkeypatch.setattr(tree, "open_file", open_file)
        await home.ask(TaskKind.CACHE_IN, *names)
        await home.until_done(3)
        failed = await home.until_failed()
        assert (failed.file.plex_path, failed.attempts) == (names[1], 5)
        assert home.holds.problems() == {}
    assert told(notices) == ["task_failed"]
