"""Something that comes in between two changes of the disks: an error, a cancel, the end of the process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from daemon.state.store import Connection, Store
from daemon.storage import linux
from tests.support.files import CHANGES

T = TypeVar("T")

_MORE = ("symlink", "replace", "ftruncate", "write")
_NAMING = frozenset({"link", "rename", "replace", "symlink", "unlink", "rmdir", "rename_new", "exchange"})
"""What can have been done although an error is answered, as network file systems have it."""


class Killed(BaseException):
    """The process ends here. What would still tidy up is not done any more."""


class Inline(ThreadPoolExecutor):
    """Runs everything at once and in the caller's thread, so that the n-th change is the same one each time."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - as every executor hands it on
            done.set_exception(error)
        return done


class Disturbance:
    """Comes in at the `nth` change of a disk or row, as `kind` says; `watch` is called before every change.

    ``error`` and ``error after`` answer `code`, the latter with the change done; ``cancel`` ends the work at its next
    wait, ``kill`` at once. ``rival copy`` (or another name) has somebody else take a name that is free.
    """

    def __init__(self) -> None:
        self.watch: Callable[[], None] | None = None
        self.dead = False
        self.lacking: frozenset[str] = frozenset()
        """Which of `linux.rename_new` and `linux.exchange` the file system does not have."""
        self.rival: Callable[[str], None] = lambda _which: None
        """Puts a file of its own where nothing stands: at the original's, the backup's or the copy's name."""
        self._kind = ""
        self._code = 0
        self._left = 0
        self._task: asyncio.Task[Any] | None = None

    @contextmanager
    def armed(self, kind: str, nth: int, code: int, watch: Callable[[], None]) -> Iterator[None]:
        """Have it come in meanwhile."""
        self._kind, self._left, self._code, self.watch = kind, nth, code, watch
        try:
            yield
        finally:
            self.watch = None
            self.dead = False

    def begin(self) -> None:
        """Take the running task for the one that a cancel is for."""
        self._task = asyncio.current_task()

    def change(self, name: str, function: Callable[[], T]) -> T:
        """Make a change, or have it disturbed."""
        if self.watch is None:
            return function()
        if self.dead:
            raise Killed
        self.watch()
        self._left -= 1
        if self._left == 0:
            return self._disturb(name, function)
        return function()

    def _disturb(self, name: str, function: Callable[[], T]) -> T:
        if self._kind == "kill":
            self.dead = True
            raise Killed
        if self._kind.startswith("rival"):
            watch, self.watch = self.watch, None
            self.rival(self._kind.removeprefix("rival "))
            self.watch = watch
        if self._kind == "cancel" and self._task:
            self._task.cancel()
        if self._kind == "error after" and name in _NAMING:
            function()
        if self._kind.startswith("error") and name != "row":
            raise OSError(self._code, os.strerror(self._code))
        return function()


class MortalStore(Store):
    """The real store, which ends with the process."""

    disturbance: Disturbance

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do it, if the process lives."""
        self.disturbance.change("row", lambda: None)
        return await super().run(work)


def close_files_below(root: Path) -> None:
    """Close what a killed process had open on the tiers, as its end does."""
    for link in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):
            if link.readlink().is_relative_to(root / "array") or link.readlink().is_relative_to(root / "cache"):
                os.close(int(link.name))


@contextmanager
def disturbed() -> Iterator[Disturbance]:
    """Have every change of a disk go through a disturbance meanwhile."""
    found = Disturbance()
    before: list[tuple[Any, str, Any]] = []

    def replace(module: Any, name: str, matters: Callable[[tuple[Any, ...]], Any] = lambda _: True) -> None:
        function = getattr(module, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            if name in found.lacking:
                return False
            if not matters(args):
                return function(*args, **kwargs)
            return found.change(name, lambda: function(*args, **kwargs))

        before.append((module, name, function))
        setattr(module, name, called)

    for name in (*CHANGES, *_MORE):
        replace(os, name)
    replace(os, "open", lambda args: args[1] & os.O_CREAT)
    replace(linux, "rename_new")
    replace(linux, "exchange")
    try:
        yield found
    finally:
        for module, name, function in reversed(before):
            setattr(module, name, function)
