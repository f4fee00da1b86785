"""What people have pinned: it is wanted always, and so is every new episode of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import structlog

from daemon.errors import PlexNotFound, PlexUnavailable
from daemon.model import Changes, Demand, DemandKind, Fetched, Item, ItemType
from daemon.plex import elements
from daemon.plex.guids import normalised
from daemon.plex.library import PlexLibrary
from daemon.plex.reading import metadata
from daemon.sources.index import LibraryIndex
from daemon.state import demands, pins
from daemon.state import library as rows
from daemon.state.pins import Pin
from daemon.state.store import Connection, Store

log = structlog.get_logger()

_NO_FILE = "Plex lists no file of it"


@dataclass(frozen=True, slots=True)
class _Seen:
    """A pin as it is to be recorded, what there is at and below it, and what is amiss with it (empty: nothing)."""

    pin: Pin
    leaves: Sequence[Item] = ()
    problem: str = ""


class Pins:
    """Asks Plex what is at and below each pin now.

    A pinned show means all its episodes, specials included; a season all of its. What Plex has no longer under the
    pin's rating key, or has given that key to, is looked for by guid; a season or an episode by its show's guid and by
    its number. What is not found so, or more than once, stays pinned as it is, without a demand, and is named.
    """

    kind = DemandKind.PINNED

    def __init__(self, library: PlexLibrary, store: Store, index: LibraryIndex) -> None:
        self._library = library
        self._store = store
        self._index = index
        self._read: Sequence[Pin] = ()

    async def fetch(self) -> Fetched:
        """Return the demands of all pins. Raises PlexError; then what was known stands."""
        self._read = await self._store.run(pins.all_pins)
        seen = [await self._see(pin) for pin in self._read]
        if any(one.problem for one in seen):
            await self._demand_health()
        await self._take_over(seen)
        demands: dict[str, Demand] = {}
        items: dict[str, Item] = {}
        for one in seen:
            for demand in demands_of(one.pin, one.leaves):
                # The oldest pin comes first and counts.
                demands.setdefault(demand.rating_key, demand)
            items |= {item.rating_key: item for item in items_of(one.pin, one.leaves)}
        named = tuple(
            f"{one.pin.title} ({one.pin.type} {one.pin.rating_key}): {one.problem}" for one in seen if one.problem
        )
        return Fetched(tuple(demands.values()), tuple(items.values()), named)

    def is_current(self, connection: Connection) -> bool:
        """Say whether nothing was pinned or unpinned since the last fetch began: only then does its answer count."""
        return pins.all_pins(connection) == self._read

    async def _see(self, pin: Pin) -> _Seen:
        try:
            leaves = await self._leaves(pin)
        except PlexNotFound:
            return await self._found_again(pin, "Plex has it no longer")
        new = await identified(self._library, self._store, pin, leaves)
        if pin.guids and new.guids and not set(pin.guids) & set(new.guids):
            files = {file.plex_path for leaf in leaves for file in leaf.files}
            known = await self._store.run(lambda c: pins.known_files(c, [leaf.rating_key for leaf in leaves]))
            if not files & known:
                return await self._found_again(pin, "Plex has something else under its key")
            # The same file, matched anew.
        return _Seen(new, leaves, "" if leaves else _NO_FILE)

    async def _leaves(self, pin: Pin) -> list[Item]:
        leaves = await self._library.leaves(pin.rating_key)
        if not leaves and (await self._store.run(lambda c: pins.extent(c, pin.rating_key))).files:
            # What is gone Plex does not know; where it knows it and lists nothing, it is not itself.
            raise PlexUnavailable(f"Plex suddenly lists nothing of {pin.title}")
        return leaves

    async def _found_again(self, pin: Pin, lost: str) -> _Seen:
        """Look for what is no longer under its key. Raises PlexError."""
        if not pin.guids:
            return _Seen(pin, problem=f"{lost}, and its guid is not known")
        await self._demand_health()
        await self._index.ensure()
        found = await self._index.find(pin.guids, ItemType.MOVIE if pin.type is ItemType.MOVIE else ItemType.SHOW)
        keys = [key for above, _ in found for key in await self._below(pin, above) if key != pin.rating_key]
        if len(keys) != 1:
            nothing = f"{lost}, and nothing else with its guid"
            return _Seen(pin, problem=f"{lost}, and several with its guid: {', '.join(keys)}" if keys else nothing)
        try:
            leaves = await self._library.leaves(keys[0])
        except PlexNotFound:
            return _Seen(pin, problem=f"{lost}, and nothing else with its guid")
        log.info("pin_followed", title=pin.title, rating_key=keys[0], before=pin.rating_key)
        new = await identified(self._library, self._store, replace(pin, rating_key=keys[0]), leaves)
        return _Seen(new, leaves, "" if leaves else _NO_FILE)

    async def _below(self, pin: Pin, above: str) -> list[str]:
        """Return the rating keys of what the pin means of a movie or show."""
        try:
            match pin.type:
                case ItemType.SEASON:
                    answer = await self._library.reader().query("seasons", f"{metadata(above)}/children")
                    below = [one for one in elements.items(answer) if one.type is ItemType.SEASON]
                case ItemType.EPISODE:
                    below = await self._library.reader().episodes(above)
                case _:
                    return [above]
        except PlexNotFound:
            return []  # the index still names it
        return [one.rating_key for one in below if (one.season, one.episode) == (pin.season, pin.episode)]

    async def _take_over(self, seen: Sequence[_Seen]) -> None:
        """Record what the pins are called and found by now, unless somebody has pinned something meanwhile."""
        new = [one.pin for one in seen]

        def work(connection: Connection) -> Sequence[Pin]:
            if new == self._read or pins.all_pins(connection) != self._read:
                return self._read
            pins.replace_all(connection, new)
            for before, one in zip(self._read, seen, strict=True):
                if one.pin.rating_key != before.rating_key:
                    # Whoever unpins something else before this answer is recorded drops what no pin covers.
                    demands.put_items(connection, items_of(one.pin, one.leaves))
                    demands.apply(connection, Changes(put_demands=demands_of(one.pin, one.leaves)))
            return pins.all_pins(connection)

        self._read = await self._store.run(work)

    async def _demand_health(self) -> None:
        """Raise PlexUnavailable where a server that is not itself (no libraries) knows nothing of what is pinned."""
        if not await self._library.sections():
            raise PlexUnavailable("Plex lists no libraries")


async def identified(library: PlexLibrary, store: Store, pin: Pin, leaves: Sequence[Item]) -> Pin:
    """Return the pin with that by which it is found again, as the index or else Plex names it now.

    `leaves` is all that is at and below it. What cannot be found out stays as it was. Raises PlexError.
    """
    first = leaves[0] if leaves else None
    match pin.type:
        case ItemType.MOVIE:
            new, above, said = pin, pin.rating_key, first.guid if first else ""
        case ItemType.SHOW:
            new, above, said = pin, pin.rating_key, ""
        case _ if first is None:
            return pin
        case kind:
            episode = first.episode if kind is ItemType.EPISODE else 0
            new, above, said = replace(pin, season=first.season, episode=episode), first.show, ""
    known = await store.run(lambda connection: rows.guids(connection, above))
    if not known and not said and above:
        item = await _item(library, above)
        said = item.guid if item else ""
    guids = sorted({*known, normalised(said)} - {""})
    return replace(new, guids=tuple(guids) or pin.guids)


async def _item(library: PlexLibrary, key: str) -> Item | None:
    try:
        return await library.item(key)
    except PlexNotFound:
        return None


def demands_of(pin: Pin, leaves: Iterable[Item]) -> tuple[Demand, ...]:
    """Return what a pin demands, given all that is at and below it."""
    return tuple(Demand(leaf.rating_key, DemandKind.PINNED, "", pin.since, show=leaf.show) for leaf in leaves)


def items_of(pin: Pin, leaves: Sequence[Item]) -> list[Item]:
    """Return the items to be recorded for a pin; a season's own as well, which says which episodes are its."""
    if pin.type is not ItemType.SEASON or not leaves:
        return list(leaves)
    season = Item(pin.rating_key, ItemType.SEASON, pin.title, show=leaves[0].show, season=leaves[0].season)
    return [*leaves, season]
