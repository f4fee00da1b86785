"""The threads for all file work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from daemon.config import Settings

_THREADS_PER_WORKER = 2
_THREADS_PER_MAPPING = 4


def executor_for(settings: Settings) -> ThreadPoolExecutor:
    """Return threads for all file work: enough that a hanging disk leaves some for the others."""
    workers = settings.transfer.to_cache + settings.transfer.to_array
    size = _THREADS_PER_WORKER * workers + _THREADS_PER_MAPPING * max(1, len(settings.mapping))
    return ThreadPoolExecutor(size, "files")
