"""What people have pinned: it is wanted always, and so is every new episode of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from daemon.errors import PlexNotFound, PlexUnavailable
from daemon.model import Demand, DemandKind, Fetched, Item, ItemType
from daemon.plex.library import PlexLibrary
from daemon.state import pins
from daemon.state.pins import Pin
from daemon.state.store import Connection, Store


class Pins:
    """Asks Plex what is at and below each pin now.

    A pinned show means all its episodes, specials included; a season all of its. What Plex does not know any more
    stays pinned without a demand and is named: a scan may bring it back under the same key.
    """

    kind = DemandKind.PINNED

    def __init__(self, library: PlexLibrary, store: Store) -> None:
        self._library = library
        self._store = store
        self._read: Sequence[Pin] = ()

    async def fetch(self) -> Fetched:
        """Return the demands of all pins. Raises PlexError; then what was known stands."""
        self._read = await self._store.run(pins.all_pins)
        demands: dict[str, Demand] = {}
        items: dict[str, Item] = {}
        unmatched: list[Pin] = []
        for pin in self._read:
            leaves = await self._leaves(pin)
            if not leaves:
                unmatched.append(pin)
            for demand in demands_of(pin, leaves):
                # The oldest pin comes first and counts.
                demands.setdefault(demand.rating_key, demand)
            items |= {item.rating_key: item for item in items_of(pin, leaves)}
        if unmatched:
            await self._demand_health()
        named = tuple(f"{pin.title} ({pin.type} {pin.rating_key}): Plex lists no file of it" for pin in unmatched)
        return Fetched(tuple(demands.values()), tuple(items.values()), named)

    def is_current(self, connection: Connection) -> bool:
        """Say whether nothing was pinned or unpinned since the last fetch began: only then does its answer count."""
        return pins.all_pins(connection) == self._read

    async def _leaves(self, pin: Pin) -> list[Item]:
        try:
            leaves = await self._library.leaves(pin.rating_key)
        except PlexNotFound:
            return []
        if not leaves and (await self._store.run(lambda c: pins.extent(c, pin.rating_key))).files:
            # What is gone Plex does not know; where it knows it and lists nothing, it is not itself.
            raise PlexUnavailable(f"Plex suddenly lists nothing of {pin.title}")
        return leaves

    async def _demand_health(self) -> None:
        """Raise PlexUnavailable where a server that is not itself (no libraries) knows nothing of what is pinned."""
        if not await self._library.sections():
            raise PlexUnavailable("Plex lists no libraries")


def demands_of(pin: Pin, leaves: Iterable[Item]) -> tuple[Demand, ...]:
    """Return what a pin demands, given all that is at and below it."""
    return tuple(Demand(leaf.rating_key, DemandKind.PINNED, "", pin.since, show=leaf.show) for leaf in leaves)


def items_of(pin: Pin, leaves: Sequence[Item]) -> list[Item]:
    """Return the items to be recorded for a pin; a season's own as well, which says which episodes are its."""
    if pin.type is not ItemType.SEASON or not leaves:
        return list(leaves)
    season = Item(pin.rating_key, ItemType.SEASON, pin.title, show=leaves[0].show, season=leaves[0].season)
    return [*leaves, season]
