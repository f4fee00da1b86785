"""Which file system a path lies on, by the kernel's table of mounts: no disk is asked, and none is woken."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_TABLE = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def file_systems(paths: Iterable[str], table: bytes | None = None) -> dict[str, str]:
    """Return for each absolute path the number of its file system; links on the way to it are not followed."""
    mounts: dict[str, str] = {}
    for line in (_TABLE.read_bytes() if table is None else table).splitlines():
        # Fields 3 and 5 of proc_pid_mountinfo(5): major:minor, and the mount point with octal escapes.
        fields = line.split()
        mounts[os.fsdecode(_ESCAPED.sub(_unescaped, fields[4]))] = fields[2].decode()
    points = {path: max((point for point in mounts if _is_below(path, point)), key=len, default="") for path in paths}
    return {path: mounts.get(point, "") for path, point in points.items()}


def _unescaped(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8)])


def _is_below(path: str, point: str) -> bool:
    return point in {"/", path} or path.startswith(f"{point}/")
