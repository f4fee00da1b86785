"""One file on its way to the cache: temporary name, proof, final name."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from daemon.config import MappingSettings
from daemon.errors import NoSpace, Skipped, SourceChanged, TierUnavailable
from daemon.model import Entry, File
from daemon.storage import anchors, manifest, tree, trials
from daemon.storage.draft import Draft
from daemon.storage.faults import translated
from daemon.storage.identity import Identity
from daemon.storage.names import identity_at, is_being_written
from daemon.storage.paths import OWN_PREFIX, link_text, parts_below
from daemon.storage.sites import demand_union
from daemon.storage.space import room
from daemon.storage.states import BACKUP_SUFFIX
from daemon.storage.steps import Hands

_TRIES = 3
"""How often the target folder is made again when an eviction removes it, empty, at the same moment."""
_LONGEST_NAME = 255
"""Bytes in a name, on every file system in use."""


class Arrival:
    """Brings one file in: `begin`, the bytes, `seal`, `publish`. Each of these blocks.

    After `publish` the copy stands at its name beside an original that is untouched. `abandon` takes back whatever
    was done. It may be called while a thread that nobody waits for any more is still at work in here: the lock makes
    it wait for that thread, and the next step of that thread refuses.
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
        self._draft: Draft | None = None
        self._placement = mapping.placement
        self._copy_mtime_ns = 0
        self._hands: Hands | None = None
        self.kept_because = ""
        """Why the original stays, though it is the mapping's way to put originals aside; else empty."""

    @property
    def draft(self) -> Draft:
        """Return the copy that is being made; only after `begin`."""
        assert self._draft is not None, "begin comes first"
        return self._draft

    @property
    def identity(self) -> Identity:
        """Return the original as it was when it was opened; only after `begin`."""
        return self.draft.identity

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
                with translated(self.file.array_path):
                    found = os.fstat(source)
                    self._examine(found)
                    self._demand_unwritten(source)
                self._demand_union(found.st_size, found.st_mtime_ns)
                with translated(self._mapping.cache, gone=TierUnavailable):
                    self._demand_room(found.st_size)
                    name, folder = self._temporary()
            except BaseException:
                os.close(source)
                raise
            with translated(self._mapping.cache, gone=TierUnavailable):
                self._draft = Draft(self.file.array_path, source, folder, name)

    def seal(self) -> list[str]:
        """Give the copy its original's attributes and make it durable; return those that cannot be kept."""
        with self._step(), translated(self.file.cache_path):
            lost, got = self.draft.seal(self.identity.mtime_ns)
        self._copy_mtime_ns = 0 if got == self.identity.mtime_ns else got
        return lost

    def entry(self, at: float, *, checksum: str, parent: str) -> Entry:
        """Return what the ledger will say about it."""
        return Entry(
            replace(self.file, size=self.identity.size),
            self.identity.mtime_ns,
            at,
            checksum=checksum,
            parent=parent,
            placement=self._placement,
            copy_mtime_ns=self._copy_mtime_ns,
            link=link_text(self._mapping, self.file),
        )

    def publish(self, entry: Entry, hands: Hands) -> None:
        """Give the copy its final name, if the original still is what was copied.

        From then on `hands` take it back, if it is abandoned.
        """
        with self._step():
            self._touched("stat")
            with translated(self.file.array_path), tree.folder(self._mapping.array, self._parts[:-1]) as folder:
                self.draft.demand_unchanged(os.stat(self._parts[-1], dir_fd=folder))
            with translated(self._mapping.cache, gone=TierUnavailable):
                manifest.record(self._mapping.cache, entry)
            self._give_name(hands)
            self.draft.release()
            self._demand_union(self.identity.size, self.identity.mtime_ns, self._copy_mtime_ns)

    def abandon(self) -> None:
        """Take everything back. A copy that has its final name goes only by the rules of an eviction."""
        self._abandoned = True
        if self._hands:
            self._hands.let_go()
        if self._draft:
            self._draft.files.close()
        with self._lock:
            if self._draft:
                self._draft.discard()
            if self._hands:
                self._hands.take_back()

    @contextmanager
    def _step(self) -> Iterator[None]:
        with self._lock:
            if self._abandoned:
                raise SourceChanged(f"{self.file.array_path}: the copy was given up")
            yield

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

    def _examine(self, found: os.stat_result) -> None:
        path = self.file.array_path
        if not stat.S_ISREG(found.st_mode):
            raise Skipped(f"{path} is not a regular file")
        if found.st_nlink > 1 and not self._copy_hard_links:
            raise Skipped(f'{path} has {found.st_nlink} hard links and transfer.hardlinks is "skip"')
        if self._mapping.original == "keep":
            return
        if self._mapping.serve == "symlink" and (pool := trials.pool(self._mapping.array)):
            raise Skipped(
                f'{path} is not replaced by a link, because the array is a pool ({pool}); set serve = "union"'
            )
        self.kept_because = self._bound(found)
        if self.kept_because and self._mapping.serve == "symlink":
            raise Skipped(f"{path} cannot be replaced by a link: {self.kept_because}")
        if self.kept_because:
            self._placement = "union+keep"

    def _demand_unwritten(self, source: int) -> None:
        # Where the original stays, what is written later is noticed when the copy is to leave.
        if self._placement != "union+keep" and is_being_written(source):
            raise SourceChanged(f"{self.file.array_path} is being written to")

    def _bound(self, found: os.stat_result) -> str:
        """Return why the original has to stay where it is; empty if it may be put aside."""
        if found.st_nlink > 1:
            return f"it has {found.st_nlink} hard links"
        name = self._parts[-1]
        if len(os.fsencode(name + BACKUP_SUFFIX)) > _LONGEST_NAME:
            return f"with {BACKUP_SUFFIX} its name would be too long"
        with tree.folder(self._mapping.array, self._parts[:-1]) as folder:
            if identity_at(name, folder) != Identity.of(found):
                return "it is a link"
            if identity_at(name + BACKUP_SUFFIX, folder):
                return f"{name}{BACKUP_SUFFIX} is there already"
        return ""

    def _demand_room(self, size: int) -> None:
        _, total, free = room(self._mapping.cache)
        lacking = size + self._keep_free(total) - free
        if lacking > 0:
            raise NoSpace(f"{self.file.array_path} needs {lacking} bytes more than {self._mapping.cache} has")

    def _demand_union(self, size: int, *times: int) -> None:
        if self._mapping.union:
            self._touched("stat")
            demand_union(self._mapping, self._parts, size, times)

    def _temporary(self) -> tuple[str, int]:
        """Return the temporary name, and the open folder for it."""
        cache, name = self._mapping.cache, tree.temporary_name("part")
        with tree.nearest_folder(cache, self._parts[:-1]) as near, tree.own_folder(cache) as own:
            same = os.fstat(near).st_dev == os.fstat(own).st_dev
            return (name, os.dup(own)) if same else (OWN_PREFIX + name, os.dup(near))

    def _give_name(self, hands: Hands) -> None:
        mapping, name = self._mapping, self._parts[-1]
        for _ in range(_TRIES):
            with (
                translated(self.file.cache_path, gone=TierUnavailable),
                tree.made_folder(mapping.cache, self._parts[:-1], mapping.array) as folder,
            ):
                try:
                    self.draft.give_name(name, folder)
                except FileNotFoundError:
                    continue
                except FileExistsError:
                    raise self._foreign() from None
                self._hands = hands
                os.fsync(folder)
                return
        raise TierUnavailable(f"{self.file.cache_path}: its folder disappears again and again")
