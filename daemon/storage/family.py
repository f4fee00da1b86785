"""A video and its sidecars, brought in together."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, TypeVarTuple

import structlog

from daemon.config import TransferSettings
from daemon.errors import StorageError, VerifyFailed
from daemon.model import Entry, File
from daemon.storage import sidecars
from daemon.storage.arrival import Arrival
from daemon.storage.departure import Departure
from daemon.storage.faults import translated
from daemon.storage.identity import is_recorded
from daemon.storage.mover import Copy, Pace, Reading, in_slices
from daemon.storage.paths import Mappings, parts_below
from daemon.storage.threads import Threads

log = structlog.get_logger()

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, slots=True)
class Means:
    """What every copy needs. See `Placement` for what each means."""

    mappings: Mappings
    transfer: TransferSettings
    threads: Threads
    pace: Pace
    keep_free: Callable[[int], int]
    now: Callable[[], float]
    touch: Callable[[str, str], None]
    lossy: set[str] = field(default_factory=set)
    """Mappings of which it was said that they cannot keep all attributes."""

    async def copy_of(self, entry: Entry) -> os.stat_result | None:
        """Return what is on the cache under a copy's name, None if nothing is. Never touches the array."""
        mapping = self.mappings.by_name(entry.file.mapping)
        departure = Departure(entry, mapping, lambda _: None)
        return await self.threads.run(mapping.name, departure.copy)

    async def stands(self, entry: Entry) -> bool:
        """Say whether a copy is on the cache as recorded. Never touches the array."""
        found = await self.copy_of(entry)
        return found is not None and is_recorded(found, entry)


class Family:
    """Brings one video in with what belongs to it, or nothing of it."""

    def __init__(
        self,
        means: Means,
        video: File,
        *,
        known: Mapping[str, Entry],
        used: bool,
        progress: Callable[[int, int], None],
        busy: Callable[[], bool],
        publishing: Callable[[Entry], Awaitable[None]] | None,
    ) -> None:
        self._means = means
        self._video = video
        self._mapping = means.mappings.by_name(video.mapping)
        self._known = known
        self._used = used
        self._progress = progress
        self._busy = busy
        self._publishing = publishing
        self._arrivals: list[Arrival] = []
        self._done = 0
        self._total = 0

    async def bring(self) -> list[Entry]:
        """Return the video's entry, then its sidecars'. After an error or a cancel nothing is left behind."""
        try:
            video = await self._begin(self._video)
            self._progress(0, self._total)
            found = await self._find_sidecars()
            entries = [await self._copy(video, parent="")]
            for sidecar in found:
                entries += await self._bring_sidecar(sidecar)
        except BaseException:
            # One call for all of them, because a second cancel ends the waiting for it and what follows.
            await self._means.threads.clean(self._mapping.name, self._abandon, self._arrivals)
            raise
        return entries

    def _abandon(self, arrivals: Sequence[Arrival]) -> None:
        for arrival in reversed(arrivals):
            try:
                arrival.abandon()
            except (StorageError, OSError) as error:
                log.warning("cleaning_failed", path=arrival.file.cache_path, why=str(error))

    async def _bring_sidecar(self, sidecar: File) -> list[Entry]:
        recorded = self._known.get(sidecar.array_path)
        begun = len(self._arrivals)
        try:
            if recorded and await self._means.stands(recorded):
                return [recorded]
            arrival = await self._begin(sidecar)
            return [await self._copy(arrival, parent=self._video.array_path)]
        except StorageError as error:
            # A film without one of its subtitles is better than no film: the union shows the array's.
            log.warning("sidecar_left", path=sidecar.array_path, why=str(error))
            await self._means.threads.clean(self._mapping.name, self._abandon, self._arrivals[begun:])
            return []

    async def _find_sidecars(self) -> list[File]:
        kinds = self._means.transfer.sidecars
        if kinds == "none":
            return []
        self._touched("list")
        array, path = self._mapping.array, self._video.array_path
        try:
            with translated(path):
                found = await self._run(sidecars.find, array, parts_below(path, array), kinds)
        except StorageError as error:
            log.warning("sidecars_unknown", path=path, why=str(error))
            return []
        return [self._means.mappings.sidecar(self._video, "/".join((array, *parts))) for parts in found]

    async def _begin(self, file: File) -> Arrival:
        arrival = Arrival(
            file,
            self._mapping,
            self._touched,
            copy_hard_links=self._means.transfer.hardlinks == "copy",
            keep_free=self._means.keep_free,
        )
        self._arrivals.append(arrival)
        await self._run(arrival.begin, self._used)
        self._total += arrival.identity.size
        return arrival

    async def _copy(self, arrival: Arrival, *, parent: str) -> Entry:
        means, file = self._means, arrival.file
        checked = means.transfer.verify == "checksum"
        before = self._done
        self._touched("read")
        with translated(f"copying {file.array_path} to {self._mapping.cache}"):
            checksum = await in_slices(
                means.threads,
                self._mapping.name,
                Copy(
                    arrival.files,
                    file.array_path,
                    arrival.identity,
                    keep_free=means.keep_free,
                    checked=checked,
                ),
                pace=means.pace,
                busy=lambda: means.transfer.yield_to_playback and self._busy(),
                progress=lambda done: self._progress(before + done, self._total),
            )
        self._done = before + arrival.identity.size
        self._say_lost(await self._run(arrival.seal))
        if checked:
            await self._prove(arrival, checksum)
        entry = arrival.entry(means.now(), checksum=checksum, parent=parent)
        if self._publishing:
            await self._publishing(entry)
        await self._run(arrival.publish, entry)
        return entry

    async def _prove(self, arrival: Arrival, checksum: str) -> None:
        reading = Reading(arrival.files, arrival.identity.size, index=1)
        with translated(arrival.file.cache_path):
            found = await in_slices(self._means.threads, self._mapping.name, reading, pace=self._means.pace)
        if found != checksum:
            raise VerifyFailed(f"{arrival.file.cache_path}: the disk gave back other bytes than were written")

    async def _run(self, call: Callable[[*Ts], T], *args: *Ts) -> T:
        return await self._means.threads.run(self._mapping.name, call, *args)

    def _say_lost(self, lost: list[str]) -> None:
        name = self._mapping.name
        if lost and name not in self._means.lossy:
            self._means.lossy.add(name)
            log.warning("attributes_lost", mapping=name, path=self._mapping.cache, why=", ".join(sorted(lost)))

    def _touched(self, operation: str) -> None:
        self._means.touch(operation, "cache_in")
