"""How far running copies are. Kept in memory: a copy that is interrupted starts anew anyway."""

from __future__ import annotations

from collections.abc import Callable

from daemon.feed import Feed
from daemon.model import Task, TaskKind


class Progress:
    """Bytes done of each running task, told to the feed as they come."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._running: dict[int, tuple[Task, int, int]] = {}

    def reporter(self, task: Task) -> Callable[[int, int], None]:
        """Return the function that the copy of `task` calls with bytes done and bytes in all."""
        self._running[task.id] = (task, 0, task.file.size)

        def report(done: int, total: int) -> None:
            self._running[task.id] = (task, done, total)
            self._feed.publish("progress", {"id": task.id, "bytes_done": done, "bytes_total": total})

        return report

    def forget(self, task_id: int) -> None:
        """Drop a task that has ended."""
        self._running.pop(task_id, None)

    def of(self, task_id: int) -> tuple[int, int] | None:
        """Return bytes done and bytes in all of a running task."""
        found = self._running.get(task_id)
        return found and found[1:]

    def copying(self) -> dict[str, int]:
        """Return the bytes that each running copy has still to write, by array path."""
        return {
            task.file.array_path: max(0, total - done)
            for task, done, total in self._running.values()
            if task.kind is TaskKind.CACHE_IN
        }
