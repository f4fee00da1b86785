"""Full, read-only and failing disks, and a kill at every step: nothing is lost, nothing partial is shown."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import pytest

from daemon.errors import NoSpace, Skipped, StorageError, TierUnavailable
from daemon.model import Entry, File
from tests.support.files import LONG_AGO, NthChange, Tiers, threads

E1 = "Show/e1.mkv"
SUBTITLE = "Show/e1.en.srt"
CONTENT = os.urandom(200_000)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


@contextmanager
def memory(point: Path, options: str) -> Iterator[None]:
    """Have a file system in memory mounted at `point`."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(point)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(point)], check=True)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with threads() as found:
        yield found


@as_root
async def test_a_read_only_cache_is_unavailable_and_recovers(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor)
    file = tiers.film(E1)

    with memory(tiers.cache, "ro"), pytest.raises(TierUnavailable, match="Read-only file system"):
        await tiers.cache_in(file)

    await tiers.cache_in(file)
    assert tiers.cached() == {E1: b"film"}


@as_root
async def test_a_cache_that_fills_up_under_the_copy_ends_it_without_a_trace(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"rate_limit": "1MB"})
    file = tiers.film(E1, bytes(300_000))

    def fill(_done: int, _total: int) -> None:
        filler = os.open(tiers.cache / "other download", os.O_CREAT | os.O_WRONLY)
        while True:
            try:
                os.write(filler, bytes(4096))
            except OSError:
                break
        os.close(filler)

    with memory(tiers.cache, "size=1m"):
        with pytest.raises(NoSpace, match="No space left on device"):
            await tiers.placement.cache_in(file, fill)
        assert list(tiers.cached()) == ["other download"]


@as_root
async def test_a_full_cache_can_be_emptied(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor)
    file = tiers.film("e1.mkv")

    with memory(tiers.cache, "size=1m,nr_inodes=5"):
        [entry] = await tiers.cache_in(file)
        (tiers.cache / "last inode").touch()
        await tiers.placement.evict(entry)
        assert list(tiers.cached()) == ["last inode"]


def household(tmp_path: Path, executor: ThreadPoolExecutor) -> tuple[Tiers, File]:
    tiers = Tiers(tmp_path, executor)
    file = tiers.film(E1, CONTENT)
    os.setxattr(tiers.array / E1, "user.rating", b"5")
    (tiers.array / E1).chmod(0o604)
    tiers.film(SUBTITLE, b"hello")
    return tiers, file


def is_right(tiers: Tiers) -> bool:
    """Say whether each final name on the cache is a whole file with its attributes, the array as before."""
    originals = tiers.on_array()
    copies = {name: content for name, content in tiers.cached().items() if ".ondeckd" not in name}
    for name in copies:
        found = (tiers.cache / name).stat()
        wanted = (tiers.array / name).stat()
        if (found.st_mtime_ns, stat.S_IMODE(found.st_mode)) != (LONG_AGO, stat.S_IMODE(wanted.st_mode)):
            return False
        if os.listxattr(tiers.cache / name) != os.listxattr(tiers.array / name):
            return False
    return originals == {E1: CONTENT, SUBTITLE: b"hello"} and copies.items() <= originals.items()


def changes(root: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[Tiers, File], None]) -> int:
    """Return how many changes `work` makes to the disks when nothing fails."""
    root.mkdir()
    with threads() as executor, monkeypatch.context() as patch:
        tiers, file = household(root, executor)
        counter = NthChange(patch, 0, lambda: None)
        work(tiers, file)
        return counter.count


def there_and_back(tiers: Tiers, file: File) -> None:
    async def both() -> None:
        for entry in await tiers.cache_in(file):
            await tiers.placement.evict(entry)

    asyncio.run(both())


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_whichever_call_fails_nothing_is_lost_and_the_next_try_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail() -> None:
        raise OSError(code, os.strerror(code))

    total = changes(tmp_path / "counted", monkeypatch, there_and_back)
    assert total > 30
    for nth in range(1, total + 1):
        root = tmp_path / str(nth)
        root.mkdir()
        with threads() as executor:
            tiers, file = household(root, executor)
            with monkeypatch.context() as patch:
                NthChange(patch, nth, fail)
                with suppress(StorageError):
                    there_and_back(tiers, file)
            assert is_right(tiers), f"after a failure of change {nth}"
            tiers.sweep()
            assert not any(".ondeckd" in name for name in tiers.cached())


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_step_shows_no_partial_file_and_no_copy_that_the_ledger_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    total = changes(tmp_path / "counted", monkeypatch, cache_in_with_ledger)
    for nth in range(1, total + 1):
        root = tmp_path / f"{nth}"
        root.mkdir()
        killed_at(root, monkeypatch, nth, after=after, work=cache_in_with_ledger)
        with threads() as executor:
            tiers = Tiers(root, executor)
            assert is_right(tiers), f"after a kill at change {nth}"
            tiers.sweep()
            assert not any(".ondeckd" in name for name in tiers.cached())
            recorded = asyncio.run(standing(tiers, read_ledger(root / "ledger")))
            assert set(tiers.cached()) == {
                str(Path(entry.file.cache_path).relative_to(tiers.cache)) for entry in recorded
            }
            known = {entry.file.array_path: entry for entry in recorded}
            asyncio.run(tiers.cache_in(tiers.file(E1), known=known))
            assert E1 in tiers.cached()


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_step_of_an_eviction_leaves_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    total = changes(tmp_path / "counted", monkeypatch, there_and_back)
    for nth in range(1, total + 1):
        root = tmp_path / f"{nth}"
        root.mkdir()
        killed_at(root, monkeypatch, nth, after=after, work=there_and_back)
        with threads() as executor:
            tiers = Tiers(root, executor)
            assert is_right(tiers), f"after a kill at change {nth}"
            tiers.sweep()
            assert not any(".ondeckd" in str(path) for path in tiers.cache.glob("*/.ondeckd*"))


def cache_in_with_ledger(tiers: Tiers, file: File) -> None:
    async def publishing(entry: Entry) -> None:
        with (tiers.array.parent / "ledger").open("a") as ledger:
            ledger.write(json.dumps(asdict(entry)) + "\n")

    asyncio.run(tiers.cache_in(file, publishing=publishing))


def read_ledger(ledger: Path) -> list[Entry]:
    rows = [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
    return [Entry(**row | {"file": File(**row["file"])}) for row in rows]


async def standing(tiers: Tiers, entries: list[Entry]) -> list[Entry]:
    """Return what was recorded and is there."""
    return [entry for entry in entries if await tiers.placement.stands(entry)]


def killed_at(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    nth: int,
    *,
    after: bool,
    work: Callable[[Tiers, File], None],
) -> None:
    """Do `work` in a process that dies at its n-th change to a disk, before or after it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with threads() as executor:
                tiers, file = household(root, executor)
                NthChange(monkeypatch, nth, lambda: os._exit(9), after=after)
                work(tiers, file)
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


async def test_two_copies_of_one_file_at_once_leave_one_whole_copy(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers, file = household(tmp_path, executor)

    found = await asyncio.gather(tiers.cache_in(file), tiers.cache_in(file), return_exceptions=True)

    assert [type(one) for one in found if isinstance(one, BaseException)] in ([Skipped], [])
    assert is_right(tiers)
    assert E1 in tiers.cached()
