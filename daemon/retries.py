"""What fails, and when each of it is tried again: sooner than the schedule says, and ever less often. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

Key = TypeVar("Key")

FIRST_WAIT, LONGEST_WAIT = 60.0, 900.0


@dataclass(frozen=True, slots=True)
class _Failure:
    problem: str
    wait: float
    due: float | None


class Retries(Generic[Key]):
    """Remembers it by key. What one of them asks for puts off none of the others."""

    def __init__(self) -> None:
        self._failing: dict[Key, _Failure] = {}

    @property
    def next(self) -> float | None:
        """When the first is to be tried again; None: nothing is."""
        return min((one.due for one in self._failing.values() if one.due is not None), default=None)

    def failed(self, key: Key, problem: str, now: float, *, again: bool, after: float = 0.0) -> bool:
        """Take note of a failure; return whether it is another than last time.

        `again`: it may be otherwise before long, but not before `after` seconds are over.
        """
        before = self._failing.get(key)
        wait = FIRST_WAIT if before is None else min(LONGEST_WAIT, before.wait * 2)
        self._failing[key] = _Failure(problem, wait, now + max(wait, after) if again else None)
        return before is None or before.problem != problem

    def worked(self, key: Key) -> bool:
        """Take note of a success; return whether it failed before."""
        return self._failing.pop(key, None) is not None

    def take(self, now: float) -> set[Key]:
        """Return what is to be tried again by now. None of it is named again before it has failed again."""
        due = {key for key, one in self._failing.items() if one.due is not None and one.due <= now}
        for key in due:
            self._failing[key] = replace(self._failing[key], due=None)
        return due

    def forget_all_but(self, keys: Collection[Key]) -> None:
        """Drop what is not read any more."""
        self._failing = {key: one for key, one in self._failing.items() if key in keys}
