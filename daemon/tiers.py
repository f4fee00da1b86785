"""Whether the tiers of a mapping can be used as a whole. Everything here blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from daemon.config import MappingSettings
from daemon.errors import AnchorMissing, OndeckdError, StorageError, TierUnavailable
from daemon.storage import anchors, tree
from daemon.storage.faults import translated


class Tier(StrEnum):
    """One of the two tiers of a mapping."""

    ARRAY = "array"
    CACHE = "cache"

    def root(self, mapping: MappingSettings) -> str:
        """Return where this tier of a mapping is."""
        return mapping.array if self is Tier.ARRAY else mapping.cache

    def disk(self, mapping: MappingSettings) -> int:
        """Return which file system this tier of a mapping lies on; OSError if it is not there."""
        return Path(self.root(mapping)).stat().st_dev


def tier_of(mapping: MappingSettings, error: OndeckdError) -> Tier:
    """Return the tier that an error is about: the cache where it is not known."""
    if isinstance(error, AnchorMissing):
        return Tier.ARRAY
    path = error.path if isinstance(error, StorageError) else ""
    # Of two roots that lie in each other the longer one is meant.
    array, cache = (len(root) if _is_below(path, root) else 0 for root in (mapping.array, mapping.cache))
    return Tier.ARRAY if array > cache else Tier.CACHE


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root.rstrip('/')}/")


def demand_tiers(mapping: MappingSettings, used: bool, folder: str = "") -> None:
    """Raise what keeps every copy of a mapping from succeeding. `used`: the ledger has files on this cache.

    `folder`: one on the array in which nothing could be written. The array is asked whether it can be written only
    where there is one.
    """
    anchors.demand_anchor(mapping)
    with _probed(mapping, used) as name:
        if os.path.lexists(Path(mapping.array, name)):
            raise TierUnavailable(f"{mapping.array} shows the cache's files; it must be the slow tier alone")
        if mapping.union and not os.path.lexists(Path(mapping.union, name)):
            raise TierUnavailable(f"{mapping.union} does not show what lies on {mapping.cache}; is it mounted?")
    if folder:
        demand_writable(mapping, folder)


def demand_cache(mapping: MappingSettings, used: bool) -> None:
    """Raise TierUnavailable where nothing can be written to the cache; the array is not looked at."""
    with _probed(mapping, used):
        pass


@contextmanager
def _probed(mapping: MappingSettings, used: bool) -> Iterator[str]:
    """Have a file of ours on the cache meanwhile; gives its path from there."""
    if used and not tree.has_own_folder(mapping.cache):
        raise tree.not_our_cache(mapping.cache)
    with translated(mapping.cache, gone=TierUnavailable), tree.probe_file(mapping.cache) as name:
        yield name


def demand_writable(mapping: MappingSettings, folder: str) -> None:
    """Raise TierUnavailable where neither the array's root nor this folder of it may be written. Writes nothing."""
    may = os.W_OK | os.X_OK
    if not any(os.access(path, may, effective_ids=True) for path in (mapping.array, folder)):
        why = f"{mapping.array} cannot be written; mount it read-write, or let this user write it"
        raise TierUnavailable(why, path=mapping.array)
