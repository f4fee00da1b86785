"""The way out: every file back to the array, by what the folders say, or by the ledger while no daemon runs."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, TypeVarTuple

from daemon.config import Settings
from daemon.custody import Custody
from daemon.errors import StorageError
from daemon.feed import Feed
from daemon.model import Entry
from daemon.reconcile import Reconcile
from daemon.state import demands, ledger
from daemon.state.store import Store
from daemon.storage.homecoming import Homecoming
from daemon.storage.losses import all_lost, caches_lost
from daemon.storage.paths import Mappings
from daemon.storage.placement import Placement
from daemon.storage.strays import Survey, search_cache

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(slots=True)
class Tally:
    """How far it is. `bytes` have to be copied, as far as one can tell before; `copied` of them are."""

    files: int = 0
    bytes: int = 0
    done: int = 0
    copied: int = 0
    path: str = ""


@dataclass(slots=True)
class Report:
    """What came of it.

    `left` and `kept` are pairs of path and reason: what did not come back, and what did, but left something that is
    worth a word. `paused`: a daemon begins to cache again only when it is told to. `unsure`: nobody can say that all is
    home, for a cache could not be read, or has files of which nothing says whose they are.
    """

    restored: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    paused: bool = False
    unsure: bool = False


Show = Callable[[Tally], None]


AGAIN = "run this again to go on"


class Way(Protocol):
    """One way to bring everything back. `survey` comes first, and changes nothing.

    `interrupted`: what to tell a person who ends it early now.
    """

    @property
    def interrupted(self) -> str:
        """Return that."""

    async def survey(self) -> Tally:
        """Return how much there is to do."""

    async def run(self, tally: Tally, show: Show) -> Report:
        """Do it; `show` is given the tally whenever it has changed."""


class Offline:
    """By what the folders say alone."""

    interrupted = AGAIN

    def __init__(self, settings: Settings, executor: Executor) -> None:
        self._settings = settings
        self._executor = executor
        self._homecoming = Homecoming(settings.mapping, settings.transfer, executor)
        self._surveys: list[Survey] = []

    async def survey(self) -> Tally:
        """Look at every name on each array."""
        for mapping in self._settings.mapping:
            self._surveys.append(await self._walk(self._homecoming.survey, mapping))
        strays = [stray for survey in self._surveys for stray in survey.strays if not stray.why]
        return Tally(len(strays), sum(stray.bytes for stray in strays))

    async def run(self, tally: Tally, show: Show) -> Report:
        """Bring every file back, one after the other."""
        report = Report()
        for survey in self._surveys:
            report.left += survey.left
            report.kept += [(path, "a link that leads into the cache from another folder") for path in survey.elsewhere]
            await self._walk(self._homecoming.prepare, survey)
            await self._each(survey, tally, show, report)
            await self._walk(self._homecoming.finish, survey)
            report.unsure |= not survey.alive or survey.unclaimed > 0
            if not survey.alive:
                report.notes.append(
                    f"{survey.mapping.cache} is empty or cannot be read, so only backups were brought back from there"
                )
            if survey.unclaimed:
                report.notes.append(_unclaimed(survey))
        return report

    async def _walk(self, call: Callable[[*Ts], T], *args: *Ts) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, call, *args)
        except asyncio.CancelledError:
            # The process ends only after its threads.
            self._homecoming.give_up()
            raise

    async def _each(self, survey: Survey, tally: Tally, show: Show, report: Report) -> None:
        for stray in survey.strays:
            before = tally.copied
            tally.path = stray.entry.file.array_path
            outcome = await self._homecoming.bring(stray, survey, _reporter(tally, show))
            _count(tally, 0 if stray.why else 1, before + stray.bytes, show)
            report.restored += outcome.changed and outcome.home
            if outcome.why:
                (report.kept if outcome.home else report.left).append((outcome.path, outcome.why))


class Alone:
    """By ledger and journal, as the daemon would do it, while none runs."""

    interrupted = AGAIN

    def __init__(self, settings: Settings, store: Store, executor: Executor) -> None:
        self._settings = settings
        self._store = store
        self._given_up = threading.Event()
        self._lost: dict[str, str] = {}
        self._mappings = Mappings(settings.mapping)
        self._placement = Placement(
            self._mappings, settings.transfer, executor, on_touch=lambda _operation, _reason: None
        )
        self._custody = Custody(store, self._placement)

    async def survey(self) -> Tally:
        """Count what the ledger has, and the manifests that outlived another one."""
        entries = {entry.file.array_path: entry for entry in await self._placement.remembered()}
        entries |= {entry.file.array_path: entry for entry in await self._store.run(ledger.all_entries)}
        aside = [entry.file for entry in entries.values() if not entry.keeps_original]
        pairs = [(file.array_path, file.cache_path) for file in aside]
        self._lost = await asyncio.to_thread(all_lost, pairs, self._mappings)
        return Tally(len(entries) - len(self._lost), sum(_weight(entry) for entry in entries.values()))

    async def run(self, tally: Tally, show: Show) -> Report:
        """Finish what was interrupted, then bring every file back. The next daemon starts paused."""
        report = Report(paused=True)
        await self._store.run(lambda connection: demands.put_meta(connection, "paused", "1"))
        await asyncio.to_thread(self._placement.sweep, self._settings.mapping)
        reconcile = Reconcile(self._store, self._placement, self._custody, Feed(), replan=lambda: None)
        await reconcile.restore()
        await self._custody.recover()
        await reconcile.look()
        entries = await self._store.run(ledger.all_entries)
        # What the look has found to be home already needs no more.
        tally.done, tally.path = max(0, tally.files - len(entries)), ""
        show(tally)
        for video, family in _families(entries):
            before, tally.path = tally.copied, video
            # A video that is lost must not hold its sidecars.
            for path in [entry.file.array_path for entry in family] if video in self._lost else [video]:
                await self._bring(path, _reporter(tally, show), report)
            _count(tally, len(family), before + sum(_weight(entry) for entry in family), show)
        remaining = await self._store.run(ledger.all_entries)
        held = {entry.file.array_path for entry in remaining}
        report.restored = max(0, tally.files - len(held - self._lost.keys()))
        report.left += self._lost.items()
        said = {path for path, _ in report.left}
        report.left += [
            (entry.file.array_path, "its video stays" if entry.parent in said else "it stays on the cache; see above")
            for entry in remaining
            if entry.file.array_path not in said
        ]
        await self._caches({entry.file.cache_path for entry in remaining}, report)
        report.notes += await asyncio.to_thread(caches_lost, [path for path, _ in report.left], self._mappings)
        return report

    async def _caches(self, known: set[str], report: Report) -> None:
        for mapping in self._settings.mapping:
            try:
                survey = await asyncio.to_thread(search_cache, mapping, self._mappings, known, self._given_up)
            except asyncio.CancelledError:
                self._given_up.set()
                raise
            report.left += survey.left
            report.unsure |= not survey.alive or survey.unclaimed > 0
            if survey.unclaimed:
                report.notes.append(_unclaimed(survey))

    async def _bring(self, path: str, progress: Callable[[int, int], None], report: Report) -> None:
        try:
            await self._custody.evict(path, progress)
        except StorageError as error:
            if path not in self._lost:
                report.left.append((path, str(error)))
            await self._custody.recover(path)


def amount(size: int) -> str:
    """Return an amount of bytes as a person reads it."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"


