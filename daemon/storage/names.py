"""Names in open folders: what stands at them, and how they are given, on file systems of every kind."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from contextlib import suppress

from daemon.storage import linux
from daemon.storage.identity import Identity

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EMLINK})


def lstat(name: str, folder: int | None) -> os.stat_result | None:
    """Return what stands at a name, links not followed; None if nothing does, or there is no folder."""
    if folder is None:
        return None
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        # A name with the suffix can be too long to exist.
        if error.errno == errno.ENAMETOOLONG:
            return None
        raise


def identity_at(name: str, folder: int) -> Identity | None:
    """Return the identity of what stands at a name, links not followed; None if nothing does."""
    found = lstat(name, folder)
    return Identity.of(found) if found else None


def same_file(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    """Say whether two looks show one and the same file."""
    return one is not None and other is not None and (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def give_name(old: str, new: str, *, old_folder: int, new_folder: int) -> None:
    """Rename, never over something: FileExistsError.

    Where the file system cannot rename like that (NFS, some FUSE), a hard link takes the new name first; where it
    has no hard links either, what is at the new name is looked at just before.
    """
    if linux.rename_new(old, new, old_folder=old_folder, new_folder=new_folder):
        return
    try:
        os.link(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if lstat(new, new_folder):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new) from None
        os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)
    else:
        os.unlink(old, dir_fd=old_folder)


def sync(folder: int) -> None:
    """Make the names in a folder durable."""
    try:
        os.fsync(folder)
    except OSError as error:
        # Some network and FUSE file systems know no fsync of a folder; their servers order names themselves.
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise


def is_being_written(descriptor: int) -> bool:
    """Say whether anybody has this file open for writing, as far as the kernel tells.

    It refuses a read lease then (fcntl(2)); to tell, we have to own the file or be root, on a local file system.
    """
    # An open for writing that comes in between is told by a signal. The usual one would end the process.
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    with suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False
