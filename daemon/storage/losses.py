"""Files of which nothing is left on either tier."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from daemon.config import MappingSettings
from daemon.errors import UnmappedPath
from daemon.storage import anchors, tree
from daemon.storage.paths import Mappings, parts_below
from daemon.storage.states import BACKUP_SUFFIX
from daemon.storage.strays import led_to, lost_behind_link


def lost(array_path: str, cache_path: str, mapping: MappingSettings) -> str:
    """Return why a file whose original was put aside is nowhere; empty if it is, or nobody can tell. Blocks."""
    if not (anchors.anchor_holds(mapping) and tree.has_own_folder(mapping.cache)):
        return ""
    if os.path.lexists(cache_path) or os.path.lexists(array_path + BACKUP_SUFFIX):
        return ""
    try:
        below = "/".join(parts_below(array_path, mapping.array))
        leads = led_to(str(Path(array_path).readlink()), below, mapping) is not None
    except FileNotFoundError:
        return "its original and its copy are both gone; get the file anew"
    except (OSError, UnmappedPath):
        return ""
    return lost_behind_link(Path(array_path).name) if leads else ""


def all_lost(pairs: Iterable[tuple[str, str]], mappings: Mappings) -> dict[str, str]:
    """Return what `lost` says, by array path, of those of these array and cache paths that are nowhere. Blocks."""
    found = {}
    for array_path, cache_path in pairs:
        with suppress(OSError, UnmappedPath):
            found[array_path] = lost(array_path, cache_path, mappings.by_name(mappings.from_local(array_path).mapping))
    return {path: why for path, why in found.items() if why}


def caches_lost(array_paths: Iterable[str], mappings: Mappings) -> list[str]:
    """Return what to do about each cache that is gone, of those of these files. Blocks."""
    caches: dict[str, None] = {}
    for path in array_paths:
        with suppress(UnmappedPath):
            caches[mappings.by_name(mappings.from_local(path).mapping).cache] = None
    return [
        f"{cache} is not the cache it was; if it is lost, stop the daemon, if one runs, and run `ondeckd restore "
        "--offline`: it gives the originals that were put aside their names back"
        for cache in caches
        if not _has_own_folder(cache)
    ]


def _has_own_folder(cache: str) -> bool:
    try:
        return tree.has_own_folder(cache)
    except OSError:
        return False
