"""The three names of one file, as the disks show them now."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import NoReturn

from daemon.config import MappingSettings
from daemon.errors import TierUnavailable, UnmappedPath, UnsafeEvict
from daemon.model import Entry, File
from daemon.storage import anchors, tree
from daemon.storage.faults import translated
from daemon.storage.names import lstat, same_file
from daemon.storage.paths import parts_below, temporary_beside
from daemon.storage.states import BACKUP_SUFFIX, At, Seen, copy_at


class Site:
    """Where one file is placed. Looks, and changes nothing.

    `touched` hears of each operation on the array. UnsafeEvict when the roots of the mapping are no longer those
    below which the entry was placed.
    """

    def __init__(self, entry: Entry, mapping: MappingSettings, touched: Callable[[str], None]) -> None:
        self.entry = entry
        self.mapping = mapping
        self.touched = touched
        try:
            self.root, self.parts = _placed(entry.file, mapping)
        except UnmappedPath:
            self._strayed()
        self.copy_name = self.parts[-1]
        self.name = self.copy_name
        """The original's; another, once `look` has found that somebody renamed our link."""
        self.deleted = False
        """Whether the file is being deleted on purpose, so that its link may be gone with its folder."""
        self.backup = self.name + BACKUP_SUFFIX
        self.temporary = temporary_beside(self.name, "copy")
        self.temporary_link = temporary_beside(self.name, "link")

    def copy(self) -> os.stat_result | None:
        """Return what stands at the copy's name, None if nothing does. Never looks at the array.

        TierUnavailable if this is not the cache that held it: an unmounted cache must not look like an empty one.
        """
        with translated(self.root, gone=TierUnavailable):
            try:
                with tree.folder(self.root, self.parts[:-1]) as folder:
                    found = os.stat(self.copy_name, dir_fd=folder, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                if tree.has_own_folder(self.root):
                    return None
                raise tree.not_our_cache(self.root) from None
        self._demand_here()
        return found

    def stands(self) -> bool:
        """Say whether the copy is on the cache as recorded. Never looks at the array."""
        return copy_at(self.copy(), self.entry) is At.RECORDED

    def look(self) -> Seen:
        """Return what stands at the three names. AnchorMissing while the array is not mounted."""
        copy = self.copy()
        self._demand_here()
        anchors.demand_anchor(self.mapping)
        self.touched("stat")
        with translated(self.entry.file.array_path), self.array_folder() as folder:
            self._follow_link(folder, copy)
            original, backup = lstat(self.name, folder), lstat(self.backup, folder)
            state = copy_at(copy, self.entry)
            newer = copy if state is At.NEWER else None
            seen = Seen(
                self._array_at(self.name, original, folder, newer),
                self._array_at(self.backup, backup, folder, None),
                state,
                joined=same_file(original, backup),
            )
        if same_file(copy, original) or same_file(copy, backup):
            anchors.demand_apart(self.mapping)
            self.refuse("it and the original are one and the same file; the array must be another disk")
        return seen

    @contextmanager
    def array_folder(self) -> Iterator[int | None]:
        """Hold the original's folder open; None if there is no such folder (any more)."""
        try:
            folder = tree.open_folder(self.mapping.array, self.parts[:-1])
        except (FileNotFoundError, NotADirectoryError):
            yield None
            return
        try:
            yield folder
        finally:
            os.close(folder)

    def open_on_array(self, name: str) -> int:
        """Open the original or the backup for reading."""
        self.touched("open")
        return tree.open_file(self.mapping.array, (*self.parts[:-1], name))

    def is_our_link(self, name: str, folder: int) -> bool:
        """Say whether a link that leads to the copy stands at a name of the original's folder."""
        try:
            text = os.readlink(name, dir_fd=folder)
        except OSError as error:
            # That a link cannot be read does not make it somebody else's.
            if error.errno not in (errno.EINVAL, errno.ENOENT):
                raise
            return False
        leads = os.path.normpath(os.path.join(os.path.dirname(self.entry.file.array_path), text))  # noqa: PTH118, PTH120 - no disk is asked
        return leads == self.entry.file.cache_path or (text != "" and text == self.entry.link)

    def is_expendable(self, name: str, folder: int) -> bool:
        """Say whether our link, or a file that is as recorded, stands at a name of the original's folder."""
        return self._array_at(name, lstat(name, folder), folder, None) in {At.LINK, At.RECORDED}

    def is_recorded(self, name: str, folder: int) -> bool:
        """Say whether a file that is as recorded stands at a name of the original's folder."""
        return self._array_at(name, lstat(name, folder), folder, None) is At.RECORDED

    def proof(self, seen: Seen) -> str:
        """Return the name on the array of what holds the copy's content."""
        return self.name if seen.original in {At.RECORDED, At.NEWER} else self.backup

    def refuse(self, why: str) -> NoReturn:
        """Raise UnsafeEvict."""
        raise UnsafeEvict(f"{self.entry.file.cache_path} stays on the cache: {why}")

    def _follow_link(self, folder: int | None, copy: os.stat_result | None) -> None:
        """Take the name that somebody gave our link, as Sonarr does when it renames files.

        UnsafeEvict where it is somewhere else, so that it would lead nowhere without the copy.
        """
        if not self.entry.link or (folder is not None and self.is_our_link(self.name, folder)):
            return
        if folder is None:
            if copy is not None and (not self.deleted or self._is_linked_elsewhere()):
                self.refuse(
                    f"the folder of its link, {PurePath(self.entry.file.array_path).parent}, is gone or renamed"
                )
            return
        with os.scandir(folder) as items:
            links = [item.name for item in items if item.is_symlink() and self.is_our_link(item.name, folder)]
        others = [name for name in links if name not in {self.backup, self.temporary_link}]
        if len(others) == 1:
            self.name = others[0]
        elif others:
            self.refuse(f"several links lead to it: {', '.join(sorted(others))}")

    def _is_linked_elsewhere(self) -> bool:
        """Say whether the folder of our link seems to have got another name, at whichever depth."""
        depth = len(self.parts) - 1
        while True:
            depth -= 1
            with suppress(FileNotFoundError, NotADirectoryError), tree.folder(self.mapping.array, self.parts[:depth]):
                break
        above, below = Path(self.mapping.array, *self.parts[:depth]), self.parts[depth + 1 :]
        with os.scandir(above) as items:
            beside = [item.name for item in items if item.is_dir(follow_symlinks=False)]
        return any(self._leads_here(Path(above, name, *below)) for name in beside)

    def _leads_here(self, link: Path) -> bool:
        try:
            text = os.readlink(link)  # noqa: PTH115 - as the link says it, not normalised
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                return False
            raise
        leads = os.path.normpath(os.path.join(link.parent, text))  # noqa: PTH118 - no disk is asked
        return leads == self.entry.file.cache_path or text == self.entry.link

    def _array_at(
        self, name: str, found: os.stat_result | None, folder: int | None, newer: os.stat_result | None
    ) -> At:
        if found is None or folder is None:
            return At.NOTHING
        if stat.S_ISLNK(found.st_mode):
            if self.is_our_link(name, folder):
                return At.LINK
            # A link of the user's own, that stays within the array, is as good as the file.
            found = self._follow(name) or found
        if not stat.S_ISREG(found.st_mode):
            return At.FOREIGN
        key = (found.st_size, found.st_mtime_ns)
        if key == (self.entry.file.size, self.entry.mtime_ns):
            return At.RECORDED
        return At.NEWER if newer is not None and key == (newer.st_size, newer.st_mtime_ns) else At.OTHER

    def _follow(self, name: str) -> os.stat_result | None:
        with suppress(OSError, UnmappedPath):
            descriptor = self.open_on_array(name)
            try:
                return os.fstat(descriptor)
            finally:
                os.close(descriptor)
        return None

    def _demand_here(self) -> None:
        below, file, mapping = "/".join(self.parts), self.entry.file, self.mapping
        for path, root in ((file.cache_path, mapping.cache), (file.array_path, mapping.array)):
            if path != f"{root.rstrip('/')}/{below}":
                self._strayed()

    def _strayed(self) -> NoReturn:
        self.refuse(
            f"it was placed below other roots than {self.mapping.name} has now; set the mapping back, or remove the "
            "copy by hand"
        )


def vanished(mapping: MappingSettings, entries: Iterable[Entry]) -> list[Entry]:
    """Return those of which nothing is on the cache any more. Blocks; TierUnavailable as `Site.copy` raises it."""
    found = []
    for entry in entries:
        with suppress(UnsafeEvict, UnmappedPath):  # who can tell
            if Site(entry, mapping, lambda _: None).copy() is None:
                found.append(entry)
    return found


def demand_cache_shown(mapping: MappingSettings) -> None:
    """Raise TierUnavailable unless the union, where there is one, shows what lies on the cache."""
    if not mapping.union:
        return
    with translated(mapping.cache, gone=TierUnavailable), tree.probe_file(mapping.cache) as name:
        if not os.path.lexists(Path(mapping.union, name)):
            raise TierUnavailable(f"{mapping.union} does not show what lies on {mapping.cache}; is it mounted?")


def demand_file_shown(mapping: MappingSettings, parts: tuple[str, ...]) -> None:
    """Raise TierUnavailable unless the union, where there is one, shows a file at this path."""
    if mapping.union and not os.path.lexists(Path(mapping.union, *parts)):
        raise TierUnavailable(f"{Path(mapping.union, *parts)} is not shown by the union once its original is put aside")


def demand_union(mapping: MappingSettings, parts: tuple[str, ...], size: int, times: tuple[int, ...]) -> None:
    """Raise TierUnavailable unless the union shows a file of this size and one of these modification times."""
    if not mapping.union:
        return
    path = Path(mapping.union, *parts)
    with translated(str(path), gone=TierUnavailable):
        found = path.stat()
    if found.st_size != size or found.st_mtime_ns not in times:
        raise TierUnavailable(f"{path} is another file than {'/'.join(parts)}: the union is not right")


def _placed(file: File, mapping: MappingSettings) -> tuple[str, tuple[str, ...]]:
    """Return the cache root below which a copy was placed, and its path from there.

    The mapping may have got other roots since; UnmappedPath where the old ones cannot be told any more.
    """
    try:
        below = "/".join(parts_below(file.array_path, mapping.array))
        root = file.cache_path.removesuffix(f"/{below}")
    except UnmappedPath:
        root = mapping.cache
    return root, parts_below(file.cache_path, root)
