"""How fast files come to the cache, beside ``cp``, and how much the event loop suffers.

Makes two file systems in image files, so it needs root. All ways copy the same cold file from one to the
other, in turns, and end with the file and its folder on the disk.

    python benchmarks/copying.py [--size MIB] [--rounds N] [--array ext4] [--cache xfs]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from daemon.config import MappingSettings, TransferSettings
from daemon.model import File
from daemon.storage.paths import Mappings
from daemon.storage.placement import Placement

_MIB = 1 << 20
_TICK = 0.005


def main() -> int:
    """Print one line for each figure."""
    options = argparse.ArgumentParser()
    options.add_argument("--size", type=int, default=512, help="size of a file in MiB")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--array", default="ext4", help="file system of the array")
    options.add_argument("--cache", default="xfs", help="file system of the cache")
    chosen = options.parse_args()
    if os.geteuid() != 0:
        print("needs root, to mount two file systems", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="ondeckd-copying-") as folder, ExitStack() as stack:
        room = 5 * chosen.size + 1024
        array = stack.enter_context(file_system(Path(folder), "array", chosen.array, room))
        cache = stack.enter_context(file_system(Path(folder), "cache", chosen.cache, room))
        for number in range(4):
            write(array / f"film{number}.mkv", chosen.size)
        asyncio.run(measure(array, cache, chosen.rounds, chosen.size))
    return 0


@contextmanager
def file_system(folder: Path, name: str, kind: str, room: int) -> Iterator[Path]:
    """Have a file system of `room` MiB mounted meanwhile."""
    image, point = folder / f"{name}.img", folder / name
    with image.open("wb") as file:
        file.truncate(room * _MIB)
    point.mkdir()
    run(f"mkfs.{kind}", "-q", "-F" if kind.startswith("ext") else "-f", str(image))
    run("mount", "-o", "loop", str(image), str(point))
    try:
        yield point
    finally:
        run("umount", str(point))


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def write(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size):
            file.write(os.urandom(_MIB))


def forget() -> None:
    """Make every file cold."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def with_cp(source: Path, target: Path) -> float:
    """Return the seconds that cp takes; the copy is removed again."""
    forget()
    began = time.monotonic()
    run("cp", "--reflink=never", str(source), str(target))
    run("sync", str(target), str(target.parent))
    seconds = time.monotonic() - began
    target.unlink()
    return seconds


async def measure(array: Path, cache: Path, rounds: int, size: int) -> None:
    mapping = MappingSettings(name="bench", plex="/bench", array=str(array), cache=str(cache))
    mappings = Mappings([mapping])
    films = [mappings.resolve(f"/bench/film{number}.mkv") for number in range(4)]
    with ThreadPoolExecutor(10) as executor:
        ways = {
            verify: Placement(
                mappings, TransferSettings(verify=verify), executor, on_touch=lambda _operation, _reason: None
            )
            for verify in ("size", "checksum")
        }
        await compare(ways, films[0], rounds, size)
        await watch_loop(ways["size"], films)


async def compare(ways: dict[str, Placement], film: File, rounds: int, size: int) -> None:
    """Let all ways copy one file in turns; print the medians and how often faster than cp each is."""
    seconds: dict[str, list[float]] = {way: [] for way in ("cp", *(f"verify = {verify}" for verify in ways))}
    for _ in range(rounds):
        seconds["cp"].append(with_cp(Path(film.array_path), Path(film.cache_path)))
        for verify, placement in ways.items():
            forget()
            began = time.monotonic()
            [entry] = await placement.cache_in(film, lambda _done, _total: None)
            seconds[f"verify = {verify}"].append(time.monotonic() - began)
            await placement.evict(entry)
    medians = {way: statistics.median(found) for way, found in seconds.items()}
    for way, median in medians.items():
        print(f"{way:18} {size / median:6.0f} MiB/s   {medians['cp'] / median:5.2f} x cp")


async def watch_loop(placement: Placement, films: list[File]) -> None:
    """Copy four files at once and print how late a timer of 5 ms is beside them."""
    forget()
    late: list[float] = []
    async with asyncio.TaskGroup() as group:
        copies = [group.create_task(placement.cache_in(film, lambda _done, _total: None)) for film in films]
        while not all(copy.done() for copy in copies):
            began = time.monotonic()
            await asyncio.sleep(_TICK)
            late.append((time.monotonic() - began - _TICK) * 1000)
    late.sort()
    print(
        f"loop beside four   p50 {late[len(late) // 2]:.1f} ms   p99 {late[len(late) * 99 // 100]:.1f} ms   "
        f"worst {late[-1]:.1f} ms   of {len(late)} ticks"
    )


if __name__ == "__main__":
    sys.exit(main())
