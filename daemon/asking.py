"""Blocking questions to file systems, asked without ever waiting long for one that hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_PATIENCE = 5.0
"""Seconds after which a file system counts as not answering."""


class Asker:
    """Asks in `executor`. A question that hangs costs one thread, however often it is asked again."""

    def __init__(self, executor: Executor, *, patience: float = _PATIENCE) -> None:
        self._executor = executor
        self._patience = patience
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._hanging: set[str] = set()

    @property
    def hangs(self) -> bool:
        """Whether a question hangs now."""
        return any(not self._asked[name].done() for name in self._hanging)

    async def ask(self, name: str, call: Callable[[*Ts], T], *args: *Ts) -> T:
        """Return what `call` returns; TimeoutError if it hangs, at once where the last of this `name` still does."""
        answer = self._asked.get(name)
        if answer is None or answer.done():
            self._hanging.discard(name)
            answer = asyncio.get_running_loop().run_in_executor(self._executor, call, *args)
            self._asked[name] = answer
        elif name in self._hanging:
            raise TimeoutError
        try:
            async with asyncio.timeout(self._patience):
                found: T = await asyncio.shield(answer)
                return found
        except TimeoutError:
            self._hanging.add(name)
            raise
