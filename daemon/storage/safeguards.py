"""What is asked just before a name is changed; each raises where the answer is no. Everything here blocks."""

from __future__ import annotations

import os

from daemon.errors import Skipped, SourceChanged, TierUnavailable
from daemon.storage import tree
from daemon.storage.faults import translated
from daemon.storage.identity import Identity
from daemon.storage.names import give_name, is_being_written, same_file, sync
from daemon.storage.sites import Site, demand_cache_shown, demand_file_shown, demand_union
from daemon.storage.states import At, Seen, copy_at


def demand_unwritten(site: Site, name: str) -> None:
    """Raise SourceChanged while somebody writes to a file on the array: what comes later would not be on the cache."""
    descriptor = site.open_on_array(name)
    try:
        if is_being_written(descriptor):
            raise SourceChanged(f"{site.entry.file.array_path} is being written to")
    finally:
        os.close(descriptor)


def demand_unwritten_copy(site: Site) -> None:
    """Raise UnsafeEvict while somebody writes to the copy: what comes later would go into a file without a name."""
    with translated(site.entry.file.cache_path, gone=SourceChanged):
        descriptor = tree.open_file(site.root, site.parts)
        try:
            if is_being_written(descriptor):
                site.refuse("it is being changed on the cache; wait until nobody writes to it")
        finally:
            os.close(descriptor)


def demand_copy(site: Site, seen: Seen) -> os.stat_result:
    """Return the copy as it is; SourceChanged unless it still is what was seen."""
    copy = site.copy()
    if copy is None or copy_at(copy, site.entry) is not seen.copy:
        raise SourceChanged(f"{site.entry.file.cache_path} changed just now")
    return copy


def demand_leads(site: Site, name: str, folder: int) -> None:
    """Remove our link at a name, and raise Skipped, unless it leads to the copy, as far as that can be seen here."""
    if site.mapping.link_target:
        return
    try:
        leads = same_file(os.stat(name, dir_fd=folder), site.copy())
    except OSError:
        leads = False
    if not leads:
        os.unlink(name, dir_fd=folder)
        raise Skipped(
            f"{site.entry.file.array_path} cannot be replaced by a link: from there {site.entry.link} does not lead to "
            'the copy; a folder on the way is a link itself. Set link = "absolute"'
        )


def demand_proof(site: Site, seen: Seen, copy: os.stat_result, proof: Identity | None) -> None:
    """Open what makes the copy dispensable, and raise UnsafeEvict unless it is that.

    `copy` is the copy as it is. `proof` is what was read to prove a checksum, as it was then; it must not have changed
    since.
    """
    descriptor = site.open_on_array(site.proof(seen))
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    newer = seen.copy is At.NEWER
    wanted = (copy.st_size, copy.st_mtime_ns) if newer else (site.entry.file.size, site.entry.mtime_ns)
    if (found.st_size, found.st_mtime_ns) != wanted or proof not in (None, Identity.of(found)):
        site.refuse("the original is being changed; wait until nobody writes to it")


def demand_shown(site: Site, seen: Seen) -> None:
    """Raise TierUnavailable unless Plex reads the copy, and have it survive a power cut."""
    copy = demand_copy(site, seen)
    if seen.original is not At.LINK:
        demand_union(site.mapping, site.parts, copy.st_size, (copy.st_mtime_ns, site.entry.mtime_ns))
        # The original has the same size and time: only a file of ours tells that the cache is in the union at all.
        demand_cache_shown(site.mapping)
    settle_copy(site)
    demand_copy(site, seen)
    demand_unwritten_copy(site)


def demand_still_shown(site: Site, folder: int) -> None:
    """Undo the hiding of the original, and raise TierUnavailable, unless the union shows the file without it."""
    try:
        demand_file_shown(site.mapping, site.parts)
    except TierUnavailable:
        give_name(site.backup, site.name, old_folder=folder, new_folder=folder)
        raise


def settle_copy(site: Site) -> None:
    """Make the copy durable under its name: a kill may have come in just before that was done."""
    with translated(site.entry.file.cache_path, gone=TierUnavailable):
        descriptor = tree.open_file(site.root, site.parts)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with tree.folder(site.root, site.parts[:-1]) as folder:
            sync(folder)
