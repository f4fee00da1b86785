"""Two tiers in a temporary folder, and what can be done to them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.config import MappingSettings, TransferSettings
from daemon.model import Entry, File, Intent
from daemon.storage import linux
from daemon.storage.manifest import NAME as MANIFEST
from daemon.storage.paths import OWN_FOLDER, Mappings
from daemon.storage.placement import Placement

LONG_AGO = 1_400_000_000_123_456_789
"""A modification time with nanoseconds that no clock gives by itself."""


def mapping(root: Path, **settings: Any) -> MappingSettings:
    """Return a mapping whose tiers lie below `root`."""
    chosen = {"name": "TV", "plex": "/data/tv", "array": f"{root}/array", "cache": f"{root}/cache"} | settings
    return MappingSettings(**chosen)


class Tiers:
    """An array and a cache, and a placement between them."""

    def __init__(
        self,
        root: Path,
        executor: ThreadPoolExecutor,
        *,
        transfer: dict[str, Any] | None = None,
        keep_free: Callable[[int], int] = lambda _total: 0,
        **settings: Any,
    ) -> None:
        self.executor = executor
        self.array = root / "array"
        self.cache = root / "cache"
        self.array.mkdir(exist_ok=True)
        self.cache.mkdir(exist_ok=True)
        self.mapping = mapping(root, **settings)
        self.mappings = Mappings([self.mapping])
        self.touches: list[tuple[str, str]] = []
        self.when_touched: Callable[[str, str], None] = lambda _operation, _reason: None
        self.progress: list[tuple[int, int]] = []
        self.placement = Placement(
            self.mappings,
            TransferSettings(**(transfer or {})),
            executor,
            on_touch=self._touched,
            keep_free=keep_free,
            now=lambda: 1_700_000_000.0,
        )

    def _touched(self, operation: str, reason: str) -> None:
        self.touches.append((operation, reason))
        self.when_touched(operation, reason)

    def film(self, name: str = "Show/Season 1/e1.mkv", content: bytes = b"film", *, mtime_ns: int = LONG_AGO) -> File:
        """Put a file on the array and return it."""
        path = self.array / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(mtime_ns, mtime_ns))
        return self.file(name)

    def file(self, name: str) -> File:
        return self.mappings.resolve(f"/data/tv/{name}")

    async def cache_in(
        self, file: File, *, publishing: Callable[[Entry], Awaitable[None]] | None = None, **kwargs: Any
    ) -> list[Entry]:
        """Bring a file in. `publishing` is awaited with each entry just before its file gets its final name."""

        async def note(intent: Intent) -> None:
            if publishing and intent.step == "publish":
                await publishing(intent.entry)

        return await self.placement.cache_in(
            file, lambda done, total: self.progress.append((done, total)), note=note, **kwargs
        )

    def sweep(self) -> list[str]:
        return self.placement.sweep([self.mapping])

    def cached(self) -> dict[str, bytes]:
        """Return every file on the cache with its content, temporary ones included."""
        return _tree(self.cache)

    def on_array(self) -> dict[str, bytes]:
        return _tree(self.array)

    def folders(self) -> set[str]:
        """Return the folders on the cache, without our own."""
        found = {str(path.relative_to(self.cache)) for path in self.cache.rglob("*") if path.is_dir()}
        return found - {OWN_FOLDER}


def _tree(root: Path) -> dict[str, bytes]:
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    # The daemon's own record of what it placed is no media file.
    return {
        str(path.relative_to(root)): path.read_bytes() for path in files if path.parts[-2:] != (OWN_FOLDER, MANIFEST)
    }


@contextmanager
def threads(count: int = 4) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(count) as executor:
        yield executor


def open_descriptors() -> set[str]:
    """Return what this process holds open, to see that nothing leaks."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{link.name} {link.readlink()}")
        except FileNotFoundError:
            continue
    return found


CHANGES = (
    "copy_file_range",
    "fchmod",
    "fchown",
    "fsync",
    "link",
    "mkdir",
    "pwrite",
    "removexattr",
    "rename",
    "rmdir",
    "sendfile",
    "setxattr",
    "unlink",
    "utime",
)
"""The functions of `os` through which disks are changed, beside opening files and `rename_new`."""


class NthChange:
    """Does something at the n-th change that is made to a disk, and counts the changes."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, nth: int, act: Callable[[], None], *, after: bool = False
    ) -> None:
        self.count = 0
        self._nth = nth
        self._act = act
        self._after = after
        for name in CHANGES:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))
        monkeypatch.setattr(os, "open", self._counted(os.open, lambda args: args[1] & os.O_CREAT))
        monkeypatch.setattr(linux, "rename_new", self._counted(linux.rename_new))

    def _counted(
        self, function: Callable[..., Any], matters: Callable[[tuple[Any, ...]], Any] = lambda _: True
    ) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            if not matters(args):
                return function(*args, **kwargs)
            self.count += 1
            now = self.count == self._nth
            if now and not self._after:
                self._act()
            try:
                return function(*args, **kwargs)
            finally:
                if now and self._after:
                    self._act()

        return called
