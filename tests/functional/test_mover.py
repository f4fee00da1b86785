from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.errors import NoSpace, SourceChanged, SourceMissing, TierUnavailable
from daemon.storage import mover
from daemon.storage.mover import OpenFiles, Pace, Reading, in_slices
from daemon.storage.threads import MOST_STALLED, Threads
from tests.support.copying import CONTENT, Job, slow
from tests.support.files import open_descriptors, threads


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with threads() as found:
        yield found


@pytest.mark.parametrize("size", [0, 1, 4095, 1 << 20, (1 << 20) + 1, 3_000_000])
@pytest.mark.parametrize("checked", [False, True])
async def test_every_byte_arrives(tmp_path: Path, executor: ThreadPoolExecutor, size: int, checked: bool) -> None:
    job = Job(tmp_path, CONTENT[:size], checked=checked)

    await job.run(executor)

    assert job.target.read_bytes() == CONTENT[:size]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder, "target")


async def test_a_file_goes_to_another_file_system(
    tmp_path: Path, elsewhere: Path, executor: ThreadPoolExecutor
) -> None:
    job = Job(tmp_path, target=elsewhere)

    await job.run(executor)

    assert job.target.read_bytes() == CONTENT


async def test_where_the_kernel_cannot_copy_by_itself_the_bytes_go_through_memory(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> int:
        raise OSError(errno.EINVAL, "cannot")

    monkeypatch.setattr(os, "copy_file_range", cannot)
    monkeypatch.setattr(os, "sendfile", cannot)
    job = Job(tmp_path)

    await job.run(executor)

    assert job.target.read_bytes() == CONTENT


async def test_a_file_system_that_answers_nothing_to_a_copy_is_read_instead(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0)
    monkeypatch.setattr(os, "sendfile", lambda *_: 0)
    job = Job(tmp_path)

    await job.run(executor)

    assert job.target.read_bytes() == CONTENT


async def test_the_checksum_is_that_of_the_bytes_and_of_what_the_disk_gives_back(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    job = Job(tmp_path, checked=True)
    checksum = await job.run(executor)

    target = OpenFiles(os.open(job.target, os.O_RDONLY))
    again = await in_slices(Threads(executor), "TV", Reading(target, len(CONTENT), 0), pace=Pace(0))
    target.close()

    assert checksum == again == f"blake2b:{hashlib.blake2b(CONTENT).hexdigest()}"


async def test_progress_grows_slice_by_slice_up_to_the_size(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    heard: list[int] = []

    await Job(tmp_path, CONTENT[:250_000]).run(executor, pace=slow(), progress=heard.append)

    assert heard == [100_000, 200_000, 250_000]


async def test_the_rate_is_never_exceeded_however_many_copies_share_it(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    pace = slow()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    began = time.monotonic()

    await asyncio.gather(
        Job(tmp_path / "a", CONTENT[:200_000]).run(executor, pace=pace),
        Job(tmp_path / "b", CONTENT[:200_000]).run(executor, pace=pace),
    )

    assert time.monotonic() - began >= 0.39


async def test_a_copy_beside_a_stream_rests_as_long_as_it_works() -> None:
    began = time.monotonic()

    await Pace(0).rest(1, 0.05, busy=True)

    assert time.monotonic() - began >= 0.05


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def rewrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"other")


def shorten(path: Path) -> None:
    os.truncate(path, 150_000)


def retime(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.rename(path)


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("change", [append, rewrite, shorten, retime, replace])
async def test_a_source_that_changes_under_the_copy_is_noticed(
    tmp_path: Path, executor: ThreadPoolExecutor, change: Callable[[Path], None], checked: bool
) -> None:
    job = Job(tmp_path, CONTENT[:250_000], checked=checked)

    with pytest.raises(SourceChanged, match=r"source (changed|ended early) while it was copied"):
        await job.run(executor, pace=slow(), progress=lambda _: change(job.source))


async def test_a_source_that_is_deleted_under_the_copy_is_noticed(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    job = Job(tmp_path, CONTENT[:250_000])

    with pytest.raises(SourceMissing, match="was deleted while it was copied"):
        await job.run(executor, pace=slow(), progress=lambda _: job.source.unlink(missing_ok=True))


@pytest.mark.parametrize("checked", [False, True])
async def test_a_source_that_is_cut_off_within_a_slice_is_no_endless_copy(tmp_path: Path, checked: bool) -> None:
    job = Job(tmp_path, checked=checked)
    os.truncate(job.source, 10)

    source, target = job.files._descriptors
    with pytest.raises(SourceChanged, match="ended early"):
        job.copy._move(source, target, 1000)
    job.files.close()


@pytest.mark.parametrize("change", [append, rewrite, shorten, replace])
async def test_a_source_that_changes_within_the_last_slice_is_noticed(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    job = Job(tmp_path, CONTENT[:250_000])
    copy = os.copy_file_range

    def change_and_copy(*args: int) -> int:
        change(job.source)
        return copy(*args)

    monkeypatch.setattr(os, "copy_file_range", change_and_copy)

    with pytest.raises(SourceChanged, match=r"source (changed|ended early) while it was copied"):
        await job.run(executor)


async def test_a_source_whose_path_is_too_long_to_look_at_counts_as_changed(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    job = Job(tmp_path, CONTENT[:250_000])
    job.copy._path = f"/{'x' * 300}"

    with pytest.raises(SourceChanged):
        await job.run(executor, pace=slow(), progress=lambda _: job.source.unlink(missing_ok=True))


async def test_room_that_others_take_meanwhile_ends_the_copy(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    job = Job(tmp_path, CONTENT[:250_000])

    def taken(_done: int) -> None:
        job.reserve = 1 << 62

    with pytest.raises(NoSpace, match="bytes are left where it is copied to"):
        await job.run(executor, pace=slow(), progress=taken)


async def test_a_cancelled_copy_leaves_no_descriptor_open_though_its_thread_still_works(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_descriptors()
    entered, leave = threading.Event(), threading.Event()

    def slow_copy(source: int, target: int, count: int, *_: int) -> int:
        entered.set()
        leave.wait(10)
        os.fstat(source)
        os.fstat(target)
        return count

    monkeypatch.setattr(os, "copy_file_range", slow_copy)
    job = Job(tmp_path)
    task = asyncio.create_task(job.run(executor))
    await asyncio.to_thread(entered.wait)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert os.fstat(job.files._descriptors[0])
    leave.set()
    await asyncio.to_thread(executor.shutdown)
    assert not any("source" in line or "target" in line for line in open_descriptors() - before)


def test_files_that_were_closed_are_not_borrowed(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.files.close()
    job.files.close()

    with pytest.raises(SourceMissing, match="given up"):
        job.copy.step()


async def test_a_call_that_hangs_is_given_up_and_the_mapping_refused_until_it_comes_back(
    executor: ThreadPoolExecutor,
) -> None:
    threads = Threads(executor, patience=0.02)
    leave = threading.Event()

    for _ in range(MOST_STALLED):
        with pytest.raises(TierUnavailable, match=r"no answer for 0\.02 s"):
            await threads.run("NAS", leave.wait)
    with pytest.raises(TierUnavailable, match="still hang"):
        await threads.run("NAS", leave.wait)
    assert threads.stalled("NAS") == MOST_STALLED
    assert await threads.run("TV", lambda: "other mappings go on") == "other mappings go on"

    leave.set()
    await asyncio.to_thread(executor.shutdown)
    assert threads.stalled("NAS") == 0


async def test_a_timeout_of_the_file_system_itself_is_no_stall(executor: ThreadPoolExecutor) -> None:
    threads = Threads(executor)

    def answer() -> None:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    with pytest.raises(TimeoutError):
        await threads.run("NAS", answer)
    assert threads.stalled("NAS") == 0


async def test_cleaning_goes_on_though_the_mapping_is_refused(executor: ThreadPoolExecutor) -> None:
    threads = Threads(executor, patience=0.02)
    leave, cleaned = threading.Event(), threading.Event()
    for _ in range(MOST_STALLED):
        with pytest.raises(TierUnavailable):
            await threads.run("NAS", leave.wait)

    await threads.clean("NAS", cleaned.set)

    assert cleaned.is_set()
    leave.set()


def test_a_window_shrinks_where_the_disk_is_slow_and_grows_where_it_is_fast() -> None:
    assert mover._adapted(2 << 20, mover.SLICE / 4) == 4 << 20
    assert mover._adapted(4 << 20, mover.SLICE * 0.75) == 4 << 20
    assert mover._adapted(4 << 20, mover.SLICE * 2) == 2 << 20
    assert mover._adapted(1 << 20, mover.SLICE * 2) == 1 << 20
