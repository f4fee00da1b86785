"""A video and its sidecars, brought in together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar, TypeVarTuple

import structlog

from daemon.errors import SourceChanged, StorageError
from daemon.model import Entry, File, Goal, Intent
from daemon.storage import sidecars
from daemon.storage.arrival import Arrival
from daemon.storage.faults import translated
from daemon.storage.means import Means, Note
from daemon.storage.mover import Copy, in_slices
from daemon.storage.paths import parts_below
from daemon.storage.walk import Walk

log = structlog.get_logger()

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


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
        note: Note,
    ) -> None:
        self._means = means
        self._video = video
        self._mapping = means.mappings.by_name(video.mapping)
        self._known = known
        self._used = used
        self._progress = progress
        self._busy = busy
        self._note = note
        self._arrivals: list[Arrival] = []
        self._done = 0
        self._total = 0

    async def bring(self) -> list[Entry]:
        """Return the video's entry, then its sidecars'. After an error or a cancel nothing is left behind."""
        return await self._tidily(self._bring())

    async def complete(self, video: Entry) -> list[Entry]:
        """Return the entry of a video that is there already, then its sidecars', which a crash may have kept out."""
        return await self._tidily(self._complete(video))

    async def _tidily(self, work: Awaitable[list[Entry]]) -> list[Entry]:
        try:
            return await work
        except BaseException:
            # One call for all of them, because a second cancel ends the waiting for it and what follows.
            await self._means.threads.clean(self._mapping.name, self._abandon, self._arrivals)
            raise

    async def _bring(self) -> list[Entry]:
        video = await self._begin(self._video)
        self._progress(0, self._total)
        found = await self._find_sidecars()
        entries = [await self._copy(video, parent="")]
        for sidecar in found:
            entries += await self._bring_sidecar(sidecar)
        return entries

    async def _complete(self, video: Entry) -> list[Entry]:
        known = [entry for entry in self._known.values() if entry.parent == self._video.array_path]
        others = {entry.file.array_path: entry for entry in known if await self._means.copy_of(entry) is not None}
        for sidecar in await self._find_sidecars():
            if sidecar.array_path not in others:
                others |= {entry.file.array_path: entry for entry in await self._bring_sidecar(sidecar)}
        return [video, *others.values()]

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
            if recorded and await self._means.copy_of(recorded):
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
        means, file, name = self._means, arrival.file, self._mapping.name
        checked = means.transfer.verify == "checksum"
        before = self._done
        self._touched("read")
        with translated(f"copying {file.array_path} to {self._mapping.cache}", tier=self._mapping.cache):
            checksum = await in_slices(
                means.threads,
                name,
                Copy(
                    arrival.draft.files,
                    file.array_path,
                    arrival.identity,
                    keep_free=means.keep_free,
                    checked=checked,
                ),
                pace=means.pace,
                busy=lambda: means.transfer.yield_to_playback and self._busy(),
                progress=lambda done: self._progress(before + done, self._total),
            )
        size = arrival.identity.size
        self._done = before + size
        means.say_lost(self._mapping, self._mapping.cache, await self._run(arrival.seal))
        if checked:
            await means.prove(name, arrival.draft.files, size, checksum, file.cache_path)
        return await self._place(arrival, arrival.entry(means.now(), checksum=checksum, parent=parent))

    async def _place(self, arrival: Arrival, entry: Entry) -> Entry:
        walk = Walk(self._means, entry, self._note, reason="cache_in")
        await self._note(Intent(entry, Goal.CACHED, "publish"))
        await self._run(arrival.publish, entry, walk.hands)
        if entry.keeps_original:
            if arrival.kept_because:
                log.info("original_kept", path=entry.file.array_path, why=arrival.kept_because)
            return entry
        settled = await walk.to(Goal.CACHED)
        if settled.why or not settled.cached:
            raise SourceChanged(f"{entry.file.array_path}: {settled.why or 'the copy has disappeared'}")
        return settled.entry

    async def _run(self, call: Callable[[*Ts], T], *args: *Ts) -> T:
        return await self._means.threads.run(self._mapping.name, call, *args)

    def _touched(self, operation: str) -> None:
        self._means.touch(operation, "cache_in")
