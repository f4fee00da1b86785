"""What a failed system call means."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from daemon.errors import NoSpace, Skipped, SourceMissing, StorageError, TierRefused, TierUnavailable, UnmappedPath

_MEANINGS: dict[int, type[StorageError]] = {
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EROFS: TierRefused,
    errno.EACCES: TierRefused,
    errno.EPERM: TierRefused,
    errno.ENOENT: SourceMissing,
    errno.ENOTDIR: SourceMissing,
    errno.ELOOP: UnmappedPath,
    errno.ENAMETOOLONG: Skipped,
    errno.EFBIG: Skipped,
}


def meaning(error: OSError, path: str, *, gone: type[StorageError] = SourceMissing, tier: str = "") -> StorageError:
    """Return the error of ours that `error` at `path` amounts to; `gone`: what "no such file" means here.

    `tier` is a path on the tier that failed, where `path` is not.
    """
    kind = _MEANINGS.get(error.errno or 0, TierUnavailable)
    if kind is SourceMissing:
        kind = gone
    return kind(f"{path}: {error.strerror or error}", path=tier or path)


@contextmanager
def translated(path: str, *, gone: type[StorageError] = SourceMissing, tier: str = "") -> Iterator[None]:
    """Turn OSError into the error tree of ondeckd; see `meaning`. An error of ours learns which tier it is about."""
    try:
        yield
    except StorageError as error:
        error.path = error.path or tier or path
        raise
    except OSError as error:
        raise meaning(error, path, gone=gone, tier=tier) from error
