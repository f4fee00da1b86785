"""Mappings whose tasks wait because a whole tier cannot be used now: not mounted, not writable, full."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVarTuple

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
    TierRefused,
    TierUnavailable,
    UnmappedPath,
)
from daemon.live import Live
from daemon.model import TaskKind, TaskState
from daemon.state import ledger, tasks
from daemon.state.store import Store
from daemon.tiers import Tier, demand_cache, demand_tiers, demand_writable, tier_of

log = structlog.get_logger()

Ts = TypeVarTuple("Ts")

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_SECONDS = 30.0
"""How often it is looked whether a mapping works again."""
_PAUSE = {Tier.CACHE: 30.0, Tier.ARRAY: 300.0}
"""Seconds after which a task tries whether a full tier has room; on the array each try wakes a disk."""
_FILLS = {Tier.ARRAY: TaskKind.EVICT, Tier.CACHE: TaskKind.CACHE_IN}
"""The tasks that need room on a tier. What leaves a full cache makes room on it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a mapping is held, and (for lack of space) until when; then one task tries again.

    `disk` is the file system of the tier. `folder`: where on the array nothing could be written.
    """

    kind: type[OndeckdError]
    why: str
    until: float
    disk: int | None = None
    folder: str = ""


class Holds:
    """One line when mappings are held and one when they work again, however many files are concerned.

    Mappings whose tiers lie on one file system are held together. `bell` wakes the workers.
    """

    def __init__(self, live: Live, store: Store, clock: Clock, asker: Asker, bell: Bell) -> None:
        self._live = live
        self._store = store
        self._clock = clock
        self._asker = asker
        self._bell = bell
        self._holds: dict[tuple[str, Tier], Hold] = {}

    async def blame(self, mapping: str, error: OndeckdError) -> bool:
        """Hold the mapping if a tier of it is what failed; say whether that is so. If not, it is the one file."""
        try:
            found = await self._found(self._live.mappings.by_name(mapping), error)
        except UnmappedPath:  # it was taken out of the configuration
            return False
        fresh = sorted({name for name, tier in found if (name, tier) not in self._holds})
        self._holds |= found
        if fresh:
            first = next(iter(found.values()))
            log.log(LEVELS[first.kind.level], "mapping_held", mapping=", ".join(fresh), why=first.why)
            self._bell.ring()
        return bool(found)

    def succeeded(self, mapping: str, kind: TaskKind | None = None) -> None:
        """Note that a task of the mapping has succeeded; of which kind, where that is known."""
        over = []
        for tier in Tier:
            hold = self._holds.get((mapping, tier))
            if hold is None:
                continue
            if hold.kind is not NoSpace:
                over.append((mapping, tier))
            elif tier is Tier.CACHE or kind is TaskKind.EVICT:
                # A small file may fit where a large one does not: the next may try, and all is well when none waits.
                for key in self._together(tier, hold):
                    self._holds[key] = replace(self._holds[key], until=self._clock.now())
                self._bell.ring()
        self._let_go(over)

    def release(self, mapping: str) -> None:
        """Note that the mapping works again."""
        self._let_go([key for key in self._holds if key[0] == mapping])

    def held(self, kind: TaskKind) -> list[str]:
        """Return the mappings of which no task of this kind may be claimed now."""
        now = self._clock.now()
        names = {
            name: None
            for (name, tier), hold in self._holds.items()
            if hold.kind is not NoSpace or (_FILLS[tier] is kind and hold.until > now)
        }
        return list(names)

    def problems(self) -> dict[str, Hold]:
        """Return why each mapping is held; of two reasons, what is wrong with its cache."""
        ordered = sorted(self._holds.items(), key=lambda item: item[0][1] is Tier.CACHE)
        return {name: hold for (name, _), hold in ordered}

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
            over = [(key, hold) for key, hold in list(self._holds.items()) if await self._is_over(*key, hold)]
            # Another error may have come meanwhile.
            self._let_go([key for key, hold in over if self._holds.get(key) is hold])

    def _let_go(self, keys: Iterable[tuple[str, Tier]]) -> None:
        if names := {name for name, tier in keys if self._holds.pop((name, tier), None)}:
            self._bell.ring()
            if freed := sorted(names - {name for name, _ in self._holds}):
                log.info("mapping_released", mapping=", ".join(freed))

    def _together(self, tier: Tier, hold: Hold) -> list[tuple[str, Tier]]:
        return [
            (name, other)
            for (name, other), found in self._holds.items()
            if (other, found.kind, found.disk) == (tier, hold.kind, hold.disk)
        ]

    async def _is_over(self, name: str, tier: Tier, hold: Hold) -> bool:
        if hold.kind is not NoSpace:
            # As long as the cache fails, the array need not be woken to be asked.
            failing = tier is Tier.CACHE and await self._cache_fails(name)
            return not failing and await self._trouble(name, hold.folder) is None
        # Only a copy can tell, and while one waits it will.
        waiting = await self._store.run(
            lambda connection: tasks.in_state(connection, TaskState.QUEUED, TaskState.RUNNING)
        )
        names = {name for name, _ in self._together(tier, hold)}
        return not any(task.kind is _FILLS[tier] and task.file.mapping in names for task in waiting)

    async def _found(self, mapping: MappingSettings, error: OndeckdError) -> dict[tuple[str, Tier], Hold]:
        """Return what is to be held because of an error, the mapping itself first; nothing if it is the one file."""
        tier = tier_of(mapping, error)
        if isinstance(error, NoSpace):
            return await self._full(mapping, tier, error)
        if isinstance(error, AnchorMissing):
            return {(mapping.name, tier): self._hold(mapping, error)}
        if not isinstance(error, TierUnavailable | SourceMissing):
            return {}
        refused = isinstance(error, TierRefused) and tier is Tier.ARRAY and mapping.original != "keep"
        folder = os.path.dirname(error.path) if refused else ""  # noqa: PTH120 - surrogates
        cause = await self._trouble(mapping.name, folder)
        return {} if cause is None else await self._broken(mapping, cause, folder)

    async def _full(self, mapping: MappingSettings, tier: Tier, error: NoSpace) -> dict[tuple[str, Tier], Hold]:
        # Elsewhere originals go back by name: a copy that has to go back is the exception, and one file's matter.
        if tier is Tier.ARRAY and mapping.original != "remove":
            return {}
        beside, disk = await self._beside(mapping, tier)
        return {
            (one.name, tier): self._hold(one, error, _PAUSE[tier], disk=disk)
            for one in (mapping, *beside)
            if tier is Tier.CACHE or one.original == "remove"
        }

    async def _broken(self, mapping: MappingSettings, cause: StorageError, folder: str) -> dict[tuple[str, Tier], Hold]:
        tier = tier_of(mapping, cause)
        found = {(mapping.name, tier): self._hold(mapping, cause, folder=folder)}
        if not isinstance(cause, AnchorMissing):
            for one in (await self._beside(mapping, tier))[0]:
                # What a file system refuses to one mapping it may well let another do.
                trouble = await (
                    self._asked(one, "cache", demand_cache, one, await self._used(one.name))
                    if tier is Tier.CACHE
                    else self._asked(one, "writable", demand_writable, one, one.array)
                )
                if trouble:
                    found[one.name, tier] = self._hold(one, trouble, folder=one.array if folder else "")
        return found

    def _hold(
        self,
        mapping: MappingSettings,
        error: OndeckdError,
        seconds: float = 0.0,
        *,
        disk: int | None = None,
        folder: str = "",
    ) -> Hold:
        kind = TierUnavailable if isinstance(error, TierUnavailable) else type(error)
        why = str(error).removeprefix(f"{mapping.name}: ")
        return Hold(kind, why, self._clock.now() + seconds, disk, folder)

    async def _beside(self, mapping: MappingSettings, tier: Tier) -> tuple[list[MappingSettings], int | None]:
        """Return the other mappings that have this tier on the same file system, and which that is."""
        disk = await self._disk(mapping, tier)
        others = [one for one in self._live.settings.mapping if one.enabled and one.name != mapping.name]
        if tier is Tier.ARRAY:  # one that is never written to is never looked at
            others = [one for one in others if one.original != "keep"]
        return [one for one in others if disk is not None and await self._disk(one, tier) == disk], disk

    async def _disk(self, mapping: MappingSettings, tier: Tier) -> int | None:
        try:
            return await self._asker.ask(f"disk {tier} {mapping.name}", tier.disk, mapping)
        except (OSError, TimeoutError):
            return None

    async def _trouble(self, name: str, folder: str) -> StorageError | None:
        """Return what is wrong with a mapping's tiers as a whole. `folder`: see `demand_tiers`."""
        try:
            mapping = self._live.mappings.by_name(name)
        except UnmappedPath:  # it was taken out of the configuration
            return None
        # Two questions, because who asks while one is being answered gets that answer.
        about = "tiers, to be written" if folder else "tiers"
        return await self._asked(mapping, about, demand_tiers, mapping, await self._used(name), folder)

    async def _cache_fails(self, name: str) -> bool:
        try:
            mapping = self._live.mappings.by_name(name)
        except UnmappedPath:  # it was taken out of the configuration
            return False
        return await self._asked(mapping, "cache", demand_cache, mapping, await self._used(name)) is not None

    async def _used(self, name: str) -> bool:
        return await self._store.run(lambda connection: ledger.has_entries(connection, name))

    async def _asked(
        self, mapping: MappingSettings, about: str, call: Callable[[*Ts], None], *args: *Ts
    ) -> StorageError | None:
        try:
            await self._asker.ask(f"{about} {mapping.name}", call, *args)
        except TimeoutError:
            return TierUnavailable(f"{mapping.array} or {mapping.cache} does not answer")
        except (TierUnavailable, AnchorMissing) as error:
            return error
        except StorageError:
            return None
        return None
