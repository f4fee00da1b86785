"""Temporary files that a crash left behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import structlog

from daemon.config import MappingSettings
from daemon.storage import tree
from daemon.storage.paths import OWN_FOLDER

log = structlog.get_logger()


def sweep(mapping: MappingSettings) -> list[str]:
    """Remove our temporary files and folders from this mapping's cache; return what was removed.

    What a running copy uses stays. A cache that is not there is left for later.
    """
    removed = []
    for above, folders, files in os.walk(mapping.cache):
        own = Path(above) == Path(mapping.cache, OWN_FOLDER)
        ours = (tree.TEMPORARY if own else tree.BESIDE).fullmatch
        removed += [path for name in filter(ours, files) if _removed(path := Path(above, name))]
        removed += [path for name in filter(ours, folders) if _removed(path := Path(above, name), folder=True)]
    return [str(path) for path in removed]


def remove(name: str, folder: int) -> None:
    """Remove one temporary file or link in an open folder; BlockingIOError while any process uses it."""
    path = Path(f"/proc/self/fd/{folder}", name)
    try:
        if not path.is_symlink():
            with tree.unclaimed(path):
                pass
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL):
            raise
        # The file system knows no locks; then the name alone tells that it is ours.
    os.unlink(name, dir_fd=folder)


def _removed(path: Path, *, folder: bool = False) -> bool:
    try:
        with tree.unclaimed(path):
            if folder:
                path.rmdir()
            else:
                path.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError as error:
        log.warning("leftover_kept", path=str(path), why=error.strerror)
        return False
    return True
