"""What follows changes of the library, on a household's files and rows alone, or within a running daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from daemon.arrchanges import ArrChanges
from daemon.clock import Clock
from daemon.config import build
from daemon.feed import Feed
from daemon.librarychanges import LibraryChanges, Wakes
from daemon.live import Live
from daemon.model import Changes, Demand, DemandKind, Item, ItemType, MediaFile
from daemon.state import announced, demands
from daemon.state.store import Connection
from tests.support.daemon import House
from tests.support.outside import E1, Household

KEY = "40"


class ByHand(Clock):
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1_700_000_000.0

    def now(self) -> float:
        """Return the moment."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self._now += seconds


def live_of(home: Household) -> Live:
    """Return the settings of a household."""
    mapping = home.tiers.mapping.model_dump(exclude_unset=True)
    return Live(build({"plex": {"token": "t"}, "mapping": [mapping]}))


class Arr:
    """Somebody who announces, to a household on real files, and a clock that moves by hand."""

    def __init__(self, home: Household) -> None:
        self.home = home
        self.clock = ByHand()
        self.feed = Feed()
        self.changes = self._make()

    def _make(self) -> ArrChanges:
        home = self.home
        return ArrChanges(home.store, live_of(home), self.clock, self.feed, home.custody, change=partial(_change, home))

    def restart(self) -> None:
        """Forget all that is no row."""
        self.changes = self._make()

    async def says(self, payload: dict[str, Any], app: str = "sonarr") -> float | None:
        """Have something announced and acted on; return the seconds after which it is tried again."""
        await self.changes.announce(app, payload)
        return await self.changes.act()

    async def waiting(self) -> list[announced.Announced]:
        """Return what nobody could act on yet."""
        return await self.home.store.run(partial(announced.due, now=float("inf")))

    async def demand(self, name: str = E1, size: int = 0) -> None:
        """Have somebody want an item with this file."""
        item = Item(KEY, ItemType.EPISODE, "Pilot", files=(MediaFile(f"/data/tv/{name}", size, "1"),), show="20")
        demand = Demand(KEY, DemandKind.ON_DECK, "1", 0.0, show="20")

        def work(connection: Connection) -> None:
            demands.put_items(connection, [item])
            demands.apply(connection, Changes(put_demands=(demand,)))

        await self.home.store.run(work)

    async def listed(self) -> list[str]:
        """Return the files that the item is known to have."""
        known = await self.home.store.run(lambda connection: demands.item(connection, KEY))
        return [file.plex_path.removeprefix("/data/tv/") for file in known.files] if known else []


async def _change(home: Household, work: Callable[[Connection], object]) -> object:
    return await home.store.run(work)


class Attached:
    """What follows changes, within a daemon; with an ear at what it wakes."""

    def __init__(self, house: House) -> None:
        core = house.app.core
        self.shows: list[frozenset[str]] = []
        self.arr = ArrChanges(
            core.store, core.live, house.clock, core.feed, core.keeping.custody, change=core.dispatcher.change
        )
        wakes = Wakes(
            copies_soon=core.reconcile.soon,
            sources_soon=self.shows.append,
            plays_again=core.listener.look_ahead,
            tasks_added=core.dispatcher.tasks_added.ring,
        )
        self.library = LibraryChanges(
            core.store,
            house.clock,
            core.library,
            self.arr,
            change=core.dispatcher.change,
            wakes=wakes,
            index=core.sourcing.index.note_changed,
        )
        core.listener.news.on_change = self.library.note


@asynccontextmanager
async def attached(house: House) -> AsyncIterator[Attached]:
    """Have a running daemon follow changes of its library."""
    found = Attached(house)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(found.library.run())
        yield found
        running.cancel()
