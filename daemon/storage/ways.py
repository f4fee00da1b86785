"""The ways that bytes can take from one open file to the same place in another, and around holes."""

from __future__ import annotations

import errno
import hashlib
import os

BUFFER = 1 << 20
NOT_HERE = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})
"""Errors by which a file system says that it does not go this way."""
_HASH = "blake2b"


class Memory:
    """The way through a buffer of ours: works everywhere, and is the only one that a checksum can take."""

    def __init__(self, *, with_checksum: bool) -> None:
        self._buffer: memoryview | None = None
        self._hash = hashlib.new(_HASH) if with_checksum else None

    @property
    def checksum(self) -> str:
        """Return the checksum of what was read so far; empty if none was asked for."""
        return f"{_HASH}:{self._hash.hexdigest()}" if self._hash else ""

    def read(self, source: int, offset: int, count: int) -> memoryview:
        """Read up to `count` bytes; what is returned is overwritten by the next call."""
        self._buffer = self._buffer or memoryview(bytearray(BUFFER))
        found = self._buffer[: os.preadv(source, [self._buffer[: min(count, BUFFER)]], offset)]
        if self._hash:
            self._hash.update(found)
        return found

    def move(self, source: int, target: int, offset: int, count: int) -> int:
        """Copy up to `count` bytes; return how many."""
        return _write(target, self.read(source, offset, count), offset)

    def skip(self, source: int, target: int, offset: int, count: int) -> int:
        """Copy up to `count` bytes of what is said to be a hole; return how many.

        They are read for the checksum, and so a file system that is wrong about its holes is found out.
        """
        found = self.read(source, offset, count)
        if found.tobytes() == bytes(len(found)):
            return extend(source, target, offset, len(found))
        return _write(target, found, offset)


def _write(target: int, content: memoryview, offset: int) -> int:
    written = 0
    while written < len(content):
        written += os.pwrite(target, content[written:], offset + written)
    return written


def copy_file_range(source: int, target: int, offset: int, count: int) -> int:
    """Have the file system copy up to `count` bytes; return how many."""
    return os.copy_file_range(source, target, count, offset, offset)


def sendfile(source: int, target: int, offset: int, count: int) -> int:
    """Have the kernel copy up to `count` bytes; return how many."""
    os.lseek(target, offset, os.SEEK_SET)
    return os.sendfile(target, source, offset, count)


def extend(_source: int, target: int, offset: int, count: int) -> int:
    """Let a target that ends at `offset` have up to `count` zeros more, unwritten if it can; return how many."""
    try:
        # A file system without holes may write the zeros in this very call, so `count` must not be all of them.
        os.ftruncate(target, offset + count)
    except OSError as error:
        if error.errno not in NOT_HERE:
            raise
        return _write(target, memoryview(bytes(min(count, BUFFER))), offset)
    return count
