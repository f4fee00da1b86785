"""How an audit looks at a tree: folder by folder, through open folders, never through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from daemon.errors import UnmappedPath
from daemon.storage import tree
from daemon.storage.identity import Identity
from daemon.storage.mover import OpenFiles
from daemon.storage.names import lstat
from daemon.storage.paths import OWN_FOLDER


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder while it is open, and what is in it by name."""

    parts: tuple[str, ...]
    descriptor: int
    files: list[str]
    links: list[str]
    folders: list[str]

    def ours(self) -> list[str]:
        """Return the names of our temporary files and folders."""
        matches = (tree.TEMPORARY if self.parts == (OWN_FOLDER,) else tree.BESIDE).fullmatch
        return [name for name in (*self.files, *self.links, *self.folders) if matches(name)]


def folders(root: str, others: Collection[str], unread: Callable[[str, str], None]) -> Iterator[Folder]:
    """Yield each folder below a root, except below those in `others`. `unread` hears of what cannot be read."""
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        parts = waiting.pop()
        try:
            with tree.folder(root, parts) as descriptor:
                found = _listed(parts, descriptor)
                yield found
        except (OSError, UnmappedPath) as error:
            unread("/".join((root, *parts)), str(error))
            continue
        below = [(*parts, name) for name in found.folders if not tree.BESIDE.fullmatch(name)]
        waiting += [one for one in below if "/".join((root, *one)) not in others]


def _listed(parts: tuple[str, ...], descriptor: int) -> Folder:
    found = Folder(parts, descriptor, [], [], [])
    with os.scandir(descriptor) as items:
        for item in items:
            if item.is_symlink():
                found.links.append(item.name)
            elif item.is_dir(follow_symlinks=False):
                found.folders.append(item.name)
            elif item.is_file(follow_symlinks=False):
                found.files.append(item.name)
    return found


def at(root: str, parts: tuple[str, ...]) -> os.stat_result | None:
    """Return what stands at a path below a root, the last link not followed; None if nothing does."""
    with suppress(FileNotFoundError, NotADirectoryError, UnmappedPath), tree.folder(root, parts[:-1]) as folder:
        return lstat(parts[-1], folder)
    return None


def versions(name: str, others: Collection[str], folder: int) -> dict[str, int]:
    """Return the sizes of those files in a folder that have this name and an extension."""
    found = {}
    for other in others:
        if PurePath(other).stem == name and (seen := lstat(other, folder)) and stat.S_ISREG(seen.st_mode):
            found[other] = seen.st_size
    return found


def is_unused(path: Path) -> bool:
    """Say whether no running copy, in whatever process, has this temporary file or folder of ours."""
    if path.is_symlink():
        return True  # we make such a link in an instant, and never hold it
    try:
        with tree.unclaimed(path):
            return True
    except OSError:
        return False


def remove_unused(path: Path) -> None:
    """Remove a temporary file or folder of ours; BlockingIOError if it is in use now."""
    if path.is_symlink():
        path.unlink()
        return
    with tree.unclaimed(path):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()


def made_by_us(folder: int) -> bool:
    """Say whether ondeckd has made this folder."""
    try:
        os.getxattr(folder, tree.MADE_BY_US)
    except OSError:
        return False
    return True


def identity(files: OpenFiles) -> Identity:
    """Return the identity of the first of some open files as it is now."""
    with files.borrowed() as (first, *_):
        return Identity.of(os.fstat(first))


def owners(found: os.stat_result) -> tuple[int, int, int]:
    """Return owner, group and mode."""
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def said(found: os.stat_result) -> str:
    """Return owner, group and mode for a person."""
    return f"{found.st_uid}:{found.st_gid} {stat.S_IMODE(found.st_mode):04o}"
