"""One file on its way off the cache, while its original was kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from daemon.config import MappingSettings
from daemon.errors import TierUnavailable, UnmappedPath, UnsafeEvict
from daemon.model import Entry, File
from daemon.storage import anchors, manifest, tree
from daemon.storage.faults import translated
from daemon.storage.identity import Identity, is_recorded
from daemon.storage.mover import OpenFiles
from daemon.storage.paths import parts_below

REMEDY = "put the original back, or remove the copy by hand"


class Departure:
    """Takes one copy off the cache, but only while its original is proven. Each method blocks."""

    def __init__(self, entry: Entry, mapping: MappingSettings, touched: Callable[[str], None]) -> None:
        self._entry = entry
        self._mapping = mapping
        self._touched = touched
        try:
            self._root, self._parts = _placed(entry.file, mapping)
        except UnmappedPath:
            raise self._strayed() from None

    def copy(self) -> os.stat_result | None:
        """Return what stands at the copy's name, None if nothing does.

        TierUnavailable if this is not the cache that held it: an unmounted cache must not look like an empty
        one. UnsafeEvict if it stands below roots that the mapping had once.
        """
        with translated(self._root, gone=TierUnavailable):
            try:
                with tree.folder(self._root, self._parts[:-1]) as folder:
                    found = os.stat(self._parts[-1], dir_fd=folder, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                if tree.has_own_folder(self._root):
                    return None
                raise tree.not_our_cache(self._root) from None
        below = "/".join(self._parts)
        file, mapping = self._entry.file, self._mapping
        for path, root in ((file.cache_path, mapping.cache), (file.array_path, mapping.array)):
            if path != f"{root.rstrip('/')}/{below}":
                raise self._strayed()
        return found

    def open_original(self) -> tuple[OpenFiles, Identity]:
        """Open the original to read it; UnsafeEvict if it is not what was recorded."""
        anchors.demand_anchor(self._mapping)
        path = self._entry.file.array_path
        self._touched("open")
        with translated(path):
            try:
                original = tree.open_file(self._mapping.array, self._parts)
            except (FileNotFoundError, NotADirectoryError):
                raise self._unsafe(f"the original is missing; {REMEDY}") from None
        files = OpenFiles(original)
        found = os.fstat(original)
        if not is_recorded(found, self._entry):
            files.close()
            raise self._unsafe(f"the original is no longer what was copied; {REMEDY}")
        return files, Identity.of(found)

    def drop(self, read: Identity | None = None) -> None:
        """Delete the copy.

        `read` is the original as it was when its checksum was proven, where one is recorded.
        """
        copy = self.copy()
        if copy is None:
            manifest.forget(self._root, self._entry)
            return
        if not is_recorded(copy, self._entry):
            raise self._unsafe("it was changed on the cache; move it to the array, or remove it by hand")
        self._touched("list")
        with translated(self._mapping.cache):
            anchors.demand_apart(self._mapping)
        files, original = self.open_original()
        files.close()
        if (original.device, original.inode) == (copy.st_dev, copy.st_ino):
            raise self._unsafe("it and the original are one and the same file; the array must be another disk")
        if read not in (None, original):
            raise self._unsafe("the original changed while it was read; wait until nobody writes to it")
        self._unlink(Identity.of(copy))
        manifest.forget(self._root, self._entry)

    def _unlink(self, proven: Identity) -> None:
        folder_parts, name = self._parts[:-1], self._parts[-1]
        with (
            translated(self._entry.file.cache_path),
            tree.folder(self._mapping.cache, folder_parts) as folder,
        ):
            if Identity.of(os.stat(name, dir_fd=folder, follow_symlinks=False)) != proven:
                raise self._unsafe("it is being changed on the cache; wait until nobody writes to it")
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)
        tree.remove_empty(self._mapping.cache, folder_parts)

    def _strayed(self) -> UnsafeEvict:
        return self._unsafe(
            f"it was placed below other roots than {self._mapping.name} has now; set the mapping back, or remove the "
            "copy by hand"
        )

    def _unsafe(self, why: str) -> UnsafeEvict:
        return UnsafeEvict(f"{self._entry.file.cache_path} stays on the cache: {why}")


def vanished(mapping: MappingSettings, entries: Iterable[Entry]) -> list[Entry]:
    """Return those of which nothing is on the cache any more. Blocks; TierUnavailable as `Departure.copy` raises it."""
    found = []
    for entry in entries:
        with suppress(UnsafeEvict, UnmappedPath):  # who can tell
            if Departure(entry, mapping, lambda _: None).copy() is None:
                found.append(entry)
    return found


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
