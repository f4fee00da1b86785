"""Notices that the configuration file has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from watchfiles import awatch

_QUIET_MS = 100
"""An editor that empties a file before it fills it is given this long."""

_LOOK_MS = 30_000
"""A file that is mounted by itself into a container changes without a word to its folder."""

_Mark = tuple[int, int, int]


def _mark(path: Path) -> _Mark | None:
    """Return what differs from one state of a file to the next; None where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _folders(path: Path) -> set[Path]:
    """Return what to watch: a watched file is lost after the second rename over it, its folder is not.

    Where `path` is a link, the file may also change in the folder that it points into.
    """
    return {path.absolute().parent, path.resolve().parent}


async def watch(path: Path, changed: Callable[[], None]) -> None:
    """Call `changed` whenever the file at `path` has other contents or is another file, until cancelled.

    A file that is missing has not changed: the configuration in force stays.
    """
    seen = _mark(path)
    changes = awatch(*_folders(path), step=_QUIET_MS, recursive=False, rust_timeout=_LOOK_MS, yield_on_timeout=True)
    async for _ in changes:
        mark = _mark(path)
        if mark is not None and mark != seen:
            seen = mark
            changed()
