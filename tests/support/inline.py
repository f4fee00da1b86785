"""An executor without threads: what it is given is done at once, by whoever gives it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class Inline(ThreadPoolExecutor):
    """Does each call where it is submitted; the first thing that is done is `prepare`."""

    def __init__(self, prepare: Callable[[], object] | None = None) -> None:
        super().__init__(1)
        if prepare:
            prepare()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do it; the future is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - whoever asks the future gets it
            future.set_exception(error)
        return future
