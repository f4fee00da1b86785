"""One ondeckd per state folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.errors import StateError

LOCK_NAME = "ondeckd.lock"


@contextmanager
def single_instance(folder: Path) -> Iterator[None]:
    """Hold the lock of the state folder `folder`, which is made where it is missing.

    The kernel drops the lock with the process, so a crash leaves none behind; the file itself stays, for
    removing it would let two processes lock two files of one name. Raises StateError where another process
    holds it, or where the folder cannot be used.
    """
    descriptor = _open(folder)
    try:
        _take(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _open(folder: Path) -> int:
    try:
        # The state names what people watch, and may hold a generated secret.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StateError(f"cannot use the state folder {folder}: {error.strerror}") from error


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError as error:
        pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        raise StateError(f"another ondeckd (process {pid or 'unknown'}) uses the state folder {folder}") from error
    except OSError as error:
        raise StateError(f"cannot lock the state folder {folder}: {error.strerror}") from error
