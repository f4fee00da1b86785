"""A cached file that somebody else has renamed: its copy, its backup and its link get the new name too.

Each change depends only on what stands at the names, so a renaming that was interrupted is simply begun again. No copy
is made and nothing is deleted but a second name of the copy. The media path always shows the file: under links the
copy has both names until the link leads to the new one.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, suppress
from dataclasses import replace

from daemon.errors import SourceChanged, TierUnavailable
from daemon.model import Entry, File
from daemon.storage import anchors, leftovers, manifest, safeguards, tree
from daemon.storage.faults import translated
from daemon.storage.means import Means
from daemon.storage.names import give_name, lstat, same_file, sync
from daemon.storage.paths import link_text
from daemon.storage.states import At, copy_at


class Renaming:
    """Follows one file to its new name, in the same mapping. Everything here blocks."""

    def __init__(self, means: Means, entry: Entry, new: File) -> None:
        mapping = means.mappings.by_name(entry.file.mapping)
        self._old = means.site(entry, "renamed")
        if new.mapping != mapping.name:
            self._old.refuse(f"it was moved to another mapping, {new.mapping}")
        link = link_text(mapping, new) if entry.link else ""
        if bool(link) != bool(entry.link):
            self._old.refuse(f"it is served by a link, and {mapping.name} is no longer")
        self.entry = replace(entry, file=replace(new, size=entry.file.size), link=link)
        self._new = means.site(self.entry, "renamed")
        self._locks = [means.lock(path) for path in sorted({entry.file.array_path, new.array_path})]

    def follow(self) -> Entry:
        """Give everything its new name, and return the entry of that."""
        old, new = self._old, self._new
        with ExitStack() as stack:
            for lock in self._locks:
                stack.enter_context(lock)
            anchors.demand_anchor(new.mapping)
            new.touched("stat")
            with translated(new.entry.file.array_path, gone=SourceChanged):
                folder = stack.enter_context(new.array_folder())
                before = stack.enter_context(old.array_folder())
                self._demand_renamed(folder, before)
                with translated(new.mapping.cache, gone=TierUnavailable):
                    anchors.demand_apart(new.mapping)
                manifest.record(new.root, self.entry)
                new.touched("change")
                self._move_copy()
                if self.entry.link and folder is not None:
                    self._turn_link(folder)
                self._move_backup(before)
                if self.entry.link:
                    self._end_old_name()
            manifest.forget(old.root, old.entry)
            tree.remove_empty(old.root, old.parts[:-1])
        return self.entry

    def _demand_renamed(self, folder: int | None, before: int | None) -> None:
        """Raise UnsafeEvict unless the media path, and nothing else, shows the file under its new name."""
        old, new = self._old, self._new
        if lstat(old.copy_name, before) is not None:
            old.refuse("something stands under its old name")
        copies = old.copy(), new.copy()
        states = [copy_at(found, old.entry) for found in copies]
        if At.RECORDED not in states or not {*states} <= {At.RECORDED, At.NOTHING}:
            old.refuse("its copy is not as recorded")
        if At.NOTHING not in states and not (old.entry.link and same_file(*copies)):
            old.refuse("another file stands at its new name on the cache")
        found = lstat(new.name, folder)
        if old.entry.link:
            if folder is None or not self._is_our_link(folder):
                old.refuse("no link of ours stands under its new name")
        elif old.entry.keeps_original:
            if folder is None or not new.is_recorded(new.name, folder):
                old.refuse("its original does not stand under its new name")
        elif found is not None or states[1] is not At.RECORDED:
            old.refuse("its copy is not what stands under its new name")

    def _is_our_link(self, folder: int) -> bool:
        """Say whether a link stands under the new name that leads to the copy under either of its names."""
        old, new = self._old, self._new
        return new.is_our_link(new.name, folder) or old.is_our_link(new.name, folder) or self._leads_to_old(folder)

    def _leads_to_old(self, folder: int) -> bool:
        # Sonarr makes relative links absolute when it moves them to another folder.
        text = os.readlink(self._new.name, dir_fd=folder) if self._is_link(folder) else ""
        return text.startswith("/") and os.path.normpath(text) == self._old.entry.file.cache_path

    def _is_link(self, folder: int) -> bool:
        found = lstat(self._new.name, folder)
        return found is not None and stat.S_ISLNK(found.st_mode)

    def _move_copy(self) -> None:
        old, new = self._old, self._new
        if new.copy() is not None:
            return
        safeguards.demand_unwritten_copy(old)
        with (
            translated(self.entry.file.cache_path),
            tree.folder(old.root, old.parts[:-1]) as source,
            tree.made_folder(new.root, new.parts[:-1], new.mapping.array) as target,
        ):
            if self.entry.link:
                # Until the link is turned it leads to the old name.
                os.link(old.copy_name, new.copy_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
            else:
                give_name(old.copy_name, new.copy_name, old_folder=source, new_folder=target)
            sync(target)
            sync(source)

    def _turn_link(self, folder: int) -> None:
        new = self._new
        if new.is_our_link(new.name, folder):
            return
        with suppress(FileNotFoundError):
            leftovers.remove(new.temporary_link, folder)
        os.symlink(self.entry.link, new.temporary_link, dir_fd=folder)
        safeguards.demand_leads(new, new.temporary_link, folder)
        if not self._is_our_link(folder):
            os.unlink(new.temporary_link, dir_fd=folder)
            raise SourceChanged(f"{self.entry.file.array_path} changed while it was renamed")
        os.rename(new.temporary_link, new.name, src_dir_fd=folder, dst_dir_fd=folder)
        sync(folder)

    def _move_backup(self, before: int | None) -> None:
        old, new = self._old, self._new
        if not self.entry.placement.endswith("+backup") or before is None or not old.is_recorded(old.backup, before):
            return
        # A union may have made the new folder only where it moved the copy to.
        with tree.made_folder(new.mapping.array, new.parts[:-1], new.root) as folder:
            if lstat(new.backup, folder) is None:
                give_name(old.backup, new.backup, old_folder=before, new_folder=folder)
                sync(folder)
                sync(before)

    def _end_old_name(self) -> None:
        old, new = self._old, self._new
        with (
            translated(old.entry.file.cache_path),
            suppress(FileNotFoundError),
            tree.folder(old.root, old.parts[:-1]) as source,
        ):
            if same_file(lstat(old.copy_name, source), new.copy()):
                os.unlink(old.copy_name, dir_fd=source)
                sync(source)
