"""What Unraid says of its disks without waking them.

Its management writes what it knows of each disk to a file in memory: a section such as ``["disk1"]`` with lines such
as ``type="Data"``, ``status="DISK_OK"`` and ``spundown="1"``; a slot without a disk has the status ``DISK_NP``. Seen in
the states that the project unraid/api keeps for its development, and in the pages of unraid/webgui.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

DISKS = Path("/var/local/emhttp/disks.ini")

_SECTION = re.compile(r'\["?([^"\]]+)"?\]')
_VALUE = re.compile(r'(\w+)="?([^"]*)"?')
_ROOT = PurePosixPath("/mnt")
_EVERY_DISK = {"user", "user0"}
"""The views that merge all disks; which of them has a file they do not tell."""


def read_spinning(path: Path = DISKS) -> dict[str, bool] | None:
    """Return by name which of Unraid's data disks and pools spin; None where this is no Unraid (blocking)."""
    try:
        return spinning(path.read_text(errors="replace"))
    except OSError:
        return None


def spinning(text: str) -> dict[str, bool]:
    """Return by name which disks of the array, and which pools, spin, as the file says it."""
    found: dict[str, bool] = {}
    for name, disk in _sections(text):
        if disk.get("type") not in {"Data", "Cache"} or disk.get("spundown") not in {"0", "1"}:
            continue
        if disk.get("status", "").startswith("DISK_NP") or disk.get("rotational") == "0":
            continue
        # The members of a pool are numbered after its name from 2 on; the pool is awake if any of them is.
        pool = name.rstrip("0123456789") if disk["type"] == "Cache" else name
        found[pool] = found.get(pool, False) or disk["spundown"] == "0"
    return found


def spins(disks: Mapping[str, bool], root: str) -> bool | None:
    """Say whether the disks below an array's root spin; None where Unraid does not say. Looks at nothing.

    In a view of all disks, any that spins counts.
    """
    path = PurePosixPath(root)
    if path == _ROOT or not path.is_relative_to(_ROOT):
        return None
    view = path.relative_to(_ROOT).parts[0]
    if view in _EVERY_DISK:
        ours = [awake for name, awake in disks.items() if re.fullmatch(r"disk\d+", name)]
        return any(ours) if ours else None
    return disks.get(view)


def _sections(text: str) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    for line in text.splitlines():
        if section := _SECTION.fullmatch(line.strip()):
            found.append((section[1], {}))
        elif found and (value := _VALUE.fullmatch(line.strip())):
            found[-1][1][value[1]] = value[2]
    return found
