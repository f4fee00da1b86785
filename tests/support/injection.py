"""Lets one system call on the tiers fail: the actor's file thread under strace, forked from a process that is warm.

A process for each failure would spend most of its time on imports. So ``python -m tests.support.injection`` imports
everything once and forks for each order that it reads: a line of JSON with what the actor is given and its actions.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from daemon.config import LogSettings
from daemon.logs import configure
from tests.support.actor import act
from tests.support.process import CHECKOUT

_ALLOW_ANY_TRACER = (0x59616D61, -1)
_LINE = re.compile(r"(?P<name>\w+)\((?P<rest>.*)")
_LOOKING = frozenset(
    {"getdents64", "newfstatat", "statx", "fstat", "lseek", "readlink", "readlinkat", "fcntl", "flock"}
)
NAMING = frozenset({"renameat2", "renameat", "linkat", "unlinkat", "symlinkat", "mkdirat", "rename", "unlink", "rmdir"})
_WRITING = frozenset(
    {"copy_file_range", "sendfile", "pwrite64", "write", "ftruncate", "fsync", "fallocate", "sync_file_range"}
)
_KEEPING = frozenset({"fsetxattr", "fchown", "fchmod", "utimensat", "fremovexattr"})
_OTHERS = frozenset({"openat", "open", "mkdir", "pread64", "preadv", "fstatfs", "statfs", "fgetxattr", "flistxattr"})
CALLS = _LOOKING | NAMING | _WRITING | _KEEPING | _OTHERS


@dataclass(frozen=True)
class Call:
    """The `nth` of its name that the file thread makes, and how strace showed it."""

    name: str
    nth: int
    shown: str

    @property
    def changes(self) -> bool:
        """Say whether it changes a disk."""
        return self.name in NAMING | _WRITING | _KEEPING or "O_CREAT" in self.shown

    def errors(self) -> tuple[str, ...]:
        """Return the errors that a disk may answer it with."""
        errors = ["EIO", "ESTALE"]
        if self.changes:
            errors += ["ENOSPC", "EDQUOT", "EROFS"]
        if self.name in {"renameat2", "renameat", "linkat", "copy_file_range"}:
            errors += ["EXDEV"]
        if self.name in NAMING | _KEEPING | {"openat", "newfstatat", "readlinkat"}:
            errors += ["EACCES"]
        return tuple(errors)


@dataclass(frozen=True)
class Outcome:
    """What an actor said, and what strace wrote of its file thread."""

    said: list[str]
    traced: list[str]
    code: int

    def calls(self, root: Path) -> list[Call]:
        """Return every call that was about a tier below `root`."""
        tiers = (f"{root}/array", f"{root}/cache")
        counts: Counter[str] = Counter()
        found = []
        for line in self.traced:
            match = _LINE.match(line)
            if match is None:
                continue
            counts[match["name"]] += 1
            if match["name"] in CALLS and any(tier in line for tier in tiers):
                found.append(Call(match["name"], counts[match["name"]], line))
        return found


class Actors:
    """Starts actors from a warm process."""

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._orders = orders
        self._answers = answers

    def run(self, given: dict[str, Any], *actions: str) -> Outcome:
        """Let an actor do these things undisturbed."""
        return self._run(given, actions, None, Path())

    def traced(self, given: dict[str, Any], actions: Sequence[str], injected: Sequence[str], trace: Path) -> Outcome:
        """Let an actor do these things, its file thread traced to the file `trace`, with these ``inject`` options."""
        return self._run(given, actions, injected, trace)

    def _run(
        self, given: dict[str, Any], actions: Sequence[str], injected: Sequence[str] | None, trace: Path
    ) -> Outcome:
        halt = injected is not None
        self._order({"given": given, "actions": list(actions), "halt": halt})
        said: list[str] = []
        tracer: subprocess.Popen[str] | None = None
        for line in self._answers:
            word, _, rest = line.strip().partition(" ")
            if word == "thread":
                tracer = _attached(int(rest), injected or (), trace)
                self._order("go")
            elif word == "ended":
                if tracer:
                    tracer.communicate()
                traced = trace.read_text(errors="replace").splitlines() if halt and tracer else []
                return Outcome(said, traced, int(rest))
            else:
                said.append(line.strip())
        raise AssertionError("the warm process has ended")

    def _order(self, order: object) -> None:
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()


def _attached(thread: int, injected: Sequence[str], trace: Path) -> subprocess.Popen[str]:
    options = [word for one in injected for word in ("-e", f"inject={one}")]
    command = ["strace", "-y", "-s", "64", "-o", str(trace), "-p", str(thread), "-e", "signal=none", *options]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    line = tracer.stderr.readline()
    assert "attached" in line, line
    return tracer


@contextmanager
def actors() -> Iterator[Actors]:
    """Have a warm process meanwhile."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.injection"],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Actors(process.stdin, process.stdout)
        finally:
            process.stdin.close()


def _let_trace() -> None:
    """Tell which thread this is, and wait until it is traced."""
    ctypes.CDLL(None).prctl(*_ALLOW_ANY_TRACER)
    _say(f"thread {threading.get_native_id()}")
    os.read(0, 64)


def _obey(order: dict[str, Any]) -> None:
    asyncio.run(act(order["given"], iter(order["actions"]), _let_trace if order["halt"] else None))


def _fork_for_each_order() -> None:
    configure(LogSettings(), sys.stderr)
    # Not by lines of a buffer, because a forked actor reads its "go" from the same pipe.
    while order := _line():
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _obey(json.loads(order))
                code = 0
            finally:
                os._exit(code)
        _say(f"ended {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return b""
        line += byte
    return line


if __name__ == "__main__":
    _fork_for_each_order()
