"""One file that is being copied, below the level of placements."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from daemon.storage.identity import Identity
from daemon.storage.mover import Copy, OpenFiles, Pace, in_slices
from daemon.storage.threads import Threads

CONTENT = os.urandom(3_000_000)


def slow() -> Pace:
    """Return a pace that gives 100 kB a slice, ten times a second."""
    return Pace(1_000_000)


class Job:
    """A source and a target that are being copied.

    A source is made of `content`, where that is given.
    """

    def __init__(
        self,
        root: Path,
        content: bytes | None = CONTENT,
        *,
        target: Path | None = None,
        checked: bool = False,
    ) -> None:
        self.source = root / "source"
        self.target = target or root / "target"
        if content is not None:
            self.source.write_bytes(content)
        source = os.open(self.source, os.O_RDONLY)
        self.files = OpenFiles(source, os.open(self.target, os.O_RDWR | os.O_CREAT, 0o600))
        self.identity = Identity.of(os.fstat(source))
        self.reserve = 0
        self.copy = Copy(
            self.files,
            str(self.source),
            self.identity,
            keep_free=lambda _total: self.reserve,
            checked=checked,
        )

    async def run(
        self,
        executor: ThreadPoolExecutor,
        *,
        pace: Pace | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> str:
        try:
            return await in_slices(Threads(executor), "TV", self.copy, pace=pace or Pace(0), progress=progress)
        finally:
            self.files.close()
