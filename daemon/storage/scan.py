"""An audit's walk over one mapping: its entries, its cache, and (only if that is asked for) its array."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path, PurePath
from typing import TypeVarTuple

from daemon.config import MappingSettings
from daemon.errors import SourceChanged, StorageError, UnmappedPath
from daemon.model import Entry, Goal
from daemon.storage import anchors, findings, looks, tree, verdicts
from daemon.storage.findings import Finding, Name
from daemon.storage.looks import Folder, owners, said
from daemon.storage.mover import OpenFiles, Reading
from daemon.storage.names import lstat
from daemon.storage.paths import OWN_FOLDER, file_below
from daemon.storage.sites import Site
from daemon.storage.states import BACKUP_SUFFIX, At, Seen, copy_at, decide

Ts = TypeVarTuple("Ts")


class Scan:
    """Looks, and changes nothing. `touched` hears of each operation on the array.

    `entries` are the mapping's, by array path; `busy` the array paths of files with which something is being done:
    they tell for themselves. `others` are the roots of mappings that lie inside of this one's.
    """

    def __init__(
        self,
        mapping: MappingSettings,
        entries: Mapping[str, Entry],
        *,
        busy: Collection[str],
        others: Collection[str],
        array: bool,
        touched: Callable[[str], None],
    ) -> None:
        self._mapping = mapping
        self._entries = entries
        self._copies = {entry.file.cache_path for entry in entries.values()}
        self._busy = frozenset(busy)
        self._busy_folders = {path.rpartition("/")[0] for path in busy}
        self._others = others
        self._array = array
        self._touched = touched
        self._unread: list[Finding] = []

    def findings(self) -> Generator[Finding | None]:
        """Yield what is found, and None wherever the walk may rest. Blocks in between."""
        if self._cache_is_there():
            self._array = self._array and self._array_is_there()
            for path, entry in self._entries.items():
                if not {path, entry.parent} & self._busy:
                    found = self._tried(entry.file.cache_path, self._of_entry, entry)
                    yield found
                    if self._array and entry.checksum and not found:
                        yield from self._of_bytes(entry)
                    yield self._tried(entry.file.cache_path, self._of_owner, entry) if self._array else None
            yield from self._of_cache()
            if self._array:
                yield from self._of_array()
        yield from self._unread

    def _cache_is_there(self) -> bool:
        root = self._mapping.cache
        if self._entries and not tree.has_own_folder(root):
            self._not_read(root, str(tree.not_our_cache(root)))
            return False
        return True

    def _array_is_there(self) -> bool:
        mapping = self._mapping
        self._touched("list")
        try:
            anchors.demand_anchor(mapping)
            if tree.has_own_folder(mapping.cache):
                anchors.demand_apart(mapping)
        except (StorageError, OSError) as error:
            self._not_read(mapping.array, str(error))
            return False
        return True

    def _tried(self, path: str, look: Callable[[*Ts], Finding | None], *args: *Ts) -> Finding | None:
        try:
            return look(*args)
        except (FileNotFoundError, UnmappedPath):
            return None  # it has gone meanwhile, or is none that a mapping can have
        except (StorageError, OSError) as error:
            self._not_read(path, str(error))
            return None

    def _of_entry(self, entry: Entry) -> Finding | None:
        site = Site(entry, self._mapping, self._touched)
        copy = site.copy()
        if copy is None:
            return verdicts.of_missing(entry, self._seen(site))
        if not self._array:
            return None if copy_at(copy, entry) is At.RECORDED else verdicts.of_changed(entry)
        seen = site.look()
        return verdicts.of_entry(entry, seen, decide(entry.placement, Goal.CACHED, seen))

    def _seen(self, site: Site) -> Seen | None:
        """Look at the array for the text of a finding, if that is asked for and can be done."""
        with suppress(StorageError):
            return site.look() if self._array else None
        return None

    def _of_bytes(self, entry: Entry) -> Iterator[Finding | None]:
        """Read a copy, and compare it with its recorded checksum."""
        path = entry.file.cache_path
        try:
            site = Site(entry, self._mapping, self._touched)
            with closing(OpenFiles(tree.open_file(site.root, site.parts))) as files:
                before = looks.identity(files)
                reading = Reading(files, before.size, index=0)
                while not reading.complete:
                    yield None
                    reading.step()
                # One that was written to or replaced meanwhile is the next audit's.
                if looks.identity(files) == before and reading.checksum != entry.checksum:
                    yield verdicts.of_other_bytes(entry)
        except (FileNotFoundError, UnmappedPath, SourceChanged):
            return
        except (StorageError, OSError) as error:
            self._not_read(path, str(error))

    def _of_owner(self, entry: Entry) -> Finding | None:
        site = Site(entry, self._mapping, self._touched)
        copy = site.copy()
        with site.array_folder() as folder:
            found = [lstat(name, folder) for name in (site.name, site.backup)]
        wanted = next((one for one in found if one and stat.S_ISREG(one.st_mode)), None)
        if copy is None or wanted is None or wanted.st_size != copy.st_size or owners(copy) == owners(wanted):
            return None
        text = f"{said(copy)}, the original {said(wanted)}"
        return Finding(Name.WRONG_OWNER, entry.file.cache_path, text, self._mapping.name, entry)

    def _of_cache(self) -> Iterator[Finding | None]:
        mapping = self._mapping
        for folder in looks.folders(mapping.cache, self._others, self._not_read):
            yield from self._of_ours(mapping.cache, folder, wakes=False)
            if OWN_FOLDER in folder.parts[:1]:
                continue
            yield self._of_made(folder) if self._array and folder.parts else None
            for name in set(folder.files) - set(folder.ours()):
                path = "/".join((mapping.cache, *folder.parts, name))
                if findings.looks_temporary(name):
                    yield self._of_temporary(path)
                elif findings.is_media(name):
                    yield self._tried(path, self._of_foreign, folder, name)

    def _of_ours(self, root: str, folder: Folder, *, wakes: bool) -> Iterator[Finding]:
        for name in folder.ours():
            path = Path(root, *folder.parts, name)
            if looks.is_unused(path):
                text = "no running copy uses it"
                yield Finding(Name.PARTIAL, str(path), text, self._mapping.name, wakes=wakes)

    def _of_temporary(self, path: str) -> Finding:
        text = "it looks unfinished or left over; remove it by hand if nothing needs it"
        return Finding(Name.FOREIGN_TEMPORARY, path, text, self._mapping.name, fixable=False)

    def _of_foreign(self, folder: Folder, name: str) -> Finding | None:
        mapping, parts = self._mapping, (*folder.parts, name)
        copy = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
        file = file_below(mapping, "/".join(parts), copy.st_size)
        if file.array_path in self._entries or file.array_path in self._busy:
            return None
        if not self._array:
            text = "ondeckd did not place it; with the array it can be compared"
            return Finding(Name.FOREIGN_COPY, file.cache_path, text, mapping.name, fixable=False)
        self._touched("stat")
        original = looks.at(mapping.array, parts)
        backup = looks.at(mapping.array, (*folder.parts, name + BACKUP_SUFFIX))
        if original and stat.S_ISLNK(original.st_mode):
            with tree.folder(mapping.array, folder.parts) as beside:
                if verdicts.copy_led_to(mapping, file, os.readlink(name, dir_fd=beside)) == file.cache_path:
                    return None  # which is told with the link
        return verdicts.of_foreign(mapping, file, copy, original, backup)

    def _of_made(self, folder: Folder) -> Finding | None:
        """Compare a folder that ondeckd made with its twin."""
        if not looks.made_by_us(folder.descriptor):
            return None
        self._touched("stat")
        made, twin = os.fstat(folder.descriptor), looks.at(self._mapping.array, folder.parts)
        if twin is None or not stat.S_ISDIR(twin.st_mode) or owners(made) == owners(twin):
            return None
        path = "/".join((self._mapping.cache, *folder.parts))
        return Finding(Name.WRONG_OWNER, path, f"{said(made)}, its twin {said(twin)}", self._mapping.name)

    def _of_array(self) -> Iterator[Finding | None]:
        mapping = self._mapping
        for folder in looks.folders(mapping.array, self._others, self._not_read):
            self._touched("list")
            yield None
            above = "/".join((mapping.array, *folder.parts))
            if above not in self._busy_folders:
                yield from self._of_ours(mapping.array, folder, wakes=True)
            for name in folder.links:
                yield self._tried(f"{above}/{name}", self._of_link, folder, name)
            for name in set(folder.files) - set(folder.ours()):
                if name.endswith(BACKUP_SUFFIX):
                    yield self._tried(f"{above}/{name}", self._of_backup, folder, name)
                elif findings.looks_temporary(name):
                    yield self._of_temporary(f"{above}/{name}")

    def _of_link(self, folder: Folder, name: str) -> Finding | None:
        mapping, parts = self._mapping, (*folder.parts, name)
        file = file_below(mapping, "/".join(parts), 0)
        if file.array_path in self._busy or file.array_path in self._entries:
            return None
        self._touched("stat")
        text = os.readlink(name, dir_fd=folder.descriptor)
        target = verdicts.copy_led_to(mapping, file, text)
        if target in self._copies:
            return None  # somebody has given our link another name, and the entry's own walk follows it
        standing = looks.at(mapping.cache, PurePath(target).relative_to(mapping.cache).parts) if target else None
        return verdicts.of_link(mapping, file, text, standing, lstat(name + BACKUP_SUFFIX, folder.descriptor))

    def _of_backup(self, folder: Folder, name: str) -> Finding | None:
        mapping, inner = self._mapping, name.removesuffix(BACKUP_SUFFIX)
        self._touched("stat")
        backup = lstat(name, folder.descriptor)
        if not backup or not inner:
            return None
        if not findings.is_media(inner):
            beside = _media(looks.versions(inner, folder.files, folder.descriptor))
            held = self._held(folder, inner)
            return verdicts.of_malformed(mapping, (*folder.parts, name), backup.st_size, held, beside)
        file = file_below(mapping, "/".join((*folder.parts, inner)), backup.st_size)
        entry = self._entries.get(file.array_path)
        if file.array_path in self._busy or (entry and not entry.keeps_original):
            return None
        copy = looks.at(mapping.cache, (*folder.parts, inner))
        return verdicts.of_backup(file, backup, lstat(inner, folder.descriptor), copy)

    def _held(self, folder: Folder, inner: str) -> dict[str, int]:
        """Return the sizes of files of this name with an extension, in the ledger or else on the cache."""
        found: dict[str, int] = {}
        with suppress(OSError, UnmappedPath), tree.folder(self._mapping.cache, folder.parts) as cache:
            found |= looks.versions(inner, os.listdir(cache), cache)  # noqa: PTH208 - of an open folder
        above = "/".join((self._mapping.array, *folder.parts))
        for path, entry in self._entries.items():
            name = path.rpartition("/")[2]
            if PurePath(name).stem == inner and path == f"{above}/{name}":
                found[name] = entry.file.size
        return _media(found)

    def _not_read(self, path: str, why: str) -> None:
        self._unread.append(Finding(Name.NOT_AUDITED, path, why, self._mapping.name, fixable=False))


def _media(sizes: Mapping[str, int]) -> dict[str, int]:
    return {name: size for name, size in sizes.items() if findings.is_media(name)}
