"""Owner, mode, extended attributes with ACLs, and times."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

_ACL = "system.posix_acl_"
_REFUSED = frozenset({errno.ENOTSUP, errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EINVAL, errno.EOVERFLOW})
IMPOSSIBLE = _REFUSED | {errno.ENOSPC, errno.E2BIG, errno.ERANGE, errno.ENODATA}
"""Errors by which a file system says that it cannot keep an extended attribute, rather than that it fails."""


def keep(source: int, target: int) -> list[str]:
    """Give `target` the owner, mode and extended attributes of `source` (open files or folders).

    Return what this file system or user cannot keep: ``owner``, ``mode``, or names of attributes.
    """
    wanted = os.fstat(source)
    with _as_far_as_possible():
        if _owner(os.fstat(target)) != _owner(wanted):
            os.fchown(target, wanted.st_uid, wanted.st_gid)
    lost = _keep_xattrs(source, target)
    # After the owner, because chown clears set-id bits, and after the ACLs, because the mode is their mask.
    with _as_far_as_possible():
        if _mode(os.fstat(target)) != _mode(wanted):
            os.fchmod(target, _mode(wanted))
    # Some file systems agree to everything and do nothing.
    has = os.fstat(target)
    if _owner(has) != _owner(wanted):
        lost.append("owner")
    if _mode(has) != _mode(wanted):
        lost.append("mode")
    return lost


def _owner(found: os.stat_result) -> tuple[int, int]:
    return found.st_uid, found.st_gid


def _mode(found: os.stat_result) -> int:
    return stat.S_IMODE(found.st_mode)


@contextmanager
def _as_far_as_possible() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSED:
            raise


def _keep_xattrs(source: int, target: int) -> list[str]:
    wanted, had = _names(source), _names(target)
    lost = []
    for name in wanted:
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno not in IMPOSSIBLE:
                raise
            lost.append(name)
    # A default ACL of the parent folder gives a new file entries that its original does not have.
    for name in had - wanted:
        if name.startswith(_ACL):
            os.removexattr(target, name)
    return lost


def _names(descriptor: int) -> set[str]:
    try:
        return set(os.listxattr(descriptor))
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return set()
