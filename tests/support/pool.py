"""A mergerfs pool of two real disks, the cache first, as its users have it."""

from __future__ import annotations

import os
import random
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from operator import ge
from pathlib import Path

CHUNK = 64 << 10


def mount_pool(stack: ExitStack, cache: Path, array: Path, point: Path, options: str = "") -> Path:
    """Have both folders merged at `point`; with mergerfs's own defaults, unless told otherwise."""
    point.mkdir()
    given = ["-o", options] if options else []
    subprocess.run(["mergerfs", *given, f"{cache}=RW:{array}=RW", str(point)], check=True)
    stack.callback(subprocess.run, ["umount", "-l", str(point)], check=True)
    return point


@contextmanager
def pool(root: Path) -> Iterator[Path]:
    """Mount an ext4 array and an xfs cache below `root`, and a pool of them; give the pool's folder."""
    with ExitStack() as stack:
        for name, kind, megabytes in (("array", "ext4", 64), ("cache", "xfs", 320)):
            point, image = root / name, root / f"{name}.{kind}"
            point.mkdir()
            with image.open("wb") as file:
                file.truncate(megabytes << 20)
            stack.callback(image.unlink)
            subprocess.run([f"mkfs.{kind}", "-q", str(image)], check=True)
            # The kernel lets the loop device go with the mount.
            subprocess.run(["mount", "-o", "loop", str(image), str(point)], check=True)
            stack.callback(subprocess.run, ["umount", str(point)], check=True)
        yield mount_pool(stack, root / "cache", root / "array", root / "pool")


class Readers:
    """Programs that stream one file through the pool. `errors` are what they would have shown to somebody."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._content = content
        self._stop = threading.Event()
        self.errors: list[str] = []
        self.streams = 0
        """Times that the file was read from its beginning to its end through one handle."""
        self.jumps = [0, 0]
        """Times that each of two readers opened it anew, and read somewhere."""
        self.repeated = 0
        """Opens that mergerfs lost: it chooses the branch first, and the file may go from there before it is opened."""
        self._news = threading.Condition()

    def stop(self) -> None:
        """Let all of them come to an end."""
        self._stop.set()

    def stream(self) -> None:
        """Read the file to its end, slowly, again and again, as a player does that plays it directly."""
        while not self._stop.is_set() or self.streams == 0:
            try:
                self._stream()
            except OSError as error:
                self.errors.append(f"stream: {error}")
            self.streams += 1

    def _stream(self) -> None:
        with self._open_file() as file:
            for offset in range(0, len(self._content), CHUNK):
                self._check("stream", offset, file.read(CHUNK))
                self._stop.wait(0.002)
            if file.read(1):
                self.errors.append("stream: it is too long")

    def jump(self, number: int) -> None:
        """Open the file anew and read it somewhere, again and again, as a player does that asks for ranges."""
        chance = random.Random(number)
        while not self._stop.is_set() or self.jumps[number] == 0:
            offset = chance.randrange(len(self._content))
            try:
                with self._open_file() as file:
                    self._check("jump", offset, os.pread(file.fileno(), CHUNK, offset))
            except OSError as error:
                self.errors.append(f"jump: {error}")
            with self._news:
                self.jumps[number] += 1
                self._news.notify()

    def wait_for_all(self) -> None:
        """Wait until each reader that jumps has opened what is there now."""
        with self._news:
            wanted = [count + 2 for count in self.jumps]
            assert self._news.wait_for(lambda: all(map(ge, self.jumps, wanted)), timeout=20)

    def _open_file(self) -> FileIO:
        try:
            return FileIO(self._path)
        except FileNotFoundError:
            self.repeated += 1
            return FileIO(self._path)

    def _check(self, who: str, offset: int, got: bytes) -> None:
        if got != self._content[offset : offset + CHUNK]:
            self.errors.append(f"{who}: wrong bytes at {offset} ({len(got)} of them)")
