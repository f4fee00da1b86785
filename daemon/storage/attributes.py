"""Owner, mode, extended attributes with ACLs, and times."""

from __future__ import annotations

import errno
import os
import stat

_ACL = "system.posix_acl_"
_NOT_POSSIBLE = frozenset(
    {errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSPC, errno.E2BIG, errno.ENODATA}
)


def keep(source: int, target: int) -> list[str]:
    """Give `target` the owner, mode and extended attributes of `source` (open files or folders).

    Return what this file system or user cannot keep: ``owner``, ``mode``, or names of attributes.
    """
    found = os.fstat(source)
    lost = [] if _chown(target, found) else ["owner"]
    lost += _keep_xattrs(source, target)
    # After the owner, because chown clears set-id bits, and after the ACLs, because the mode is their mask.
    if stat.S_IMODE(os.fstat(target).st_mode) != stat.S_IMODE(found.st_mode) and not _chmod(target, found):
        lost.append("mode")
    return lost


def _chown(target: int, wanted: os.stat_result) -> bool:
    has = os.fstat(target)
    if (has.st_uid, has.st_gid) == (wanted.st_uid, wanted.st_gid):
        return True
    try:
        os.fchown(target, wanted.st_uid, wanted.st_gid)
    except PermissionError:
        return False
    return True


def _chmod(target: int, wanted: os.stat_result) -> bool:
    try:
        os.fchmod(target, stat.S_IMODE(wanted.st_mode))
    except PermissionError:
        return False
    return True


def _keep_xattrs(source: int, target: int) -> list[str]:
    wanted, had = _names(source), _names(target)
    lost = []
    for name in wanted:
        try:
            os.setxattr(target, name, os.getxattr(source, name))
        except OSError as error:
            if error.errno not in _NOT_POSSIBLE:
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
