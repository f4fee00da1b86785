"""Two Linux system calls that the standard library does not have."""

from __future__ import annotations

import ctypes
import errno
import os

_libc = ctypes.CDLL(None, use_errno=True)

_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_WRITE = 2
_WAIT_BEFORE_WRITE_WAIT_AFTER = 7
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.ESPIPE})


def rename_new(old: str, new: str, *, old_folder: int, new_folder: int) -> bool:
    """Rename within two open folders, never over something.

    Return False, with nothing done, where the file system has no such call; FileExistsError if `new` is
    there.
    """
    return _rename(old, new, old_folder, new_folder, _RENAME_NOREPLACE)


def exchange(one: str, other: str, folder: int) -> bool:
    """Exchange what stands at two names of an open folder, in one instant.

    Return False, with nothing done, where the file system has no such call (FUSE, NFS, CIFS); FileNotFoundError if
    either is not there.
    """
    return _rename(one, other, folder, folder, _RENAME_EXCHANGE)


def _rename(old: str, new: str, old_folder: int, new_folder: int, flags: int) -> bool:
    if not hasattr(_libc, "renameat2"):
        return False
    source, target = os.fsencode(old), os.fsencode(new)
    if _libc.renameat2(old_folder, source, new_folder, target, ctypes.c_uint(flags)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), new)


def start_writing(descriptor: int, offset: int, count: int) -> None:
    """Let the kernel begin to write this range to disk; do not wait."""
    _sync_range(descriptor, offset, count, _WRITE)


def wait_written(descriptor: int, offset: int, count: int) -> None:
    """Wait until this range is on its way through the disk's queue. This alone makes nothing durable."""
    _sync_range(descriptor, offset, count, _WAIT_BEFORE_WRITE_WAIT_AFTER)


def _sync_range(descriptor: int, offset: int, count: int, flags: int) -> None:
    if not hasattr(_libc, "sync_file_range"):
        return
    if _libc.sync_file_range(descriptor, ctypes.c_int64(offset), ctypes.c_int64(count), ctypes.c_uint(flags)):
        code = ctypes.get_errno()
        # The kernel reports a failed write once. Swallowed here, fsync would say that all is well.
        if code not in _UNSUPPORTED:
            raise OSError(code, os.strerror(code))
