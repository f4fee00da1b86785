"""Folders, opened so that no link leads out of a root, and the names ondeckd makes in them."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon.errors import TierUnavailable, UnmappedPath
from daemon.storage import attributes, linux
from daemon.storage.paths import OWN_FOLDER, OWN_PREFIX

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
MADE_BY_US = "user.ondeckd.made"
"""Marks a folder as made by ondeckd, so that the way back removes it, and no other."""

TEMPORARY = re.compile(r"[0-9a-f]{32}\.(part|probe)")
BESIDE = re.compile(re.escape(OWN_PREFIX) + TEMPORARY.pattern)


def open_folder(root: str, parts: tuple[str, ...]) -> int:
    """Open the folder at `parts` below `root`; UnmappedPath if links lead out of the root."""
    return _open(root, parts, _FOLDER)


def open_file(root: str, parts: tuple[str, ...]) -> int:
    """Open a file for reading; UnmappedPath if links lead out of the root."""
    # Without O_NONBLOCK a named pipe in a media folder would be waited for.
    return _open(root, parts, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def _open(root: str, parts: tuple[str, ...], flags: int) -> int:
    try:
        return _inside(os.open(Path(root, *parts), flags), root)
    except OSError as error:
        # The kernel takes paths of 4,095 bytes, but files may lie deeper.
        if error.errno != errno.ENAMETOOLONG or not parts:
            raise
    return _walk(root, parts, flags)


def _inside(descriptor: int, root: str) -> int:
    """Return `descriptor` if what was opened lies below `root`; else close it and raise UnmappedPath."""
    try:
        # The kernel is asked about open files, so nobody can swap a folder for a link in between, and a root
        # reads the same in both answers where upper and lower case are one.
        found = _path_of(descriptor)
        above = os.open(root, os.O_PATH | _FOLDER)
        try:
            inside = found.is_relative_to(_path_of(above))
        finally:
            os.close(above)
    except OSError:
        os.close(descriptor)
        raise
    if not inside:
        os.close(descriptor)
        raise UnmappedPath(f"{found} lies outside of {root}: a link leads out")
    return descriptor


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _walk(root: str, parts: tuple[str, ...], flags: int) -> int:
    """Open what lies too deep for one call, folder by folder, none of them through a link."""
    above = os.open(root, os.O_PATH | _FOLDER)
    for depth, part in enumerate(parts, 1):
        last = depth == len(parts)
        try:
            below = os.open(part, (flags if last else os.O_PATH | _FOLDER) | os.O_NOFOLLOW, dir_fd=above)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP) and _is_link(part, above):
                raise UnmappedPath(f"{Path(root, *parts[:depth])}: a link in so long a path is not followed") from None
            raise
        finally:
            os.close(above)
        above = below
    return above


def _is_link(name: str, folder: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


@contextmanager
def folder(root: str, parts: tuple[str, ...] = ()) -> Iterator[int]:
    """Hold a folder open."""
    descriptor = open_folder(root, parts)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def nearest_folder(root: str, parts: tuple[str, ...]) -> Iterator[int]:
    """Hold the deepest folder on the way to `parts` that exists."""
    descriptor, _ = _nearest(root, parts)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _nearest(root: str, parts: tuple[str, ...]) -> tuple[int, int]:
    depth = len(parts)
    while True:
        try:
            return open_folder(root, parts[:depth]), depth
        except FileNotFoundError:
            if depth == 0:
                raise
            depth -= 1


@contextmanager
def made_folder(root: str, parts: tuple[str, ...], twin_root: str) -> Iterator[int]:
    """Hold the folder at `parts` open; one that has to be made gets the owner and mode of its twin."""
    descriptor = _make(root, parts, twin_root)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make(root: str, parts: tuple[str, ...], twin_root: str) -> int:
    above, depth = _nearest(root, parts)
    while depth < len(parts):
        try:
            with folder(twin_root, parts[: depth + 1]) as twin:
                _make_one(above, parts[depth], twin)
            depth += 1
            below = open_folder(root, parts[:depth])
        finally:
            os.close(above)
        above = below
    return above


def _make_one(parent: int, name: str, twin: int) -> None:
    # Made aside and renamed: in a union, a folder that is not yet its users' would shut them out.
    aside = OWN_PREFIX + temporary_name("part")
    made = _new_folder(aside, parent)
    try:
        attributes.keep(twin, made)
        _mark(made)
        os.fsync(made)
        _name_folder(aside, name, parent)
        os.fsync(parent)
    finally:
        os.close(made)
        with suppress(FileNotFoundError):
            os.rmdir(aside, dir_fd=parent)


def _new_folder(name: str, parent: int) -> int:
    while True:
        os.mkdir(name, 0o700, dir_fd=parent)
        # A sweep may come in between.
        with suppress(FileNotFoundError):
            made = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
            _claim(made)
            if _stands(name, parent):
                return made
            os.close(made)


def _name_folder(aside: str, name: str, parent: int) -> None:
    try:
        if not linux.rename_new(aside, name, old_folder=parent, new_folder=parent):
            os.rename(aside, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError as error:
        # Another copy, or somebody else, has made it meanwhile: theirs is as good.
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise


def _mark(made: int) -> None:
    try:
        os.setxattr(made, MADE_BY_US, b"1")
    except OSError as error:
        # Where a folder cannot be marked it stays behind, empty, rather than somebody else's being removed.
        if error.errno not in attributes.IMPOSSIBLE:
            raise


def remove_empty(root: str, parts: tuple[str, ...]) -> None:
    """Remove the folder at `parts` and those above it as long as they are empty and were made by ondeckd."""
    for depth in range(len(parts), 0, -1):
        try:
            with folder(root, parts[:depth]) as found:
                os.getxattr(found, MADE_BY_US)
            with folder(root, parts[: depth - 1]) as parent:
                os.rmdir(parts[depth - 1], dir_fd=parent)
                os.fsync(parent)
        except FileNotFoundError:
            continue
        except (OSError, UnmappedPath):
            return


def temporary_name(kind: str) -> str:
    """Return a name that nothing else has; `kind` is ``part`` or ``probe``."""
    return f"{secrets.token_hex(16)}.{kind}"


def new_temporary(name: str, folder: int) -> int:
    """Make a file of ours to write and read; no sweep takes it while it is open."""
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
    while True:
        made = os.open(name, flags, 0o600, dir_fd=folder)
        _claim(made)
        # A sweep may have come in between.
        if _stands(name, folder):
            return made
        os.close(made)


def _stands(name: str, folder: int) -> bool:
    # Not every file system counts the links of a file, or stops counting those that are gone.
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _claim(made: int) -> None:
    # Where a file system knows no locks, `unclaimed` fails too, and nothing is swept.
    with suppress(OSError):
        fcntl.flock(made, fcntl.LOCK_EX)


@contextmanager
def unclaimed(path: Path) -> Iterator[None]:
    """Hold a temporary file or folder of ours; BlockingIOError while it is in use, in whatever process."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def own_folder(root: str) -> Iterator[int]:
    """Hold our own folder below a cache root open; it is made if it is not there."""
    with folder(root) as above:
        with suppress(FileExistsError):
            os.mkdir(OWN_FOLDER, 0o700, dir_fd=above)
        descriptor = os.open(OWN_FOLDER, _FOLDER | os.O_NOFOLLOW, dir_fd=above)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def probe_file(root: str, text: str = "") -> Iterator[str]:
    """Have a file of ours below a cache root meanwhile; gives its path from there."""
    with own_folder(root) as own:
        name = temporary_name("probe")
        with os.fdopen(new_temporary(name, own), "w") as probe:
            try:
                probe.write(text)
                probe.flush()
                yield f"{OWN_FOLDER}/{name}"
            finally:
                os.unlink(name, dir_fd=own)


def has_own_folder(root: str) -> bool:
    """Say whether ondeckd has been at work below this root."""
    return Path(root, OWN_FOLDER).is_dir()


def not_our_cache(root: str) -> TierUnavailable:
    """Return the error for a cache that should hold our folder and does not."""
    return TierUnavailable(
        f"{root} is not the cache it was; is it mounted? (If it is new, make a folder {OWN_FOLDER} there)"
    )
