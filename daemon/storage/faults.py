"""What a failed system call means."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from daemon.errors import NoSpace, Skipped, SourceMissing, StorageError, TierUnavailable, UnmappedPath

_MEANINGS: dict[int, type[StorageError]] = {
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.ENOENT: SourceMissing,
    errno.ENOTDIR: SourceMissing,
    errno.ELOOP: UnmappedPath,
    errno.ENAMETOOLONG: Skipped,
    errno.EFBIG: Skipped,
}


def meaning(error: OSError, path: str, *, gone: type[StorageError] = SourceMissing) -> StorageError:
    """Return the error of ours that `error` at `path` amounts to; `gone`: what "no such file" means here."""
    kind = _MEANINGS.get(error.errno or 0, TierUnavailable)
    if kind is SourceMissing:
        kind = gone
    return kind(f"{path}: {error.strerror or error}")


@contextmanager
def translated(path: str, *, gone: type[StorageError] = SourceMissing) -> Iterator[None]:
    """Turn OSError into the error tree of ondeckd."""
    try:
        yield
    except OSError as error:
        raise meaning(error, path, gone=gone) from error
