"""Sparse files: the copy has the same bytes, and no more of them on the disk."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from daemon.errors import SourceChanged
from daemon.storage import ways
from daemon.storage.mover import Pace
from tests.support.copying import CONTENT, Job, slow
from tests.support.files import threads

MB = 1 << 20
HUGE = 2 << 40


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with threads() as found:
        yield found


def sparse(path: Path, size: int, *ranges: tuple[int, int]) -> Path:
    """Make a file of that size with bytes from and to those offsets only."""
    with path.open("wb") as file:
        for begin, end in ranges:
            os.pwrite(file.fileno(), CONTENT[: end - begin], begin)
    os.truncate(path, size)
    return path


def on_disk(path: Path) -> int:
    """Return how many bytes a file takes."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path.stat().st_blocks * 512


def data(path: Path) -> list[tuple[int, int]]:
    """Return where a file has bytes."""
    found: list[tuple[int, int]] = []
    end = 0
    with path.open("rb") as file, suppress(OSError):
        while True:  # until there is only a hole left
            begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
            end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            found.append((begin, end))
    return found


SHAPES: list[tuple[int, list[tuple[int, int]]]] = [
    (6 * MB, []),
    (1, []),
    (6 * MB, [(0, MB)]),
    (6 * MB, [(5 * MB, 6 * MB)]),
    (6 * MB, [(2 * MB, 3 * MB)]),
    (6 * MB + 1, [(0, 1), (3 * MB + 7, 3 * MB + 9), (6 * MB, 6 * MB + 1)]),
    (20 * MB + 123, [(number * 16384, number * 16384 + 4096) for number in range(1200)]),
]


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize(("size", "ranges"), SHAPES)
async def test_a_sparse_file_stays_the_same_and_sparse(
    tmp_path: Path, executor: ThreadPoolExecutor, size: int, ranges: list[tuple[int, int]], checked: bool
) -> None:
    source = sparse(tmp_path / "source", size, *ranges)
    job = Job(tmp_path, None, checked=checked)

    checksum = await job.run(executor)

    content = source.read_bytes()
    assert job.target.read_bytes() == content
    assert job.target.stat().st_size == job.copy.done == size
    assert data(job.target) == data(source)
    assert on_disk(job.target) <= on_disk(source)
    assert checksum == (f"blake2b:{hashlib.blake2b(content).hexdigest()}" if checked else "")


