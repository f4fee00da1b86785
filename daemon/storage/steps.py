"""Performs the steps that only change names. Each looks again first, and acts only if it is still the next step."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from daemon.errors import Skipped, SourceChanged, TierUnavailable
from daemon.model import Goal
from daemon.storage import anchors, leftovers, linux, manifest, safeguards, tree
from daemon.storage.draft import Draft
from daemon.storage.faults import translated
from daemon.storage.identity import Identity
from daemon.storage.names import give_name, identity_at, lstat, same_file, sync
from daemon.storage.sites import Site
from daemon.storage.states import COPYING, At, End, Seen, Step, decide


class Hands:
    """Changes the names of one file. Every method blocks.

    A thread that nobody waits for any more may still be in here: `lock` makes others wait for it, and after
    `let_go` its next step does nothing.
    """

    def __init__(self, site: Site, lock: threading.Lock) -> None:
        self.site = site
        self._lock = lock
        self._idle = False
        self.proof: Identity | None = None
        """What was read to prove a checksum, as it was then."""

    def let_go(self) -> None:
        """Do nothing more."""
        self._idle = True

    def perform(self, step: Step, goal: Goal) -> None:
        """Do one step, if it still is the next one."""
        with self._lock:
            if not self._idle:
                self._perform(step, goal)

    def take_back(self) -> None:
        """Walk to `Goal.UNCACHED` as far as that goes without copying. For copies that were given up.

        UnsafeEvict where the copy has to stay.
        """
        self.let_go()
        with self._lock:
            step, _ = self._next(Goal.UNCACHED)
            while not isinstance(step, End) and step not in COPYING:
                self._perform(step, Goal.UNCACHED)
                before, (step, _) = step, self._next(Goal.UNCACHED)
                if step is before:
                    break
            if not isinstance(step, End) or step.cached:
                self.site.refuse(step.why if isinstance(step, End) else "its original is missing")
            manifest.forget(self.site.root, self.site.entry)

    def sweep(self) -> None:
        """Remove what an interrupted step left beside the original."""
        with self._lock, translated(self.site.entry.file.array_path), self.site.array_folder() as folder:
            for name in (self.site.temporary, self.site.temporary_link):
                # What another process is at work with stays.
                with suppress(FileNotFoundError, BlockingIOError):
                    if folder is not None:
                        leftovers.remove(name, folder)

    def place(self, step: Step, draft: Draft) -> None:
        """Give the sealed copy beside the original its name, if `step` still is the next one."""
        with self._lock:
            found, seen = self._next(Goal.UNCACHED)
            if self._idle or found is not step or not draft.stands():
                raise SourceChanged(f"{self.site.entry.file.array_path} changed while it was copied back")
            if step is Step.COPY_BACK and seen.original is At.RECORDED:
                # Under links nothing else would serve the file between the two.
                (self._link if self.site.entry.placement.startswith("symlink") else self._hide)(seen)
            with self._folder() as folder:
                if step is Step.PARK:
                    give_name(self.site.temporary, self.site.backup, old_folder=folder, new_folder=folder)
                    sync(folder)
                else:
                    self.put_over(self.site.temporary, folder)

    def _next(self, goal: Goal) -> tuple[Step | End, Seen]:
        seen = self.site.look()
        return decide(self.site.entry.placement, goal, seen), seen

    def _perform(self, step: Step, goal: Goal) -> None:
        found, seen = self._next(goal)
        if found is not step:
            return
        site = self.site
        with translated(site.mapping.cache, gone=TierUnavailable):
            # What proves the one tier by the other is worth nothing where both are one.
            anchors.demand_apart(site.mapping)
        if goal is Goal.UNCACHED and seen.copy is not At.NOTHING:
            # Before the first step, so that a refusal leaves everything as it was.
            safeguards.demand_unwritten_copy(site)
        site.touched("change")
        with translated(site.entry.file.array_path, gone=SourceChanged):
            self._steps()[step](seen)

    def _steps(self) -> dict[Step, Callable[[Seen], None]]:
        return {
            Step.HIDE: self._hide,
            Step.LINK: self._link,
            Step.REMOVE: self._remove,
            Step.RESTORE: self._restore,
            Step.TIDY: self._tidy,
            Step.DROP: self._drop,
            Step.DELETE_COPY: self._delete_copy,
            Step.DELETE_BACKUP: self._delete_backup,
        }

    def _folder(self) -> AbstractContextManager[int]:
        return tree.folder(self.site.mapping.array, self.site.parts[:-1])

    def _hide(self, seen: Seen) -> None:
        site = self.site
        safeguards.demand_shown(site, seen)
        with self._folder() as folder:
            if seen.joined:
                # A kill came in between the second name and the end of the first.
                if self._is_joined(folder):
                    os.unlink(site.name, dir_fd=folder)
            else:
                safeguards.demand_unwritten(site, site.name)
                self._put_aside(folder)
                if not site.is_recorded(site.backup, folder):
                    # Somebody put a new file there in the very last moment.
                    give_name(site.backup, site.name, old_folder=folder, new_folder=folder)
                    raise SourceChanged(f"{site.entry.file.array_path} changed while it was put aside")
                safeguards.demand_still_shown(site, folder)
            sync(folder)

    def _put_aside(self, folder: int) -> None:
        name, backup = self.site.name, self.site.backup
        if linux.rename_new(name, backup, old_folder=folder, new_folder=folder):
            return
        # Not by a second name and the end of the first, as `give_name` would: others may put a new file at the first.
        if lstat(backup, folder):
            raise SourceChanged(f"{self.site.entry.file.array_path}: {backup} has appeared beside it")
        os.rename(name, backup, src_dir_fd=folder, dst_dir_fd=folder)

    def _link(self, seen: Seen) -> None:
        safeguards.settle_copy(self.site)
        safeguards.demand_unwritten(self.site, self.site.name)
        safeguards.demand_copy(self.site, seen)
        safeguards.demand_unwritten_copy(self.site)
        with self._folder() as folder:
            try:
                if seen.joined or not self._swap_in_link(seen, folder):
                    self._link_over(folder, joined=seen.joined)
            except OSError as error:
                # A folder that may not be written says EPERM too, if it is marked as immutable.
                refused = not os.access(".", os.W_OK, dir_fd=folder, effective_ids=True)
                if refused or error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):
                    raise
                array = self.site.mapping.array
                raise Skipped(
                    f"{self.site.entry.file.array_path} cannot be replaced by a link, because {array} lacks symbolic "
                    f'links, or exchange and hard links ({error.strerror}); set serve = "union" for this mapping'
                ) from error
            sync(folder)

    def _swap_in_link(self, seen: Seen, folder: int) -> bool:
        """Exchange the original with a link under the backup's name; False where there is no exchange."""
        site = self.site
        if seen.backup is At.NOTHING:
            os.symlink(site.entry.link, site.backup, dir_fd=folder)
            sync(folder)
        safeguards.demand_leads(site, site.backup, folder)
        if not linux.exchange(site.name, site.backup, folder):
            os.unlink(site.backup, dir_fd=folder)
            return False
        if not site.is_recorded(site.backup, folder):
            linux.exchange(site.name, site.backup, folder)
            os.unlink(site.backup, dir_fd=folder)
            raise SourceChanged(f"{site.entry.file.array_path} changed while it was replaced by a link")
        return True

    def _link_over(self, folder: int, *, joined: bool) -> None:
        site = self.site
        temporary = site.temporary_link
        with suppress(FileNotFoundError):
            leftovers.remove(temporary, folder)
        os.symlink(site.entry.link, temporary, dir_fd=folder)
        safeguards.demand_leads(site, temporary, folder)
        try:
            if not joined:
                os.link(site.name, site.backup, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                sync(folder)
            self._demand_same(folder)
            os.rename(temporary, site.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise

    def _demand_same(self, folder: int) -> None:
        if not self._is_joined(folder) or not self.site.is_recorded(self.site.name, folder):
            raise SourceChanged(f"{self.site.entry.file.array_path} changed while it was replaced by a link")

    def _is_joined(self, folder: int) -> bool:
        return same_file(lstat(self.site.name, folder), lstat(self.site.backup, folder))

    def _remove(self, seen: Seen) -> None:
        site = self.site
        safeguards.demand_shown(site, seen)
        safeguards.demand_unwritten(site, site.backup)
        safeguards.demand_copy(site, seen)
        safeguards.demand_unwritten_copy(site)
        with self._folder() as folder:
            os.unlink(site.backup, dir_fd=folder)
            sync(folder)

    def _restore(self, _seen: Seen) -> None:
        with self._folder() as folder:
            self.put_over(self.site.backup, folder)

    def put_over(self, name: str, folder: int) -> None:
        """Give the file at `name` the original's name, over our link or a file that is the same."""
        site = self.site
        replaced = identity_at(site.name, folder)
        if replaced is None:
            give_name(name, site.name, old_folder=folder, new_folder=folder)
        elif linux.exchange(name, site.name, folder):
            if not site.is_expendable(name, folder):
                linux.exchange(name, site.name, folder)
                raise SourceChanged(f"{site.entry.file.array_path} changed while it was put back")
            sync(folder)
            os.unlink(name, dir_fd=folder)
        elif site.is_expendable(site.name, folder):
            os.rename(name, site.name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            raise SourceChanged(f"{site.entry.file.array_path} changed while it was put back")
        sync(folder)

    def _tidy(self, seen: Seen) -> None:
        site = self.site
        with self._folder() as folder:
            if self._is_joined(folder) if seen.joined else site.is_our_link(site.backup, folder):
                os.unlink(site.backup, dir_fd=folder)
            sync(folder)

    def _drop(self, seen: Seen) -> None:
        site = self.site
        proven = safeguards.demand_copy(site, seen)
        with self._folder() as folder:
            sync(folder)
        safeguards.demand_proof(site, seen, proven, self.proof)
        self._unlink_copy(proven)

    def _unlink_copy(self, proven: os.stat_result) -> None:
        site = self.site
        safeguards.demand_unwritten_copy(site)
        with translated(site.entry.file.cache_path), tree.folder(site.root, site.parts[:-1]) as folder:
            if identity_at(site.copy_name, folder) != Identity.of(proven):
                site.refuse("it is being changed on the cache; wait until nobody writes to it")
            os.unlink(site.copy_name, dir_fd=folder)
            sync(folder)
        tree.remove_empty(site.root, site.parts[:-1])

    def _delete_copy(self, seen: Seen) -> None:
        self._unlink_copy(safeguards.demand_copy(self.site, seen))

    def _delete_backup(self, _seen: Seen) -> None:
        site = self.site
        safeguards.demand_unwritten(site, site.backup)
        with self._folder() as folder:
            if not site.is_recorded(site.backup, folder):
                raise SourceChanged(f"{site.backup} changed just now")
            os.unlink(site.backup, dir_fd=folder)
            sync(folder)
