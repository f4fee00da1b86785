"""Where a sparse file has bytes, and where it has none."""

from __future__ import annotations

import errno
import os

_UNKNOWN = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
_BLOCK = 512
"""Bytes in what `st_blocks` counts, on every file system."""


class Holes:
    """The holes of a file of `size` bytes, asked for as a copy comes by.

    A file system that does not know of holes has none.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._data = (0, 0)

    def next_data(self, file: int, offset: int) -> tuple[int, int]:
        """Return where the next bytes at or after `offset` begin and end; both are the size if none follow."""
        if offset >= self._data[1]:
            self._data = self._find(file, offset)
        return self._data

    def _find(self, file: int, offset: int) -> tuple[int, int]:
        # Most films have none, and what is not asked cannot be answered wrongly.
        if os.fstat(file).st_blocks * _BLOCK >= self._size:
            return offset, self._size
        try:
            begin = min(max(offset, os.lseek(file, offset, os.SEEK_DATA)), self._size)
            end = min(os.lseek(file, begin, os.SEEK_HOLE), self._size)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return self._size, self._size
            if error.errno in _UNKNOWN:
                return offset, self._size
            raise
        # While others write there, the two answers need not agree.
        return begin, end if end > begin else self._size
