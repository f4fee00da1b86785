"""Who there is, as far as plex.tv says so before long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace

from daemon.model import Person


@dataclass(frozen=True, slots=True)
class Census:
    """Who there is, and why that may not be the whole truth now (empty: it is); `again`: it soon may be.

    `new`: it has been asked for just now.
    """

    people: Sequence[Person] = ()
    problem: str = ""
    again: bool = False
    new: bool = True


class Counting:
    """Asks `people`, for `patience` seconds at most; who was there last counts meanwhile.

    What comes later is `heard` of, and is the next answer. It is waited for within `group`, which has to be set before.
    """

    group: asyncio.TaskGroup

    def __init__(
        self, people: Callable[[], Coroutine[None, None, Census]], patience: float, heard: Callable[[], None]
    ) -> None:
        self._people = people
        self._patience = patience
        self._heard = heard
        self._last = Census(problem="it is not known yet who there is", new=False)
        self._asking: asyncio.Task[Census] | None = None

    async def count(self) -> Census:
        """Return who there is."""
        first = self._asking is None
        asking = self._asking = self._asking or self.group.create_task(self._people())
        done, _ = await asyncio.wait({asking}, timeout=self._patience if first else 0.0)
        if done:
            self._asking = None
            self._last = replace(asking.result(), new=True)
            return self._last
        if first:
            asking.add_done_callback(lambda _: self._heard())
        return replace(self._last, problem=self._last.problem or "it is being asked for", new=False)
