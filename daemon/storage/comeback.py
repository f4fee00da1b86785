"""The bytes of a copy on their way back to the array, where no original is left that has them."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

from daemon.errors import NoSpace, SourceChanged, TierUnavailable, UnsafeEvict
from daemon.model import Entry
from daemon.storage import anchors, leftovers, tree
from daemon.storage.draft import Draft
from daemon.storage.faults import translated
from daemon.storage.mover import OpenFiles
from daemon.storage.names import is_being_written
from daemon.storage.sites import Site
from daemon.storage.states import At, Step, copy_at
from daemon.storage.steps import Hands


class Comeback:
    """Copies what is on the cache back: `begin`, the bytes, `seal`, `place`. Each of these blocks."""

    def __init__(self, site: Site, hands: Hands, step: Step) -> None:
        self._site = site
        self._hands = hands
        self._step = step
        self._lock = threading.Lock()
        self._abandoned = False
        self._draft: Draft | None = None

    @property
    def draft(self) -> Draft:
        """Return the copy that is being made; only after `begin`."""
        assert self._draft is not None, "begin comes first"
        return self._draft

    @property
    def files(self) -> OpenFiles:
        """Return the open files, source first."""
        return self.draft.files

    def begin(self) -> None:
        """Open both files, with room for the copy."""
        site, path = self._site, self._site.entry.file.array_path
        with self._lock:
            self._demand_wanted()
            anchors.demand_anchor(site.mapping)
            with translated(site.entry.file.cache_path, gone=SourceChanged):
                source = tree.open_file(site.root, site.parts)
            try:
                with translated(site.entry.file.cache_path, gone=SourceChanged):
                    self._demand_unwritten(source)
                    size = os.fstat(source).st_size
                site.touched("open")
                with translated(path, gone=TierUnavailable), self._folder() as folder:
                    self._demand_room(folder, size)
                    self._demand_alone(folder)
                    held = os.dup(folder)
            except BaseException:
                os.close(source)
                raise
            with translated(path, gone=TierUnavailable):
                self._draft = Draft(site.entry.file.cache_path, source, held, site.temporary)

    def seal(self) -> tuple[list[str], Entry]:
        """Make it durable; return what cannot be kept, and the entry with the time that the array could hold."""
        with self._lock, translated(self._site.entry.file.array_path):
            self._demand_wanted()
            entry = self._site.entry
            recorded = self._recorded()
            # The cache may have rounded the original's time.
            wanted = entry.mtime_ns if recorded else self.draft.identity.mtime_ns
            lost, got = self.draft.seal(wanted)
            if got != wanted and not recorded:
                # Nothing would prove then that the two are the same.
                self._site.refuse("it was changed, and the array cannot hold the exact time of that; copy it by hand")
            return lost, replace(entry, mtime_ns=got) if recorded else entry

    def place(self) -> None:
        """Give it the name, if the copy still is what was read."""
        with self._lock:
            self._demand_wanted()
            site = self._site
            with translated(site.entry.file.cache_path, gone=SourceChanged):
                self.draft.demand_unchanged(site.copy() or _gone(site))
                with self.files.borrowed() as (source, _):
                    self._demand_unwritten(source)
            with translated(site.entry.file.array_path, gone=SourceChanged):
                self._hands.place(self._step, self.draft)
            self.draft.release()

    def abandon(self) -> None:
        """Remove what is there of it."""
        self._abandoned = True
        if self._draft:
            self._draft.files.close()
        with self._lock:
            if self._draft:
                self._draft.discard()

    def demand_checksum(self, checksum: str) -> None:
        """Raise UnsafeEvict if the copy's own bytes are no longer those that were recorded."""
        if self._recorded() and self._site.entry.checksum not in ("", checksum):
            raise UnsafeEvict(
                f"{self._site.entry.file.cache_path} has rotted: its checksum is not the recorded one; restore it from "
                "elsewhere, or remove it by hand"
            )

    def _demand_unwritten(self, source: int) -> None:
        # What is written later would go into a file without a name.
        if is_being_written(source):
            raise SourceChanged(f"{self._site.entry.file.cache_path} is being written to")

    def _demand_alone(self, folder: int) -> None:
        site = self._site
        try:
            with suppress(FileNotFoundError):
                leftovers.remove(site.temporary, folder)
        except BlockingIOError:
            raise SourceChanged(f"{site.entry.file.array_path} is being copied back by another ondeckd") from None

    def _demand_room(self, folder: int, size: int) -> None:
        found = os.fstatvfs(folder)
        lacking = size - found.f_bavail * found.f_frsize
        if lacking > 0:
            site = self._site
            raise NoSpace(f"{site.entry.file.array_path} needs {lacking} bytes more than {site.mapping.array} has")

    def _recorded(self) -> bool:
        with self.files.borrowed() as (source, _):
            return copy_at(os.fstat(source), self._site.entry) is At.RECORDED

    def _demand_wanted(self) -> None:
        if self._abandoned:
            raise SourceChanged(f"{self._site.entry.file.cache_path}: the copy was given up")

    def _folder(self) -> AbstractContextManager[int]:
        site = self._site
        return tree.made_folder(site.mapping.array, site.parts[:-1], site.root)


def _gone(site: Site) -> os.stat_result:
    raise SourceChanged(f"{site.entry.file.cache_path} disappeared while it was copied back")
