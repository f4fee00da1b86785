"""What a tier's file system can do, tried out with files of ours that are gone afterwards. Every function blocks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from daemon.config import MappingSettings
from daemon.storage import linux, tree
from daemon.storage.paths import OWN_FOLDER

_ODD_TIME = 1_400_000_001_123_456_789
"""A time with nanoseconds, in an odd second: some file systems count in twos, some in hundredths."""
_OTHER_OWNER = 1234
_POOLS = {"fuse.mergerfs": "mergerfs", "fuse.shfs": "Unraid's user shares", "fuse.unionfs": "unionfs"}


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a folder's file system can do. `links`: why it holds no symbolic links; empty: it does."""

    rename_new: bool
    exchange: bool
    hard_links: bool
    links: str
    lost: tuple[str, ...]
    """What it cannot keep of a file."""


@contextmanager
def passing_folder(root: str) -> Iterator[int]:
    """Hold our own folder below an array root open; it goes again if nothing is in it."""
    with tree.own_folder(root) as own:
        try:
            yield own
        finally:
            with suppress(OSError):
                Path(root, OWN_FOLDER).rmdir()


@contextmanager
def _file(own: int) -> Iterator[str]:
    name = tree.temporary_name("probe")
    os.close(tree.new_temporary(name, own))
    try:
        yield name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=own)


def abilities(root: str, *, passing: bool) -> Abilities:
    """Try out everything below `root`; `passing`: our own folder goes again. OSError where nothing can be written."""
    # On the cache it has to stay: without it that would look as if it were not mounted.
    folder = passing_folder if passing else tree.own_folder
    with folder(root) as own, _file(own) as one, _file(own) as other:
        return Abilities(
            rename_new=_renames(one, own),
            exchange=_exchanges(one, other, own),
            hard_links=_hard_links(one, own),
            links=_no_symbolic_links(own),
            lost=tuple(_lost(one, own)),
        )


def _renames(name: str, own: int) -> bool:
    new = tree.temporary_name("probe")
    try:
        if not linux.rename_new(name, new, old_folder=own, new_folder=own):
            return False
    except OSError:
        return False
    os.rename(new, name, src_dir_fd=own, dst_dir_fd=own)
    return True


def _exchanges(one: str, other: str, own: int) -> bool:
    try:
        return linux.exchange(one, other, own)
    except OSError:
        return False


def _hard_links(name: str, own: int) -> bool:
    new = tree.temporary_name("probe")
    try:
        os.link(name, new, src_dir_fd=own, dst_dir_fd=own, follow_symlinks=False)
    except OSError:
        return False
    os.unlink(new, dir_fd=own)
    return True


def _no_symbolic_links(own: int) -> str:
    name = tree.temporary_name("probe")
    try:
        os.symlink("nowhere", name, dir_fd=own)
    except OSError as error:
        return error.strerror or str(error)
    try:
        kept = os.readlink(name, dir_fd=own) == "nowhere"
    finally:
        os.unlink(name, dir_fd=own)
    return "" if kept else "a link says something else than it was given"


def _lost(name: str, own: int) -> Iterator[str]:
    descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=own)
    try:
        if os.geteuid() == 0:  # nobody else can give a file away, whatever the file system
            with suppress(OSError):
                os.fchown(descriptor, _OTHER_OWNER, _OTHER_OWNER)
            if os.fstat(descriptor).st_uid != _OTHER_OWNER:
                yield "owners"
        with suppress(OSError):
            os.fchmod(descriptor, 0o604)
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != 0o604:  # noqa: PLR2004 - as set before
            yield "modes"
        try:
            os.setxattr(descriptor, "user.ondeckd.probe", b"1")
        except OSError:
            yield "extended attributes"
        os.utime(descriptor, ns=(_ODD_TIME, _ODD_TIME))
        os.fsync(descriptor)
        if os.fstat(descriptor).st_mtime_ns != _ODD_TIME:
            yield "exact times"
    finally:
        os.close(descriptor)


def follow_link(mapping: MappingSettings, text: str) -> str:
    """Return what is read of a file on the cache that says `text`, through a link on the array like those to come."""
    with tree.probe_file(mapping.cache, text) as below, passing_folder(mapping.array) as own:
        target, name = f"{mapping.cache.rstrip('/')}/{below}", tree.temporary_name("probe")
        link = Path(mapping.array, OWN_FOLDER, name)
        says = os.path.relpath(target, link.parent) if mapping.link == "relative" else target
        os.symlink(says, name, dir_fd=own)
        try:
            return link.read_text()
        finally:
            os.unlink(name, dir_fd=own)


def through_union(mapping: MappingSettings, text: str, *, both: bool) -> str:
    """Return what the union shows of a file on the cache that says `text`.

    `both`: the array has a file of that name, too. OSError with the array's path as its name if it cannot be put there.
    """
    with tree.probe_file(mapping.cache, text) as below:
        if not both:
            return Path(mapping.union, below).read_text()
        with passing_folder(mapping.array) as own:
            name = Path(below).name
            os.close(tree.new_temporary(name, own))
            try:
                return Path(mapping.union, below).read_text()
            finally:
                os.unlink(name, dir_fd=own)


def file_system(path: str) -> str:
    """Return the type of the file system that a path is on, as the kernel names it; empty if it does not say."""
    wanted, best, found = Path(path).resolve(), -1, ""
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
            fields, _, rest = line.partition(b" - ")
            point = Path(os.fsdecode(fields.split()[4].decode("unicode_escape").encode("latin-1")))
            # Of several at one place the last is on top.
            if wanted.is_relative_to(point) and len(point.parts) >= best:
                best, found = len(point.parts), os.fsdecode(rest.split()[0])
    return found


def pool(path: str) -> str:
    """Return the name of the pool that a path lies in: one whose files come from several disks; empty: none."""
    return _POOLS.get(file_system(path), "")
