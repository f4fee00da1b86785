"""Looking at what the daemon says when something is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from tests.support.daemon import House

OWN = ".ondeckd"


def named(value: object) -> str:
    """Return how a test with this value is called: an address is another in each process, which pytest-xdist minds."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


def problem(house: House, name: str) -> str:
    """Return what is wrong with one of the daemon's checks; empty: nothing."""
    (check,) = [check for check in house.app.core.service.readiness() if check.name == name]
    return "" if check.ok else check.text


async def until_bad(house: House, name: str, why: str) -> str:
    """Wait until a check is not ok and its text says `why`; return the whole text."""
    await house.until(lambda: why in problem(house, name))
    return problem(house, name)


async def until_good(house: House, *names: str) -> None:
    """Wait until checks are ok (none named: all)."""
    checks = names or [check.name for check in house.app.core.service.readiness()]
    await house.until(lambda: not any(problem(house, name) for name in checks))


def logged(capsys: pytest.CaptureFixture[str], *events: str) -> list[dict[str, Any]]:
    """Return the lines logged since the last look that tell of these events."""
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] in events]


def files_below(folder: Path) -> list[Path]:
    """Return every file below a folder, without what is in our own folders."""
    return [path for path in folder.rglob("*") if path.is_file() and OWN not in path.parts]


def leftovers(folder: Path) -> list[Path]:
    """Return every temporary file of ours below a folder."""
    found = [path for path in folder.rglob("*") if path.is_file() and (OWN in path.parts or OWN in path.name)]
    return [path for path in found if path.parts[-2:] != (OWN, "manifest")]


async def plex_down(house: House) -> None:
    """Let Plex die, with every connection to it."""
    house.plex.faults.http(reset=True)
    await house.plex.go_down()


async def plex_up(house: House) -> None:
    """Let Plex come back."""
    house.plex.faults.clear()
    await house.plex.come_up()


def _mount(*words: str | Path) -> None:
    run(["mount", *map(str, words)], check=True, capture_output=True)


@contextmanager
def memory_disk(folder: Path, size: str) -> Iterator[None]:
    """Have a small file system of its own at `folder` meanwhile. Needs root."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield
    finally:
        run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write to a file until its disk is full."""
    with path.open("wb", 0) as handle, suppress(OSError):
        while True:
            handle.write(b"x" * 4096)


def remount(folder: Path, how: str) -> None:
    """Make a mounted file system ``ro`` or ``rw``."""
    _mount("-o", f"remount,{how}", folder)
