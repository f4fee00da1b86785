"""What proves that a mapping's tiers are mounted, and are two."""

from __future__ import annotations

import os

from daemon.config import MappingSettings
from daemon.errors import AnchorMissing, TierUnavailable
from daemon.storage import tree
from daemon.storage.paths import OWN_FOLDER


def anchor_holds(mapping: MappingSettings) -> bool:
    """Say whether the array is mounted: its anchor file is there, or (without one) its root is not empty."""
    try:
        if mapping.anchor:
            os.stat(os.path.join(mapping.array, mapping.anchor))
            return True
        with os.scandir(mapping.array) as found:
            return any(item.name != OWN_FOLDER for item in found)
    except OSError:
        return False


def demand_anchor(mapping: MappingSettings) -> None:
    """Raise AnchorMissing unless the array is mounted."""
    if not anchor_holds(mapping):
        what = f"{mapping.anchor} is missing below {mapping.array}" if mapping.anchor else f"{mapping.array} is empty"
        raise AnchorMissing(f"{mapping.name}: {what}; is the array mounted?")


def demand_apart(mapping: MappingSettings) -> None:
    """Raise TierUnavailable if the array's path shows the cache's files: it would prove a copy by that copy itself."""
    with tree.own_folder(mapping.cache) as own:
        name = tree.temporary_name("probe")
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=own))
        try:
            if os.path.lexists(os.path.join(mapping.array, OWN_FOLDER, name)):
                raise TierUnavailable(
                    f"{mapping.name}: {mapping.array} shows the cache's own files; array must be the slow tier alone"
                )
        finally:
            os.unlink(name, dir_fd=own)