@pytest.mark.parametrize("refused", [1, 2])
async def test_holes_are_kept_where_the_kernel_cannot_copy_by_itself(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    def cannot(*_: object) -> int:
        raise OSError(errno.EXDEV, "cannot")

    for name in ["copy_file_range", "sendfile"][:refused]:
        monkeypatch.setattr(os, name, cannot)
    source = sparse(tmp_path / "source", 6 * MB, (MB, 2 * MB), (4 * MB, 5 * MB))
    job = Job(tmp_path, None)

    await job.run(executor)

    assert job.target.read_bytes() == source.read_bytes()
    assert data(job.target) == data(source)


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
async def test_where_a_file_system_knows_no_holes_they_are_copied_as_zeros(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, code: int, checked: bool
) -> None:
    seek = os.lseek

    def know_no_holes(file: int, offset: int, how: int) -> int:
        if how in (os.SEEK_DATA, os.SEEK_HOLE):
            raise OSError(code, "no holes")
        return seek(file, offset, how)

    source = sparse(tmp_path / "source", 6 * MB + 5, (MB, 2 * MB))
    job = Job(tmp_path, None, checked=checked)
    monkeypatch.setattr(os, "lseek", know_no_holes)

    await job.run(executor)

    assert job.target.read_bytes() == source.read_bytes()


async def test_an_error_of_the_disk_is_no_hole(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: int) -> int:
        raise OSError(errno.EIO, "Input/output error")

    sparse(tmp_path / "source", 6 * MB)
    job = Job(tmp_path, None)
    monkeypatch.setattr(os, "lseek", fail)

    with pytest.raises(OSError, match="Input/output error"):
        await job.run(executor)


async def test_an_ordinary_file_is_not_asked_for_holes(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "lseek", lambda *args: asked.append(args[2]))
    monkeypatch.setattr(os, "ftruncate", lambda *_: asked.append(-1))
    job = Job(tmp_path)

    await job.run(executor)

    assert asked == []
    assert job.target.read_bytes() == CONTENT


async def test_a_huge_hole_takes_neither_reads_nor_a_place_in_the_rate(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    source = sparse(tmp_path / "source", HUGE, (HUGE // 2, HUGE // 2 + 8192))
    job = Job(tmp_path, None)
    read: list[int] = []

    def copy(source: int, target: int, offset: int, count: int) -> int:
        read.append(count)
        return ways.copy_file_range(source, target, offset, count)

    job.copy._ways = [copy]
    heard: list[int] = []

    # At this rate the logical bytes would take a month.
    await job.run(executor, pace=slow(), progress=heard.append)

    assert sum(read) == job.copy.moved == 8192
    assert heard[-1] == job.target.stat().st_size == HUGE
    assert data(job.target) == data(source)


def test_a_hole_that_takes_its_time_is_passed_slice_by_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is on a target without holes, where the zeros are written while its size is set."""
    now = 0.0
    begun, lengths = 0, []

    def write_zeros(_file: int, size: int) -> None:
        nonlocal now, begun
        lengths.append(size - begun)
        now, begun = now + (size - begun) / (100 * MB), size

    sparse(tmp_path / "source", 1 << 30)
    job = Job(tmp_path, None)
    monkeypatch.setattr(os, "ftruncate", write_zeros)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    slices = 0

    while not job.copy.complete:
        job.copy.step()
        slices += 1

    assert max(lengths) <= 10 * MB
    assert slices >= 50
    job.files.close()


def test_a_hole_that_takes_no_time_is_passed_in_few_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sparse(tmp_path / "source", HUGE)
    job = Job(tmp_path, None)
    sizes: list[int] = []
    monkeypatch.setattr(os, "ftruncate", lambda _file, size: sizes.append(size))
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)

    job.copy.step()

    assert sizes[-1] == HUGE
    assert len(sizes) < 30
    job.files.close()


@pytest.mark.parametrize("checked", [False, True])
async def test_a_sparse_file_that_is_cut_off_in_a_hole_is_noticed(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, checked: bool
) -> None:
    source = sparse(tmp_path / "source", 6 * MB, (0, MB), (5 * MB, 6 * MB))
    job = Job(tmp_path, None, checked=checked)
    seek = os.lseek

    def cut_off(file: int, offset: int, how: int) -> int:
        if how == os.SEEK_DATA and offset > 0:
            os.truncate(source, 2 * MB)
        return seek(file, offset, how)

    monkeypatch.setattr(os, "lseek", cut_off)

    with pytest.raises(SourceChanged, match=r"source (changed|ended early) while it was copied"):
        await job.run(executor)


async def test_bytes_where_a_file_system_says_is_a_hole_are_found_by_the_checksum(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lie(_file: int, _offset: int, _how: int) -> int:
        raise OSError(errno.ENXIO, "nothing but a hole")

    source = sparse(tmp_path / "source", 6 * MB, (MB, 2 * MB))
    job = Job(tmp_path, None, checked=True)
    monkeypatch.setattr(os, "lseek", lie)

    await job.run(executor)

    assert job.target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("answers", [(0, 0), (4096, 4096), (0, 4096)])
async def test_answers_about_holes_that_make_no_sense_end_in_a_plain_copy(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, answers: tuple[int, int]
) -> None:
    source = sparse(tmp_path / "source", 4 * MB, (0, 2 * MB))
    job = Job(tmp_path, None, checked=True)
    monkeypatch.setattr(os, "lseek", lambda _file, _offset, how: answers[how == os.SEEK_HOLE])

    await job.run(executor)

    assert job.target.read_bytes() == source.read_bytes()


@pytest.mark.long
@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("seed", range(40))
async def test_any_pattern_of_holes_is_kept(
    tmp_path: Path, executor: ThreadPoolExecutor, seed: int, checked: bool
) -> None:
    chance = random.Random(seed)
    size = chance.randrange(1, 8 * MB)
    begins = sorted(chance.randrange(size) for _ in range(chance.randrange(30)))
    ranges = [(begin, min(size, begin + chance.randrange(1, 100_000))) for begin in begins]
    source = sparse(tmp_path / "source", size, *ranges)
    job = Job(tmp_path, None, checked=checked)

    await job.run(executor, pace=Pace(chance.choice([0, 20 * MB])))

    assert job.target.read_bytes() == source.read_bytes()
    assert data(job.target) == data(source)
