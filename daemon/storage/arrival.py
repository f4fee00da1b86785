"""One file on its way to the cache, original kept: temporary name, proof, final name."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from daemon.config import MappingSettings
from daemon.errors import NoSpace, Skipped, SourceChanged, TierUnavailable, VerifyFailed
from daemon.model import Entry, File
from daemon.storage import anchors, attributes, linux, manifest, tree
from daemon.storage.departure import Departure
from daemon.storage.faults import translated
from daemon.storage.identity import Identity
from daemon.storage.mover import OpenFiles
from daemon.storage.paths import OWN_PREFIX, parts_below
from daemon.storage.space import room

_TRIES = 3
"""How often the target folder is made again when an eviction removes it, empty, at the same moment."""


class Arrival:
    """Brings one file in: `begin`, the bytes, `seal`, `publish`. Each of these blocks.

    `abandon` takes back whatever was done. It may be called while a thread that nobody waits for any more is
    still at work in here: the lock makes it wait for that thread, and the next step of that thread refuses.
    """

    def __init__(
        self,
        file: File,
        mapping: MappingSettings,
        touched: Callable[[str], None],
        *,
        copy_hard_links: bool,
        keep_free: Callable[[int], int],
    ) -> None:
        self.file = file
        self._mapping = mapping
        self._parts = parts_below(file.array_path, mapping.array)
        self._touched = touched
        self._copy_hard_links = copy_hard_links
        self._keep_free = keep_free
        self._lock = threading.Lock()
        self._abandoned = False
        self._folder: int | None = None
        self._temporary = ""
        self._noted: Entry | None = None
        self._published: Entry | None = None
        self.files = OpenFiles()
        self.identity = Identity(0, 0, 0, 0, 0)

    def begin(self, used: bool) -> None:
        """Look at everything that can be known before the first byte, and open both files.

        `used`: the ledger says that this cache holds files of ours.
        """
        with self._step():
            self._demand_cache(used)
            self._touched("list")
            anchors.demand_anchor(self._mapping)
            self._touched("open")
            with translated(self.file.array_path):
                source = tree.open_file(self._mapping.array, self._parts)
            try:
                self.identity = self._examine(os.fstat(source))
                self._demand_union()
                with translated(self._mapping.cache, gone=TierUnavailable):
                    self._demand_room(self.identity.size)
                    target = self._open_temporary()
            except BaseException:
                os.close(source)
                raise
            self.files = OpenFiles(source, target)

    def seal(self) -> list[str]:
        """Give the copy its original's attributes and make it durable; return those that cannot be kept."""
        with self._step(), self.files.borrowed() as (source, target), translated(self.file.cache_path):
            lost = attributes.keep(source, target)
            os.utime(target, ns=(os.fstat(source).st_atime_ns, self.identity.mtime_ns))
            os.fsync(target)
            found = os.fstat(target)
        if found.st_size != self.identity.size:
            raise VerifyFailed(f"{self.file.cache_path}: {found.st_size} bytes instead of {self.identity.size}")
        if found.st_mtime_ns != self.identity.mtime_ns:
            raise Skipped(f"{self._mapping.cache} cannot hold the exact time of {self.file.array_path}")
        return lost

    def entry(self, at: float, *, checksum: str, parent: str) -> Entry:
        """Return what the ledger will say about it."""
        file = replace(self.file, size=self.identity.size)
        return Entry(file, self.identity.mtime_ns, at, checksum=checksum, parent=parent)

    def publish(self, entry: Entry) -> None:
        """Give the copy its final name, if the original still is what was copied."""
        with self._step():
            self._touched("stat")
            with translated(self.file.array_path):
                if Identity.of(Path(self.file.array_path).stat()) != self.identity:
                    raise SourceChanged(f"{self.file.array_path} changed while it was copied")
            self._note(entry)
            self._give_name(entry)
            self._demand_union()
            self._let_go()

    def abandon(self) -> None:
        """Take everything back. A copy that has its final name goes only by the rules of an eviction."""
        self._abandoned = True
        self.files.close()
        with self._lock:
            if self._folder is not None:
                with suppress(FileNotFoundError):
                    os.unlink(self._temporary, dir_fd=self._folder)
            self._let_go()
            if self._published:
                Departure(self._published, self._mapping, self._touched).drop()
            elif self._noted:
                manifest.forget(self._mapping.cache, self._noted)

    @contextmanager
    def _step(self) -> Iterator[None]:
        with self._lock:
            if self._abandoned:
                raise SourceChanged(f"{self.file.array_path}: the copy was given up")
            yield

    def _let_go(self) -> None:
        self.files.close()
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def _demand_cache(self, used: bool) -> None:
        mapping = self._mapping
        with translated(mapping.cache, gone=TierUnavailable):
            if used and not tree.has_own_folder(mapping.cache):
                raise tree.not_our_cache(mapping.cache)
            # A copy that waits for room is tried again and again, and that must not keep the array awake.
            self._demand_room(self.file.size)
            anchors.demand_apart(mapping)
            with suppress(FileNotFoundError), tree.folder(mapping.cache, self._parts[:-1]) as folder:
                os.stat(self._parts[-1], dir_fd=folder, follow_symlinks=False)
                raise self._foreign()

    def _foreign(self) -> Skipped:
        return Skipped(f"{self.file.cache_path} is there already, not placed by ondeckd, and is left alone")

    def _examine(self, found: os.stat_result) -> Identity:
        path = self.file.array_path
        if not stat.S_ISREG(found.st_mode):
            raise Skipped(f"{path} is not a regular file")
        if found.st_nlink > 1 and not self._copy_hard_links:
            raise Skipped(f'{path} has {found.st_nlink} hard links and transfer.hardlinks is "skip"')
        return Identity.of(found)

    def _demand_room(self, size: int) -> None:
        _, total, free = room(self._mapping.cache)
        lacking = size + self._keep_free(total) - free
        if lacking > 0:
            raise NoSpace(f"{self.file.array_path} needs {lacking} bytes more than {self._mapping.cache} has")

    def _demand_union(self) -> None:
        """Raise TierUnavailable unless the union shows the file as it should be."""
        if not self._mapping.union:
            return
        path = Path(self._mapping.union, *self._parts)
        self._touched("stat")
        with translated(str(path), gone=TierUnavailable):
            found = path.stat()
        if (found.st_size, found.st_mtime_ns) != (self.identity.size, self.identity.mtime_ns):
            raise TierUnavailable(f"{path} is another file than {self.file.array_path}: the union is not right")

    def _open_temporary(self) -> int:
        cache, name = self._mapping.cache, tree.temporary_name("part")
        with tree.nearest_folder(cache, self._parts[:-1]) as near, tree.own_folder(cache) as own:
            same = os.fstat(near).st_dev == os.fstat(own).st_dev
            self._temporary = name if same else OWN_PREFIX + name
            self._folder = os.dup(own if same else near)
        return tree.new_temporary(self._temporary, self._folder)

    def _note(self, entry: Entry) -> None:
        self._noted = entry
        with translated(self._mapping.cache, gone=TierUnavailable):
            manifest.record(self._mapping.cache, entry)

    def _give_name(self, entry: Entry) -> None:
        mapping, name = self._mapping, self._parts[-1]
        for _ in range(_TRIES):
            with (
                translated(self.file.cache_path, gone=TierUnavailable),
                tree.made_folder(mapping.cache, self._parts[:-1], mapping.array) as folder,
            ):
                try:
                    self._rename(name, folder)
                except FileNotFoundError:
                    continue
                except FileExistsError:
                    raise self._foreign() from None
                self._published = entry
                os.fsync(folder)
                return
        raise TierUnavailable(f"{self.file.cache_path}: its folder disappears again and again")

    def _rename(self, name: str, folder: int) -> None:
        assert self._folder is not None
        if not linux.rename_new(self._temporary, name, old_folder=self._folder, new_folder=folder):
            os.link(self._temporary, name, src_dir_fd=self._folder, dst_dir_fd=folder, follow_symlinks=False)
            os.unlink(self._temporary, dir_fd=self._folder)
