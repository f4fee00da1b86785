"""The bytes: from one open file to another, slice by slice, without filling the page cache."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from daemon.errors import NoSpace, SourceChanged, SourceMissing
from daemon.storage import linux, ways
from daemon.storage.holes import Holes
from daemon.storage.identity import Identity
from daemon.storage.threads import Threads

SLICE = 0.1
"""Seconds that one slice takes: the unit of progress, of cancelling, and of slowing down."""
_SMALLEST = 1 << 20
_LARGEST = 8 << 20
"""Bytes in a window, after which what is written is dropped from memory. Larger windows were slower."""


class OpenFiles:
    """Open files that threads share. `close` waits for nobody: the last thread that uses them closes them."""

    def __init__(self, *descriptors: int) -> None:
        self._descriptors = descriptors
        self._lock = threading.Lock()
        self._users = 0
        self.closed = False

    @contextmanager
    def borrowed(self) -> Iterator[tuple[int, ...]]:
        """Keep all of them open meanwhile. SourceMissing once they are closed."""
        with self._lock:
            if self.closed:
                raise SourceMissing("the copy was given up")
            self._users += 1
        try:
            yield self._descriptors
        finally:
            with self._lock:
                self._users -= 1
                self._release()

    def close(self) -> None:
        """Close them now, or when the last thread leaves them."""
        with self._lock:
            if not self.closed:
                self.closed = True
                self._release()

    def _release(self) -> None:
        if self.closed and self._users == 0:
            for descriptor in self._descriptors:
                os.close(descriptor)


class Pace:
    """How fast copies may go: together `rate` bytes a second (0: no limit), at half speed while `busy`."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._free_at = 0.0

    @property
    def most(self) -> int | None:
        """Return how many bytes a slice may have, so that the rate holds from one slice to the next."""
        return max(64 << 10, int(self._rate * SLICE)) if self._rate else None

    async def rest(self, count: int, took: float, *, busy: bool) -> None:
        """Wait as long as a slice of `count` bytes that took `took` seconds has to be made up for."""
        now = time.monotonic()
        wait = took if busy else 0.0
        if self._rate:
            self._free_at = max(self._free_at, now - took) + count / self._rate
            wait = max(wait, self._free_at - now)
        if wait > 0:
            await asyncio.sleep(wait)


async def in_slices(
    threads: Threads,
    mapping: str,
    work: Copy | Reading,
    *,
    pace: Pace,
    busy: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda _done: None,
) -> str:
    """Do all of `work`; `progress` hears the bytes done after each. Return the checksum, if there is one."""
    while not work.complete:
        before, began = work.moved, time.monotonic()
        await threads.slice(mapping, work.step, pace.most)
        progress(work.done)
        await pace.rest(work.moved - before, time.monotonic() - began, busy=busy())
    return work.checksum