def _unclaimed(survey: Survey) -> str:
    files, they = ("1 file", "it stays") if survey.unclaimed == 1 else (f"{survey.unclaimed} files", "they stay")
    return (
        f"{files} on {survey.mapping.cache} {'is' if survey.unclaimed == 1 else 'are'} on the array too; nothing says "
        f"whether ondeckd put {'it' if survey.unclaimed == 1 else 'them'} there, and {they}"
    )


def _families(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    """Return each video, or sidecar that is left without its own, with what goes with it; in order of their paths."""
    held = {entry.file.array_path: entry for entry in entries}
    families: dict[str, list[Entry]] = {}
    for path, entry in held.items():
        families.setdefault(entry.parent if entry.parent in held else path, []).append(entry)
    return sorted(families.items(), key=lambda family: os.fsencode(family[0]))


def _weight(entry: Entry) -> int:
    return entry.file.size if entry.placement.endswith("+remove") else 0


def _reporter(tally: Tally, show: Show) -> Callable[[int, int], None]:
    before = tally.copied

    def heard(done: int, _total: int) -> None:
        tally.copied = before + done
        show(tally)

    return heard


def _count(tally: Tally, files: int, copied: int, show: Show) -> None:
    tally.done += files
    tally.copied = copied
    show(tally)
