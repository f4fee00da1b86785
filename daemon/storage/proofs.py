"""What an audit proves before it acts: that two files have the same bytes, now."""

from __future__ import annotations

import os
import time

from daemon.errors import SourceChanged
from daemon.storage.identity import Identity
from daemon.storage.mover import OpenFiles
from daemon.storage.ways import BUFFER, Memory

_SLICE = 0.1


class Comparison:
    """Reads two open files side by side, and takes them over: `close` them. `step` blocks for a moment.

    `checked`: make a checksum of the first in the pass.
    """

    def __init__(self, one: int, other: int, *, checked: bool = False) -> None:
        self._files = OpenFiles(one, other)
        self._before = Identity.of(os.fstat(one)), Identity.of(os.fstat(other))
        self._first, self._second = Memory(with_checksum=checked), Memory(with_checksum=False)
        self._done = 0
        self.equal = self._before[0].size == self._before[1].size
        """Whether no difference was found so far."""

    @property
    def complete(self) -> bool:
        """Say whether there is nothing more to read."""
        return not self.equal or self._done == self._before[0].size

    @property
    def checksum(self) -> str:
        """Return the first file's checksum, if one was asked for and all of it was read."""
        return self._first.checksum

    def step(self) -> None:
        """Read on. SourceChanged if either file is another than it was at the beginning."""
        end = time.monotonic() + _SLICE
        with self._files.borrowed() as (one, other):
            while not self.complete and time.monotonic() < end and not self._files.closed:
                first = self._first.read(one, self._done, BUFFER)
                second = self._second.read(other, self._done, len(first))
                self.equal = len(first) > 0 and first.tobytes() == second.tobytes()
                for file in (one, other):
                    os.posix_fadvise(file, self._done, len(first), os.POSIX_FADV_DONTNEED)
                self._done += len(first)
            self._demand_unchanged(one, other)

    def identities(self) -> tuple[Identity, Identity]:
        """Return both files as they were at the beginning, and still are. SourceChanged otherwise."""
        with self._files.borrowed() as (one, other):
            self._demand_unchanged(one, other)
        return self._before

    def close(self) -> None:
        """Close both files."""
        self._files.close()

    def _demand_unchanged(self, one: int, other: int) -> None:
        if self._before != (Identity.of(os.fstat(one)), Identity.of(os.fstat(other))):
            raise SourceChanged("a file changed while it was compared")
