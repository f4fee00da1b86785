"""One file on its way off the cache, while its original was kept."""

from __future__ import annotations

import os
from collections.abc import Callable

from daemon.config import MappingSettings
from daemon.errors import TierUnavailable, UnsafeEvict
from daemon.model import Entry
from daemon.storage import anchors, tree
from daemon.storage.faults import translated
from daemon.storage.identity import Identity, is_recorded
from daemon.storage.mover import OpenFiles
from daemon.storage.paths import parts_below


class Departure:
    """Takes one copy off the cache, but only while its original is proven. Each method blocks."""

    def __init__(self, entry: Entry, mapping: MappingSettings, touched: Callable[[str], None]) -> None:
        self._entry = entry
        self._mapping = mapping
        self._parts = parts_below(entry.file.array_path, mapping.array)
        self._touched = touched

    def copy(self) -> os.stat_result | None:
        """Return what stands at the copy's name, None if nothing does.

        TierUnavailable if this is not the cache that held it: an unmounted cache must not look like an empty
        one.
        """
        cache = self._mapping.cache
        with translated(cache, gone=TierUnavailable):
            try:
                with tree.folder(cache, self._parts[:-1]) as folder:
                    return os.stat(self._parts[-1], dir_fd=folder, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                if tree.has_own_folder(cache):
                    return None
                raise tree.not_our_cache(cache) from None

    def open_original(self) -> tuple[OpenFiles, Identity]:
        """Open the original to read it; UnsafeEvict if it is not what was recorded."""
        anchors.demand_anchor(self._mapping)
        path = self._entry.file.array_path
        self._touched("open")
        with translated(path):
            try:
                original = tree.open_file(self._mapping.array, self._parts)
            except (FileNotFoundError, NotADirectoryError):
                raise self._unsafe("the original is missing") from None
        files = OpenFiles(original)
        found = os.fstat(original)
        if not is_recorded(found, self._entry):
            files.close()
            raise self._unsafe("the original is no longer what was copied")
        return files, Identity.of(found)

    def drop(self, read: Identity | None = None) -> None:
        """Delete the copy.

        `read` is the original as it was when its checksum was proven, where one is recorded.
        """
        copy = self.copy()
        if copy is None:
            return
        if not is_recorded(copy, self._entry):
            raise self._unsafe("it was changed on the cache")
        self._touched("list")
        with translated(self._mapping.cache):
            anchors.demand_apart(self._mapping)
        files, original = self.open_original()
        files.close()
        if (original.device, original.inode) == (copy.st_dev, copy.st_ino):
            raise self._unsafe("it and the original are one and the same file")
        if read not in (None, original):
            raise self._unsafe("the original changed while it was read")
        self._unlink(Identity.of(copy))

    def _unlink(self, proven: Identity) -> None:
        folder_parts, name = self._parts[:-1], self._parts[-1]
        with (
            translated(self._entry.file.cache_path),
            tree.folder(self._mapping.cache, folder_parts) as folder,
        ):
            if Identity.of(os.stat(name, dir_fd=folder, follow_symlinks=False)) != proven:
                raise self._unsafe("it is being changed on the cache")
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)
        tree.remove_empty(self._mapping.cache, folder_parts)

    def _unsafe(self, why: str) -> UnsafeEvict:
        return UnsafeEvict(f"{self._entry.file.cache_path} stays on the cache: {why}")
