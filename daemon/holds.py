"""Mappings whose tasks wait because a whole tier cannot be used now: not mounted, not writable, full."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from daemon.asking import Asker
from daemon.bell import Bell
from daemon.clock import Clock
from daemon.config import MappingSettings
from daemon.errors import (
    AnchorMissing,
    NoSpace,
    OndeckdError,
    SourceMissing,
    StorageError,
    TierUnavailable,
    UnmappedPath,
)
from daemon.live import Live
from daemon.model import TaskKind, TaskState
from daemon.state import ledger, tasks
from daemon.state.store import Store
from daemon.storage import anchors, tree
from daemon.storage.faults import translated

log = structlog.get_logger()

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_SECONDS = 30.0
"""How often it is looked whether a mapping works again."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a mapping is held, and (for lack of space) until when; then one task tries again."""

    kind: type[OndeckdError]
    why: str
    until: float


class Holds:
    """One line when a mapping is held and one when it works again, however many files are concerned.

    `bell` wakes the workers.
    """

    def __init__(self, live: Live, store: Store, clock: Clock, asker: Asker, bell: Bell) -> None:
        self._live = live
        self._store = store
        self._clock = clock
        self._asker = asker
        self._bell = bell
        self._holds: dict[str, Hold] = {}

    async def blame(self, mapping: str, error: OndeckdError) -> bool:
        """Hold the mapping if a tier of it is what failed; say whether that is so. If not, it is the one file."""
        cause: OndeckdError | None = error
        if isinstance(error, TierUnavailable | SourceMissing):
            cause = await self._trouble(mapping)
        elif not isinstance(error, NoSpace | AnchorMissing):
            return False
        if cause is None:
            return False
        known = mapping in self._holds
        why = str(cause).removeprefix(f"{mapping}: ")
        self._holds[mapping] = Hold(type(cause), why, self._clock.now() + _SECONDS)
        if not known:
            log.log(LEVELS[cause.level], "mapping_held", mapping=mapping, why=why)
            self._bell.ring()
        return True

    def succeeded(self, mapping: str) -> None:
        """Note that a task of the mapping has succeeded."""
        hold = self._holds.get(mapping)
        if hold is None or hold.kind is not NoSpace:
            self.release(mapping)
            return
        # A small file may fit where a large one does not: the next may try, and all is well when none waits any more.
        self._holds[mapping] = replace(hold, until=self._clock.now())
        self._bell.ring()

    def release(self, mapping: str) -> None:
        """Note that the mapping works again."""
        if self._holds.pop(mapping, None):
            log.info("mapping_released", mapping=mapping)
            self._bell.ring()

    def held(self, kind: TaskKind) -> list[str]:
        """Return the mappings of which no task of this kind may be claimed now."""
        now = self._clock.now()
        return [
            mapping
            for mapping, hold in self._holds.items()
            # What leaves a full cache makes room on it.
            if hold.kind is not NoSpace or (kind is TaskKind.CACHE_IN and hold.until > now)
        ]

    def problems(self) -> dict[str, Hold]:
        """Return why each mapping is held."""
        return dict(self._holds)

    def next_release(self) -> float | None:
        """Return when a mapping may be tried again without the bell being rung."""
        moments = [hold.until for hold in self._holds.values() if hold.kind is NoSpace]
        return min((until for until in moments if until > self._clock.now()), default=None)

    async def run(self) -> None:
        """Look every now and then whether what is held works again. Never returns."""
        while True:
            heard = self._bell.rings
            if not self._holds:
                await self._bell.wait(heard, None)
                continue
            await self._clock.sleep(_SECONDS)
            for mapping, hold in self.problems().items():
                if await self._is_over(mapping, hold):
                    self.release(mapping)

    async def _is_over(self, mapping: str, hold: Hold) -> bool:
        if hold.kind is not NoSpace:
            return await self._trouble(mapping) is None
        # Only a copy can tell, and while one waits it will.
        waiting = await self._store.run(
            lambda connection: tasks.in_state(connection, TaskState.QUEUED, TaskState.RUNNING)
        )
        return not any(task.kind is TaskKind.CACHE_IN and task.file.mapping == mapping for task in waiting)

    async def _trouble(self, name: str) -> StorageError | None:
        """Return what is wrong with a mapping's tiers as a whole."""
        try:
            mapping = self._live.mappings.by_name(name)
        except UnmappedPath:  # it was taken out of the configuration
            return None
        used = await self._store.run(lambda connection: ledger.has_entries(connection, name))
        try:
            await self._asker.ask(f"trouble {name}", _demand_tiers, mapping, used)
        except TimeoutError:
            return TierUnavailable(f"{mapping.array} or {mapping.cache} does not answer")
        except (TierUnavailable, AnchorMissing) as error:
            return error
        except StorageError:
            return None
        return None


def _demand_tiers(mapping: MappingSettings, used: bool) -> None:
    """Raise what keeps every copy of a mapping from succeeding. `used`: the ledger has files on this cache."""
    anchors.demand_anchor(mapping)
    if used and not tree.has_own_folder(mapping.cache):
        raise tree.not_our_cache(mapping.cache)
    with translated(mapping.cache, gone=TierUnavailable), tree.probe_file(mapping.cache) as name:
        if os.path.lexists(Path(mapping.array, name)):
            raise TierUnavailable(f"{mapping.array} shows the cache's files; it must be the slow tier alone")
        if mapping.union and not os.path.lexists(Path(mapping.union, name)):
            raise TierUnavailable(f"{mapping.union} does not show what lies on {mapping.cache}; is it mounted?")
