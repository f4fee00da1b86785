"""The threads for all file work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from daemon.config import Settings

MOST_WORKERS = 2 * 32
"""As many as ``transfer.to_cache`` and ``transfer.to_array`` may ask for: a reload must find its threads."""
_THREADS_PER_WORKER = 2
_THREADS_PER_MAPPING = 4


def executor_for(settings: Settings) -> ThreadPoolExecutor:
    """Return threads for all file work: enough that a hanging disk leaves some for the others.

    Each is made when it is needed first, so most of them never are.
    """
    size = _THREADS_PER_WORKER * MOST_WORKERS + _THREADS_PER_MAPPING * max(1, len(settings.mapping))
    return ThreadPoolExecutor(size, "files")
