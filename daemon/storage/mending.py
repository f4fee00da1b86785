"""The changes that only an audit makes. Each looks again first, and is one step that needs no recovery. All block."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

from daemon.config import MappingSettings
from daemon.errors import Skipped, SourceChanged, TierUnavailable, UnsafeEvict
from daemon.model import Entry, Goal
from daemon.storage import anchors, attributes, manifest, tree
from daemon.storage.faults import translated
from daemon.storage.names import give_name, identity_at, is_being_written, lstat, same_file, sync
from daemon.storage.proofs import Comparison
from daemon.storage.sites import Site
from daemon.storage.states import At, End, decide


def compare_backup(site: Site) -> Comparison:
    """Begin to compare a backup with the original that stands beside it."""
    with translated(site.entry.file.array_path):
        backup = site.open_on_array(site.backup)
        try:
            original = site.open_on_array(site.name)
        except OSError:
            os.close(backup)
            raise
        return Comparison(backup, original)


def twin_of(site: Site) -> tuple[str, ...]:
    """Return the path, below the array, of what holds a copy's content: the original, or else the backup."""
    with translated(site.entry.file.array_path), site.array_folder() as folder:
        found = lstat(site.name, folder)
    return (*site.parts[:-1], site.name if found and stat.S_ISREG(found.st_mode) else site.backup)


def compare_copy(site: Site, checked: bool) -> Comparison:
    """Begin to compare a copy with its twin on the array."""
    with translated(site.entry.file.cache_path):
        copy = tree.open_file(site.root, site.parts)
    try:
        with translated(site.entry.file.array_path):
            twin = site.open_on_array(twin_of(site)[-1])
    except BaseException:
        os.close(copy)
        raise
    return Comparison(copy, twin, checked=checked)


def drop_backup(site: Site, comparison: Comparison) -> None:
    """Delete a backup that was compared with its original, if both still are what was compared."""
    path = site.entry.file.array_path
    _demand_tiers(site.mapping)
    site.touched("change")
    with translated(path, gone=SourceChanged), tree.folder(site.mapping.array, site.parts[:-1]) as folder:
        found = identity_at(site.backup, folder), identity_at(site.name, folder)
        if found != comparison.identities():
            raise SourceChanged(f"{path} or its backup changed while the two were compared")
        os.unlink(site.backup, dir_fd=folder)
        sync(folder)


def rerecorded(site: Site, comparison: Comparison) -> Entry:
    """Note in the manifest, and return, the entry of a copy that was found to be the same as its twin."""
    copy, twin = comparison.identities()
    entry = site.entry
    own_time = 0 if copy.mtime_ns == twin.mtime_ns else copy.mtime_ns
    file = replace(entry.file, size=twin.size)
    entry = replace(entry, file=file, mtime_ns=twin.mtime_ns, copy_mtime_ns=own_time, checksum=comparison.checksum)
    manifest.record(site.root, entry)
    return entry


def adopt(site: Site, now: float) -> Entry:
    """Note in the manifest that a copy is ours from now on, if everything is as its entry says; return that."""
    entry = replace(site.entry, cached_at=now)
    path = entry.file.cache_path
    with translated(path):
        _demand_tiers(site.mapping)
        seen = site.look()
        settled = decide(entry.placement, Goal.CACHED, seen) == End(cached=True)
        kept = seen.original is At.RECORDED or not entry.keeps_original
        if not (settled and kept and seen.copy is At.RECORDED):
            raise SourceChanged(f"{path} or what stands for it on the array has changed")
        descriptor = tree.open_file(site.root, site.parts)
        try:
            if is_being_written(descriptor):
                raise SourceChanged(f"{path} is being written to")
        finally:
            os.close(descriptor)
        manifest.record(site.root, entry)
    return entry


def complete_name(mapping: MappingSettings, parts: tuple[str, ...], name: str) -> None:
    """Give a backup its full name, never over something."""
    path = "/".join((mapping.array, *parts))
    anchors.demand_anchor(mapping)
    with translated(path, gone=SourceChanged), tree.folder(mapping.array, parts[:-1]) as folder:
        found = lstat(parts[-1], folder)
        if found is None or not stat.S_ISREG(found.st_mode):
            raise SourceChanged(f"{path} is no longer there")
        try:
            give_name(parts[-1], name, old_folder=folder, new_folder=folder)
        except FileExistsError:
            if not same_file(found, lstat(name, folder)):
                raise UnsafeEvict(f"{path} stays: {name} is there already; compare the two by hand") from None
            # A kill came in between the second name and the end of the first.
            os.unlink(parts[-1], dir_fd=folder)
        sync(folder)


def give_owner(mapping: MappingSettings, parts: tuple[str, ...], twin: tuple[str, ...]) -> None:
    """Give what ondeckd made on the cache the owner, mode and ACL of its twin on the array."""
    path = "/".join((mapping.cache, *parts))
    _demand_tiers(mapping)
    with translated(path):
        source = tree.open_file(mapping.array, twin)
        try:
            target = tree.open_file(mapping.cache, parts)
            try:
                lost = {"owner", "mode"} & set(attributes.keep(source, target))
                os.fsync(target)
            finally:
                os.close(target)
        finally:
            os.close(source)
    if lost:
        raise Skipped(f"{path}: this file system, or this user, cannot set its {' and '.join(sorted(lost))}")


def _demand_tiers(mapping: MappingSettings) -> None:
    """Raise unless the array is mounted, and is another tier than the cache."""
    anchors.demand_anchor(mapping)
    with translated(mapping.cache, gone=TierUnavailable):
        anchors.demand_apart(mapping)
