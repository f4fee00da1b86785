"""Pins: what a person wants on the cache for good. Acted on at once, and kept current by `daemon.sources.pins`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon import views
from daemon.clock import Clock
from daemon.dispatch import Decision, Dispatcher
from daemon.errors import PlexNotFound, TargetNotFound, UnmappedPath
from daemon.live import Live
from daemon.model import Changes, Demand, File, Item, ItemType, Room, TaskKind, TaskState
from daemon.planning.spaces import Budget
from daemon.plex.library import PlexLibrary
from daemon.sources.pins import demands_of, identified, items_of
from daemon.state import demands, pins, tasks
from daemon.state.pins import Pin
from daemon.state.store import Connection, Store
from daemon.targets import rating_key_in
from daemon.web.figures import size

Rooms = Mapping[str, tuple[str, int, int]]
"""For each mapping's name: the cache file system's id, its total and its free bytes."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a target names, what there is at and below it, and its files."""

    item: Item
    title: str
    leaves: Sequence[Item]
    files: Sequence[File]
    unmapped: int


class Pinning:
    """Pins and unpins, and lists the pins.

    `measure` gives the space on the caches; `look` has the cached copies of some files (as Plex sees them) looked at;
    `changed` is called when the source of pins has to be read again.
    """

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        dispatcher: Dispatcher,
        library: PlexLibrary,
        *,
        measure: Callable[[], Awaitable[Rooms]],
        look: Callable[[Iterable[str]], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._dispatcher = dispatcher
        self._library = library
        self._measure = measure
        self._look = look
        self._changed = changed

    async def pin(self, target: str) -> tuple[list[int], str]:
        """Pin a target; return the ids of the tasks that bring its files, and what a person should know.

        Of any library, also one that is not selected. Raises TargetNotFound, UnmappedPath and PlexError.
        """
        found = await self._find(target)
        await self._look(file.plex_path for file in found.files)
        new = Pin(found.item.rating_key, found.item.type, found.title, self._clock.now())
        new = await identified(self._library, self._store, new, found.leaves)

        def work(connection: Connection) -> None:
            pin = pins.put(connection, new)
            demands.put_items(connection, items_of(pin, found.leaves))
            demands.apply(connection, Changes(put_demands=demands_of(pin, found.leaves)))

        decision = await self._dispatcher.change(work)
        self._changed()
        ids = await self._tasks(TaskKind.CACHE_IN, found.files)
        return ids, await self._note(found, decision)

    async def unpin(self, target: str) -> tuple[list[int], str]:
        """Take a pin back; return the ids of the tasks that take its files off, and what a person should know.

        Works without Plex. The files leave by the rules for all others: as soon as nobody wants them, and ``min_stay``
        is over.
        """
        keys = [rating_key_in(target)] if rating_key_in(target) else await self._keys_of_file(target)
        gone: list[str] = []
        dropped: list[Demand] = []

        def work(connection: Connection) -> None:
            gone.extend(pins.remove(connection, keys))
            dropped.extend(pins.uncovered(connection))
            demands.apply(connection, Changes(drop_demands=tuple(dropped)))

        await self._dispatcher.change(work)
        if not gone:
            return [], await self._store.run(lambda connection: _not_pinned(connection, target, keys))
        self._changed()
        rows = await self._store.run(
            lambda connection: demands.files_of(connection, {demand.rating_key for demand in dropped})
        )
        files, _ = self._located((path, bytes_) for _, path, bytes_ in rows)
        return await self._tasks(TaskKind.EVICT, files), ""

    async def pins(self) -> list[dict[str, Any]]:
        """Return the pins for people and programs, the oldest first."""

        def read(connection: Connection) -> list[dict[str, Any]]:
            return [_row(pin, pins.extent(connection, pin.rating_key)) for pin in pins.all_pins(connection)]

        return await self._store.run(read)

    async def _find(self, target: str) -> _Found:
        """Ask Plex what a target names."""
        key = rating_key_in(target)
        item = await (self._by_key(key) if key else self._by_path(target))
        if item is None:
            raise TargetNotFound(f"Plex has no movie, show, season or episode for {target!r}")
        leaves = await self._library.leaves(item.rating_key)
        paths = [(file.plex_path, file.size) for leaf in leaves for file in leaf.files]
        files, faults = self._located(paths)
        if faults and not files:
            raise faults[0]
        title = item.label
        if item.type is ItemType.SEASON and leaves:
            title = f"{leaves[0].show_title} - {item.title}"
        return _Found(item, title, leaves, files, len(faults))

    async def _by_key(self, rating_key: str) -> Item | None:
        try:
            return await self._library.item(rating_key)
        except PlexNotFound:
            return None

    async def _by_path(self, target: str) -> Item | None:
        """Return the movie or episode of a path; by the rows, where Plex agrees, for its own search reads a library."""
        path = self._plex_path(target)
        for key in await self._keys_of_file(target):
            item = await self._by_key(key)
            if item is not None and any(file.plex_path == path for file in item.files):
                return item
        return await self._library.find_by_path(path)

    async def _keys_of_file(self, target: str) -> list[str]:
        path = self._plex_path(target)
        return await self._store.run(lambda connection: sorted(demands.keys_of_file(connection, path)))

    def _plex_path(self, target: str) -> str:
        if not target.startswith("/"):
            raise TargetNotFound(f"{target!r} is no rating key, no Plex URL and no absolute path")
        return self._live.mappings.from_local(target).plex_path

    def _located(self, paths: Iterable[tuple[str, int]]) -> tuple[list[File], list[UnmappedPath]]:
        files: dict[str, File] = {}
        faults = []
        for path, bytes_ in paths:
            try:
                files[path] = self._live.mappings.resolve(path, bytes_)
            except UnmappedPath as error:
                faults.append(error)
        return list(files.values()), faults

    async def _tasks(self, kind: TaskKind, files: Iterable[File]) -> list[int]:
        """Return the ids of the tasks that stand for these files; those of sidecars are their videos'."""
        paths = {file.array_path for file in files}
        waiting = await self._store.run(
            lambda connection: tasks.in_state(connection, TaskState.QUEUED, TaskState.RUNNING)
        )
        return sorted(task.id for task in waiting if task.kind is kind and task.file.array_path in paths)

    async def _note(self, found: _Found, decision: Decision) -> str:
        """Return what stands in the way of a pin, in words for a person; empty: nothing."""
        notes = []
        if not found.files:
            notes.append(f"Plex lists no file of {found.title} yet; what comes will be cached")
        if found.unmapped:
            notes.append(f"{found.unmapped} of its files are covered by no mapping that is in use")
        notes += await self._too_much()
        ours = {file.array_path for file in found.files}
        refused = [one for one in decision.plan.refused if one.file.array_path in ours]
        if refused:
            of = f"{len(refused)} of {len(ours)} files stay on the array for now"
            notes.append(f"{of}: {', '.join(dict.fromkeys(one.why for one in refused))}")
        return "; ".join(notes)

    async def _too_much(self) -> list[str]:
        """Say of which caches all pins together want more than their limits would allow were they empty."""
        rooms = await self._measure()
        rows = await self._store.run(pins.files)
        wanted: dict[str, int] = defaultdict(int)
        named: dict[str, tuple[str, int]] = {}
        for file in self._located(rows)[0]:
            if file.mapping in rooms:
                room, total, _ = rooms[file.mapping]
                wanted[room] += file.size
                named[room] = self._live.mappings.by_name(file.mapping).cache, total
        notes = []
        for room, total_wanted in wanted.items():
            cache, total = named[room]
            allowed = Budget(Room(room, total, total), self._live.settings.space).available
            if total_wanted > allowed:
                text = f"all pins together are {size(total_wanted)}, and the limits of {cache} allow {size(allowed)}"
                notes.append(f"{text}: not everything that is pinned can be cached")
        return notes


def _not_pinned(connection: Connection, target: str, keys: Iterable[str]) -> str:
    above = {pin.rating_key: pin for key in keys for pin in pins.covering(connection, key)}
    if not above:
        return f"{target} is not pinned"
    names = ", ".join(f"{pin.title} (unpin {pin.rating_key})" for pin in above.values())
    return f"{target} is not pinned itself, but by {names}"


def _row(pin: Pin, extent: pins.Extent) -> dict[str, Any]:
    return {
        "rating_key": pin.rating_key,
        "type": str(pin.type),
        "title": pin.title,
        "since": views.iso(pin.since),
        "files": extent.files,
        "size": extent.size,
        "cached_files": extent.cached,
    }
