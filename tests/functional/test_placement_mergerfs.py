"""The union is a real mergerfs with the cache branch first."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path

import pytest

from daemon.errors import TierUnavailable
from daemon.storage.probe import check_mapping
from tests.support.files import Tiers, threads

pytestmark = pytest.mark.skipif(
    not (shutil.which("mergerfs") and Path("/dev/fuse").exists() and os.geteuid() == 0),
    reason="needs mergerfs (package mergerfs), /dev/fuse and root",
)

E1 = "Show/e1.mkv"


@pytest.fixture
def tiers(tmp_path: Path) -> Iterator[Tiers]:
    with threads() as executor, mounted(tmp_path, executor) as found:
        yield found


class mounted:  # noqa: N801 - used like a function
    def __init__(self, root: Path, executor: ThreadPoolExecutor) -> None:
        self._point = root / "union"
        self._tiers = Tiers(root, executor, union=str(self._point))

    def __enter__(self) -> Tiers:
        self._point.mkdir()
        branches = f"{self._tiers.cache}=RW:{self._tiers.array}=RW"
        subprocess.run(["mergerfs", "-o", "category.search=ff", branches, str(self._point)], check=True)
        return self._tiers

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "-l", str(self._point)], check=True)


async def test_a_reader_sees_the_right_bytes_before_during_and_after(tiers: Tiers) -> None:
    content = os.urandom(2_000_000)
    file = tiers.film(E1, content)
    stop = threading.Event()
    reading = asyncio.create_task(asyncio.to_thread(read_until, Path(tiers.mapping.union, E1), content, stop))

    for _ in range(5):
        [entry] = await tiers.cache_in(file)
        assert tiers.cached() == {E1: content}
        await tiers.placement.evict(entry)
    stop.set()

    assert await reading > 0


def read_until(path: Path, content: bytes, stop: threading.Event) -> int:
    """Open and read the file again and again; return how often. Every time it is complete."""
    count = 0
    while not stop.is_set() or count == 0:
        assert path.read_bytes() == content
        count += 1
    return count


@pytest.fixture
def streams(tiers: Tiers) -> Iterator[Callable[[], BufferedReader]]:
    """Open the file through the pool, as Plex does."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Path(tiers.mapping.union, E1).open("rb"))


async def test_an_open_file_survives_its_copy_in_both_directions(
    tiers: Tiers, streams: Callable[[], BufferedReader]
) -> None:
    content = os.urandom(500_000)
    file = tiers.film(E1, content)

    early = streams()
    [entry] = await tiers.cache_in(file)
    late = streams()
    await tiers.placement.evict(entry)

    assert early.read() == late.read() == content


async def test_the_pool_given_as_the_array_is_refused(tmp_path: Path) -> None:
    with threads() as executor, mounted(tmp_path, executor) as tiers:
        tiers.film(E1)
        wrong = Tiers(tmp_path, executor, array=f"{tmp_path}/union")

        with pytest.raises(TierUnavailable, match="must be the slow tier alone"):
            await wrong.cache_in(wrong.file(E1))


def test_check_sees_the_cache_through_the_pool(tiers: Tiers) -> None:
    tiers.film(E1)

    texts = {finding.text: finding.ok for finding in check_mapping(tiers.mapping)}

    assert texts[f"TV: union {tiers.mapping.union} shows the cache's files"]