class Copy:
    """One file's bytes, its holes left out. `step` blocks and is called by one thread at a time.

    The source (named `path` in errors) must stay what `identity` says, and the target's file system must keep
    `keep_free(total)` bytes free; both are looked at before every slice. The target must be empty. `checked`
    makes a checksum in the pass.
    """

    def __init__(
        self,
        files: OpenFiles,
        path: str,
        identity: Identity,
        *,
        keep_free: Callable[[int], int],
        checked: bool,
    ) -> None:
        self._files = files
        self._path = path
        self._identity = identity
        self._keep_free = keep_free
        self._holes = Holes(identity.size)
        self._window = _SMALLEST
        self._leap = _LARGEST
        self._kept = 0
        self._written: tuple[int, int] | None = None
        self._memory = ways.Memory(with_checksum=checked)
        in_memory = self._memory.move
        self._ways = [in_memory] if checked else [ways.copy_file_range, ways.sendfile, in_memory]
        self._skip = self._memory.skip if checked else ways.extend
        self.done = 0
        """Bytes of the file that the target has, holes among them."""
        self.moved = 0
        """Bytes that had to be moved for that."""

    @property
    def complete(self) -> bool:
        """Say whether all bytes are there."""
        return self.done == self._identity.size

    @property
    def checksum(self) -> str:
        """Return the checksum of the bytes so far; empty if none was asked for."""
        return self._memory.checksum

    def step(self, most: int | None = None) -> None:
        """Copy for about `SLICE` seconds, moving at most `most` bytes."""
        end = time.monotonic() + SLICE
        stop = self.moved + (most or self._identity.size)
        with self._files.borrowed() as (source, target):
            self._demand_unchanged(source)
            self._demand_room(target)
            while not self.complete and self.moved < stop and time.monotonic() < end and not self._files.closed:
                begin_data, end_data = self._holes.next_data(source, self.done)
                if self.done < begin_data:
                    self._pass_hole(source, target, begin_data - self.done)
                else:
                    self._pass_data(source, target, min(stop - self.moved, end_data - self.done))
                # A file with more holes than bytes would be waited for at each of them.
                if self.complete or self.done - self._kept >= self._window:
                    self._drop_behind(source, target)
            if self.complete:
                # A file that was cut off may look as if it ended in a hole.
                self._demand_unchanged(source)

    def _demand_unchanged(self, source: int) -> None:
        found = os.fstat(source)
        if found.st_nlink == 0 and _is_missing(self._path):
            raise SourceMissing(f"{self._path} was deleted while it was copied")
        if found.st_nlink == 0 or Identity.of(found) != self._identity:
            raise SourceChanged(f"{self._path} changed while it was copied")

    def _demand_room(self, target: int) -> None:
        found = os.fstatvfs(target)
        free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
        if free < self._keep_free(total):
            raise NoSpace(f"{self._path}: only {free} bytes are left where it is copied to")

    def _pass_hole(self, source: int, target: int, length: int) -> None:
        began = time.monotonic()
        skipped = self._skip(source, target, self.done, min(self._leap, length))
        if skipped == 0:
            raise self._ended_early()
        self.done += skipped
        self._leap = _adapted(self._leap, time.monotonic() - began)

    def _pass_data(self, source: int, target: int, length: int) -> None:
        began = time.monotonic()
        self._move(source, target, min(self._window, length))
        self._window = min(_LARGEST, _adapted(self._window, time.monotonic() - began))

    def _move(self, source: int, target: int, count: int) -> None:
        end = self.done + count
        while self.done < end:
            try:
                moved = self._ways[0](source, target, self.done, end - self.done)
            except OSError as error:
                if error.errno not in ways.NOT_HERE or len(self._ways) == 1:
                    raise
                moved = 0
            self.done += moved
            self.moved += moved
            # Some file systems answer 0 to copy_file_range though there is more; reading tells the truth.
            if moved == 0 and len(self._ways) == 1:
                raise self._ended_early()
            if moved == 0:
                del self._ways[0]

    def _ended_early(self) -> SourceChanged:
        return SourceChanged(f"{self._path} ended early while it was copied")

    def _drop_behind(self, source: int, target: int) -> None:
        offset, count = self._kept, self.done - self._kept
        os.posix_fadvise(source, offset, count, os.POSIX_FADV_DONTNEED)
        linux.start_writing(target, offset, count)
        if self._written:
            linux.wait_written(target, *self._written)
            os.posix_fadvise(target, *self._written, os.POSIX_FADV_DONTNEED)
        self._written = (offset, count)
        self._kept = self.done


def _adapted(window: int, took: float) -> int:
    """Return how many bytes to take next time, after so many took so many seconds."""
    if took > SLICE:
        return max(_SMALLEST, window // 2)
    return window * 2 if took < SLICE / 2 else window


def _is_missing(path: str) -> bool:
    try:
        os.lstat(path)
    except OSError as error:
        # Where it cannot be told the file counts as changed, which is tried again.
        return error.errno in (errno.ENOENT, errno.ENOTDIR)
    return False


class Reading:
    """The checksum of the `index`-th of some open files, read from the disk.

    `step` blocks and is called by one thread at a time.
    """

    def __init__(self, files: OpenFiles, size: int, index: int) -> None:
        self._files = files
        self._size = size
        self._index = index
        self._memory = ways.Memory(with_checksum=True)
        self.done = 0

    @property
    def moved(self) -> int:
        """Return how many bytes were read."""
        return self.done

    @property
    def complete(self) -> bool:
        """Say whether the end is reached."""
        return self.done == self._size

    @property
    def checksum(self) -> str:
        """Return the checksum of the bytes so far."""
        return self._memory.checksum

    def step(self, most: int | None = None) -> None:
        """Read for about `SLICE` seconds, at most `most` bytes."""
        end = time.monotonic() + SLICE
        stop = min(self._size, self.done + (most or self._size))
        with self._files.borrowed() as descriptors:
            file = descriptors[self._index]
            if self.done == 0:
                # What is still in memory says nothing about what the disk has.
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            while self.done < stop and time.monotonic() < end and not self._files.closed:
                count = len(self._memory.read(file, self.done, stop - self.done))
                if count == 0:
                    raise SourceChanged("the file ended early")
                os.posix_fadvise(file, self.done, count, os.POSIX_FADV_DONTNEED)
                self.done += count
