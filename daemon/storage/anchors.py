"""What proves that a mapping's tiers are mounted, and are two."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from daemon.config import MappingSettings
from daemon.errors import AnchorMissing, TierUnavailable
from daemon.storage import tree
from daemon.storage.paths import OWN_FOLDER


def anchor_holds(mapping: MappingSettings) -> bool:
    """Say whether the array is mounted: its anchor file is there, or (without one) its root is not empty."""
    try:
        if mapping.anchor:
            Path(mapping.array, mapping.anchor).stat()
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
    """Raise TierUnavailable if the array's path shows the cache's files.

    Under such a path a copy would be proven by that copy itself.
    """
    try:
        with tree.probe_file(mapping.cache) as name:
            shown = os.path.lexists(Path(mapping.array, name))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        # A full cache must not keep us from emptying it; our folder is seen as well as a new file in it.
        shown = os.path.lexists(Path(mapping.array, OWN_FOLDER))
    if shown:
        raise TierUnavailable(
            f"{mapping.name}: {mapping.array} shows the cache's files; it must be the slow tier alone"
        )
