"""Real file systems of other kinds, each in an image of its own, mounted while a test uses it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

_MAKE = {
    "vfat": ["mkfs.vfat"],
    "fusefat": ["mkfs.vfat"],
    "exfat": ["mkfs.exfat"],
    "casefold": ["mkfs.ext4", "-q", "-O", "casefold"],
}


@contextmanager
def disk(kind: str, point: Path, *, megabytes: int = 64) -> Iterator[Path]:
    """Have a file system of this kind at the folder `point`; skip the test where this machine has none.

    ``vfat``; ``fusefat``, the same without the kernel's help; ``exfat``, likewise; ``casefold``: ext4 with a
    root in which upper and lower case are one.
    """
    image = point.with_name(f"{point.name}.{kind}")
    image.touch()
    with image.open("r+b") as file:
        file.truncate(megabytes << 20)
    with ExitStack() as stack:
        stack.callback(image.unlink)
        _run(kind, [*_MAKE[kind], str(image)])
        if kind == "fusefat":
            _run(kind, ["fusefat", "-o", "rw+", str(image), str(point)])
        else:
            device = _run(kind, ["losetup", "--find", "--show", str(image)]).strip()
            stack.callback(subprocess.run, ["losetup", "--detach", device], check=True)
            mount = ["mount.exfat-fuse"] if kind == "exfat" else ["mount"]
            _run(kind, [*mount, device, str(point)])
        stack.callback(subprocess.run, ["umount", str(point)], check=True)
        if kind == "casefold":
            (point / "lost+found").rmdir()
            _run(kind, ["chattr", "+F", str(point)])
        yield point


def _run(kind: str, command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip(f"needs {command[0]}")
    except subprocess.CalledProcessError:
        # What it printed names the folder of this one test, and with it no two skips would be the same.
        pytest.skip(f"{command[0]} cannot do it here; is the kernel built with {kind}?")
    return done.stdout
