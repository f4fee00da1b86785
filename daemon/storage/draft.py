"""A copy that is being made, under its temporary name."""

from __future__ import annotations

import os
from contextlib import suppress

from daemon.errors import SourceChanged, VerifyFailed
from daemon.storage import attributes, tree
from daemon.storage.identity import Identity
from daemon.storage.mover import OpenFiles
from daemon.storage.names import give_name, lstat, same_file


class Draft:
    """Holds both files and the folder of the temporary name open. Every method blocks.

    Takes over `source` (an open file) and `folder` (an open folder); `discard` closes them.
    """

    def __init__(self, path: str, source: int, folder: int, name: str) -> None:
        self._path = path
        self.folder = folder
        self.name = name
        self.identity = Identity.of(os.fstat(source))
        try:
            target = tree.new_temporary(name, folder)
            self._made = os.fstat(target)
            self.files = OpenFiles(source, target)
        except BaseException:
            os.close(source)
            os.close(folder)
            raise
        self._open = True

    def seal(self, mtime_ns: int) -> tuple[list[str], int]:
        """Give the copy its source's attributes and this modification time, and make it durable.

        Return what of that cannot be kept, and the time that it has now.
        """
        with self.files.borrowed() as (source, target):
            lost = attributes.keep(source, target)
            os.utime(target, ns=(os.fstat(source).st_atime_ns, mtime_ns))
            os.fsync(target)
            found = os.fstat(target)
        if found.st_size != self.identity.size:
            raise VerifyFailed(f"the copy of {self._path} has {found.st_size} bytes, not {self.identity.size}")
        return lost + ([] if found.st_mtime_ns == mtime_ns else ["exact times"]), found.st_mtime_ns

    def demand_unchanged(self, found: os.stat_result) -> None:
        """Raise SourceChanged unless what was `found` at the source's name still is what was copied."""
        if Identity.of(found) != self.identity:
            raise SourceChanged(f"{self._path} changed while it was copied")

    def give_name(self, name: str, folder: int) -> None:
        """Rename it into a folder, never over something: FileExistsError."""
        give_name(self.name, name, old_folder=self.folder, new_folder=folder)

    def stands(self) -> bool:
        """Say whether this very file has the temporary name."""
        with self.files.borrowed() as (_, target):
            return same_file(lstat(self.name, self.folder), os.fstat(target))

    def release(self) -> None:
        """Close everything: the file has its final name now."""
        self.files.close()
        if self._open:
            self._open = False
            os.close(self.folder)

    def discard(self) -> None:
        """Remove the temporary file, unless it was released before, and close everything."""
        if self._open and same_file(lstat(self.name, self.folder), self._made):
            with suppress(FileNotFoundError):
                os.unlink(self.name, dir_fd=self.folder)
        self.release()
