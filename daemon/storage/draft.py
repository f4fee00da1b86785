"""A copy that is being made, under its temporary name."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from daemon.errors import SourceChanged, VerifyFailed
from daemon.storage import attributes, linux, tree
from daemon.storage.identity import Identity
from daemon.storage.mover import OpenFiles


class Draft:
    """Holds both files and the folder of the temporary name open. Every method blocks.

    Takes over `source` (an open file) and `folder` (an open folder); `discard` closes them.
    """

    def __init__(self, path: str, source: int, folder: int, name: str) -> None:
        self._path = path
        self.folder = folder
        self.name = name
        self._named = False
        self.identity = Identity.of(os.fstat(source))
        try:
            self.files = OpenFiles(source, tree.new_temporary(name, folder))
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

    def demand_unchanged(self, look: Callable[[], os.stat_result]) -> None:
        """Raise SourceChanged unless what stands at the source's name still is what was copied."""
        if Identity.of(look()) != self.identity:
            raise SourceChanged(f"{self._path} changed while it was copied")

    def give_name(self, name: str, folder: int) -> None:
        """Rename it into a folder, never over something: FileExistsError."""
        if not linux.rename_new(self.name, name, old_folder=self.folder, new_folder=folder):
            os.link(self.name, name, src_dir_fd=self.folder, dst_dir_fd=folder, follow_symlinks=False)
            os.unlink(self.name, dir_fd=self.folder)

    def discard(self) -> None:
        """Close everything, and remove the temporary file if it still has that name."""
        self.files.close()
        if self._open:
            self._open = False
            with suppress(FileNotFoundError):
                os.unlink(self.name, dir_fd=self.folder)
            os.close(self.folder)
