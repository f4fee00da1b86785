"""A process that reads files again and again and tells whether any was ever missing, short or wrong.

``python -m tests.support.watcher`` reads lines of JSON: a list of the files to watch, each a `Watched`; the next
line ends the watching, and is answered with one: how often each was read, and what was wrong.
"""

from __future__ import annotations

import errno
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from tests.support.process import CHECKOUT

_ENDS = 64
_LOOKS_BETWEEN_ORDERS = 20
_MOST_FAULTS = 5


@dataclass(frozen=True)
class Watched:
    """A file of this size that begins and ends with these bytes (hexadecimal); the first of `paths` that exists counts.

    In a union it counts as missing after two looks. A union looks for the branch that has the file, and opens it there
    after that: whoever gets in between with a rename or an unlink makes it say that there is no such file (mergerfs
    does so for open and fstat), and no order of steps can help that. The next look is right.
    """

    paths: tuple[str, ...]
    size: int
    first: str
    last: str
    looks: int


def watched(paths: Sequence[Path], content: bytes, *, union: bool = False) -> Watched:
    """Return what to watch for a file with this content."""
    ends = content[:_ENDS].hex(), content[-_ENDS:].hex()
    return Watched(tuple(map(str, paths)), len(content), *ends, looks=2 if union else 1)


def look(file: Watched) -> str:
    """Open the file as a player does; return what is wrong with it, empty if nothing is."""
    for _ in range(file.looks):
        try:
            found = _read(file)
        except FileNotFoundError:
            continue
        except OSError as error:
            return f"{file.paths}: {errno.errorcode.get(error.errno or 0)}"
        right = found == (file.size, file.first, file.last)
        return "" if right else f"{file.paths}: {found[0]} bytes of {file.size}, or other bytes"
    return f"{file.paths}: ENOENT"


def _read(file: Watched) -> tuple[int, str, str]:
    descriptor = _open(file.paths)
    try:
        size = os.fstat(descriptor).st_size
        return size, os.pread(descriptor, _ENDS, 0).hex(), os.pread(descriptor, _ENDS, max(0, file.size - _ENDS)).hex()
    finally:
        os.close(descriptor)


def _open(paths: tuple[str, ...]) -> int:
    *branches, last = paths
    for path in branches:
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDONLY)
    return os.open(last, os.O_RDONLY)


class Watcher:
    """Drives the process."""

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._orders = orders
        self._answers = answers
        self.looks = 0

    @contextmanager
    def watching(self, files: Sequence[Watched], wrong: list[str]) -> Iterator[None]:
        """Watch these files meanwhile; what is wrong with them is added to `wrong`."""
        self._order(files)
        self._answers.readline()
        try:
            yield
        finally:
            self._order([])
            answer = json.loads(self._answers.readline())
            self.looks += answer["looks"]
            wrong += [f"seen by the watcher: {line}" for line in answer["wrong"]]

    def _order(self, files: Sequence[Watched]) -> None:
        self._orders.write(json.dumps([asdict(file) for file in files]) + "\n")
        self._orders.flush()


@contextmanager
def watcher() -> Iterator[Watcher]:
    """Have the process meanwhile."""
    command = [sys.executable, "-m", "tests.support.watcher"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Watcher(process.stdin, process.stdout)
        finally:
            process.stdin.close()


def _watch(files: list[Watched]) -> None:
    looks, wrong, ended = 0, [], False
    _say("watching")
    while not ended:
        # What is there in the end is looked at too.
        ended = bool(select.select([0], [], [], 0)[0])
        for _ in range(_LOOKS_BETWEEN_ORDERS):
            wrong += [fault for file in files if (fault := look(file))]
            looks += 1
    os.read(0, 1 << 16)
    _say(json.dumps({"looks": looks, "wrong": wrong[-_MOST_FAULTS:]}))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # It takes what the others leave: whatever is watched has to get on.
    os.nice(19)
    # Not through a buffer, which select would not see into; one order is written at a time.
    while order := os.read(0, 1 << 16):
        _watch([Watched(**{**one, "paths": tuple(one["paths"])}) for one in json.loads(order)])
