"""Disks that lose their power: what the kernel has not written to them at that instant is gone.

The disks are parts of one image file, which lies on a file system that can copy a file in an instant. Such a copy
holds what all the disks had been given at one and the same moment, also in the midst of an fsync, while nobody is
stopped and no file system on them flushes anything for it. Whatever a disk was given it keeps: one that loses the
contents of its own write cache is not modelled.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from daemon.storage import linux
from tests.support.files import CHANGES

_MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-K"],
    "btrfs": ["mkfs.btrfs", "-q", "-f", "-K"],
}
_MEGABYTES = {"ext4": 64, "xfs": 304, "btrfs": 128}
"""Little more than the least that each of them accepts; the image is sparse."""
_FICLONE = 0x40049409
_SHARED = ("mount", "umount", "losetup")
_TRIES, _PAUSE = 5, 0.2


class Disks:
    """Mounted below `root` under their names, while `running` or `restarted`."""

    def __init__(self, folder: Path, kinds: Mapping[str, str]) -> None:
        self.root = folder / "root"
        self._store = folder / "store"
        self._image = self._store / "image"
        self._cuts = 0
        self._parts: dict[str, tuple[int, int]] = {}
        end = 0
        for name, kind in kinds.items():
            self._parts[name] = (end, _MEGABYTES[kind] << 20)
            end += _MEGABYTES[kind] << 20
            (self.root / name).mkdir(parents=True)
        with self._image.open("wb") as image:
            image.truncate(end)
        for name, kind in kinds.items():
            self._format(name, kind)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have the disks mounted."""
        with self._mounted(self._image):
            yield

    def cut(self) -> Path:
        """Return what the disks hold at this instant."""
        self._cuts += 1
        copy = self._store / f"cut-{self._cuts}"
        with self._image.open("rb") as source, copy.open("wb") as target:
            fcntl.ioctl(target, _FICLONE, source.fileno())
        return copy

    @contextmanager
    def restarted(self, cut: Path) -> Iterator[None]:
        """Have the disks mounted as they were left by a cut; the running ones must not be. Once for each cut."""
        with self._mounted(cut):
            yield
        cut.unlink()

    @contextmanager
    def _mounted(self, image: Path) -> Iterator[None]:
        with ExitStack() as stack:
            for name, (start, size) in self._parts.items():
                options = f"loop,offset={start},sizelimit={size}"
                _mount(stack, self.root / name, "-o", options, str(image))
            yield

    def _format(self, name: str, kind: str) -> None:
        start, size = self._parts[name]
        part = ["--offset", str(start), "--sizelimit", str(size), str(self._image)]
        device = _run("losetup", "--find", "--show", *part).strip()
        try:
            _run(*_MAKE[kind], device)
        finally:
            _run("losetup", "--detach", device)


@contextmanager
def disks(folder: Path, **kinds: str) -> Iterator[Disks]:
    """Make disks of these kinds (``ext4``, ``xfs``, ``btrfs``) below `folder`; nothing stays mounted."""
    with ExitStack() as stack:
        for name in ("memory", "store"):
            (folder / name).mkdir()
        try:
            _mount(stack, folder / "memory", "-t", "tmpfs", "-o", "size=2g", "none")
            outer = folder / "memory" / "outer"
            with outer.open("wb") as file:
                file.truncate(2 << 30)
            _run("mkfs.xfs", "-q", "-m", "reflink=1", str(outer))
            _mount(stack, folder / "store", "-o", "loop", str(outer))
            found = Disks(folder, kinds)
            with found.running():
                pass
        except subprocess.CalledProcessError:
            # What it printed names the folder of this one test, and with it no two skips would be the same.
            pytest.skip(f"cannot mount images of {', '.join(sorted(set(kinds.values())))} here")
        yield found


class EveryChange:
    """Does something before and after everything in Python that changes a disk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, act: Callable[[str], None]) -> None:
        self._act = act
        self._count = 0
        for name in {*CHANGES, "symlink"}:
            monkeypatch.setattr(os, name, self._told(name, getattr(os, name)))
        monkeypatch.setattr(os, "open", self._told("create", os.open, lambda args: args[1] & os.O_CREAT))
        for name in ("rename_new", "exchange"):
            monkeypatch.setattr(linux, name, self._told(name, getattr(linux, name)))

    def _told(
        self, name: str, function: Callable[..., Any], matters: Callable[[tuple[Any, ...]], Any] = lambda _: True
    ) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            if not matters(args):
                return function(*args, **kwargs)
            self._count += 1
            self._act(f"before change {self._count}, {name}")
            try:
                return function(*args, **kwargs)
            finally:
                self._act(f"after change {self._count}, {name}")

        return called


class Said:
    """The lines that a process has printed so far."""

    def __init__(self, output: IO[bytes]) -> None:
        os.set_blocking(output.fileno(), False)
        self._output = output
        self.text = b""

    def lines(self) -> int:
        while more := self._output.read(1 << 16):
            self.text += more
        return self.text.count(b"\n")


def _mount(stack: ExitStack, point: Path, *what: str) -> None:
    _run("mount", *what, str(point))
    stack.callback(_unmount, point)


def _unmount(point: Path) -> None:
    try:
        _run("umount", str(point))
    except subprocess.CalledProcessError:
        # Somebody still has a file open there, which is a fault, but nothing may be left behind.
        _run("umount", "--lazy", str(point))
        raise


def _run(*command: str) -> str:
    for _ in range(_TRIES):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if not done.returncode or command[0] not in _SHARED:
            break
        # Others take and give back loop devices too, and the kernel lets go of one only after it has said so.
        time.sleep(_PAUSE)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout
