"""One file's walk to where it should be: step by step, each written down before it is done."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple

from daemon.errors import SourceChanged, UnsafeEvict
from daemon.model import Entry, Goal, Intent
from daemon.storage import manifest, tree
from daemon.storage.comeback import Comeback
from daemon.storage.faults import translated
from daemon.storage.identity import Identity
from daemon.storage.means import Means, Note
from daemon.storage.mover import Copy, OpenFiles, Reading, in_slices
from daemon.storage.sites import Site
from daemon.storage.states import COPYING, DELETIONS, End, Seen, Step, decide, recover
from daemon.storage.steps import Hands

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MOST_STEPS = 12
"""No walk is longer. One that is meets somebody who changes the file again and again."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How a walk ended: the entry as it is now, whether it is cached, and what is not as it should be."""

    entry: Entry
    cached: bool
    why: str = ""


class Walk:
    """Brings one file to a goal. `reason` is what the operations on the array are for.

    `progress` hears the bytes done and to be done, if the file has to be copied back. A walk that is cancelled may
    be taken up again at any time, by `recover` or by a new one.
    """

    def __init__(
        self,
        means: Means,
        entry: Entry,
        note: Note,
        *,
        reason: str,
        busy: Callable[[], bool] = lambda: False,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        self._means = means
        self._note = note
        self._busy = busy
        self._progress = progress
        self.site = means.site(entry, reason)
        self.hands = Hands(self.site, means.lock(entry.file.array_path))

    async def to(self, goal: Goal) -> Settled:
        """Walk to the goal, or as far as that is safe."""
        return await self._walk(goal, goal, lambda placement, seen: decide(placement, goal, seen))

    async def recover(self, interrupted: Goal) -> Settled:
        """Finish what was interrupted on the way to a goal. Never copies."""
        await self._run(self.hands.sweep)
        goal = interrupted if interrupted in DELETIONS else Goal.CACHED
        return await self._walk(interrupted, goal, lambda placement, seen: recover(placement, interrupted, seen))

    async def _walk(self, noted: Goal, goal: Goal, next_step: Callable[[str, Seen], Step | End]) -> Settled:
        site = self.site
        site.deleted = goal in DELETIONS
        try:
            if site.entry.keeps_original and await self._run(site.copy) is None:
                # Its original was never touched: no need to wake the array.
                await self._run(self._forget)
                return Settled(site.entry, cached=False)
            for _ in range(MOST_STEPS):
                step = next_step(site.entry.placement, await self._run(site.look))
                if isinstance(step, End):
                    if not step.cached:
                        await self._run(self._forget)
                    return Settled(site.entry, step.cached, step.why)
                await self._note(Intent(site.entry, noted, step))
                if step in COPYING:
                    await self._copy(step)
                    continue
                if step is Step.DROP and site.entry.checksum:
                    await self._prove_original()
                await self._run(self.hands.perform, step, goal)
        except BaseException:
            self.hands.let_go()
            raise
        raise SourceChanged(f"{site.entry.file.array_path} is being changed again and again")

    def _forget(self) -> None:
        manifest.forget(self.site.root, self.site.entry)
        # A kill may have come in before the folder that was made for the copy went.
        tree.remove_empty(self.site.root, self.site.parts[:-1])

    async def _copy(self, step: Step) -> None:
        comeback = Comeback(self.site, self.hands, step)
        try:
            await self._run(comeback.begin)
            await self._bytes(comeback)
            lost, entry = await self._run(comeback.seal)
            self._means.say_lost(self.site.mapping, self.site.mapping.array, lost)
            if entry != self.site.entry:
                self.site.entry = entry
                await self._note(Intent(entry, Goal.UNCACHED, step))
            await self._run(comeback.place)
        except BaseException:
            await self._means.threads.clean(self.site.mapping.name, comeback.abandon)
            raise

    async def _bytes(self, comeback: Comeback) -> None:
        means, site, size = self._means, self.site, comeback.draft.identity.size
        path, checked = site.entry.file.cache_path, means.transfer.verify == "checksum"
        with translated(f"copying {path} to {site.mapping.array}", tier=site.mapping.array):
            checksum = await in_slices(
                means.threads,
                site.mapping.name,
                Copy(comeback.files, path, comeback.draft.identity, keep_free=lambda _total: 0, checked=checked),
                pace=means.pace,
                busy=lambda: means.transfer.yield_to_playback and self._busy(),
                progress=lambda done: self._progress(done, size),
            )
        if checked:
            comeback.demand_checksum(checksum)
            await means.prove(site.mapping.name, comeback.files, size, checksum, site.entry.file.array_path)

    async def _prove_original(self) -> None:
        """Read what makes the copy dispensable; UnsafeEvict unless it has the recorded checksum."""
        means, site = self._means, self.site
        seen = await self._run(site.look)
        name = site.proof(seen)
        files, identity = await self._run(_opened, site, name)
        site.touched("read")
        try:
            if identity.size != site.entry.file.size or identity.mtime_ns != site.entry.mtime_ns:
                return  # What was copied back now was read again then.
            with translated(name):
                reading = Reading(files, identity.size, index=0)
                checksum = await in_slices(means.threads, site.mapping.name, reading, pace=means.pace)
        finally:
            files.close()
        if checksum != site.entry.checksum:
            raise UnsafeEvict(
                f"{site.entry.file.cache_path} stays on the cache: {site.entry.file.array_path} has other content; put "
                "the original back, or remove the copy by hand"
            )
        self.hands.proof = identity

    async def _run(self, call: Callable[[*Ts], T], *args: *Ts) -> T:
        return await self._means.threads.run(self.site.mapping.name, call, *args)


def _opened(site: Site, name: str) -> tuple[OpenFiles, Identity]:
    with translated(site.entry.file.array_path):
        files = OpenFiles(descriptor := site.open_on_array(name))
        try:
            return files, Identity.of(os.fstat(descriptor))
        except OSError:
            files.close()
            raise
