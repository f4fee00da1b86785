"""How much room a cache has. The array's is nobody's business here."""

from __future__ import annotations

import os
from pathlib import Path


def room(cache_root: str) -> tuple[str, int, int]:
    """Return an id of the file system below `cache_root`, its size, and what is free on it for us; in bytes.

    OSError where it cannot be measured.
    """
    device = Path(cache_root).stat().st_dev
    found = os.statvfs(cache_root)
    return str(device), found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
