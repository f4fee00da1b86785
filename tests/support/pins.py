"""Pins on a whole daemon, and faults that every source must outlive."""

from __future__ import annotations

from typing import Any

from daemon.demo.faults import truncated
from daemon.demo.library import Library
from daemon.model import Demand, DemandKind, Fetched
from daemon.pinning import Pinning
from daemon.sources.base import CommonSource
from daemon.sources.index import LibraryIndex
from daemon.sources.pins import Pins
from daemon.state import demands, sources
from daemon.state.store import Store
from tests.support.daemon import House

FAULTS: dict[str, dict[str, Any]] = {
    "401": {"status": 401},
    "429": {"status": 429},
    "500": {"status": 500},
    "503": {"status": 503},
    "empty body": {"body": b"", "content_type": "text/xml"},
    "no list": {"body": b"<html></html>", "content_type": "text/html"},
    "truncated": {"mangle": truncated},
    "reset": {"reset": True},
}
"""What a Plex server may answer that says nothing about what is wanted."""


def pinning(house: House) -> Pinning:
    """Return what pins on this house's daemon."""
    core = house.app.core
    return Pinning(
        core.store,
        core.live,
        house.clock,
        core.dispatcher,
        core.library,
        measure=core._rooms.measure,
        look=core.reconcile.look,
        changed=lambda: None,
    )


def source_of(house: House) -> Pins:
    """Return what reads the pins of this house's daemon, with an index that has not just been looked at."""
    core = house.app.core
    return Pins(core.library, core.store, LibraryIndex(core.library, core.store, house.clock))


async def refresh(house: House) -> tuple[str, ...]:
    """Have the pins read as a refresh does, and the plan made anew; return what is amiss with any of them."""
    core = house.app.core
    fetched = await read(core.store, source_of(house), house.clock.now())
    core.dispatcher.request_replan()
    return fetched.unmatched


def brought_back(library: Library, key: str) -> dict[str, str]:
    """Delete an item with all below it and add it again; return the new rating keys by the old ones."""
    renamed: dict[str, str] = {}
    for node in reversed(library.remove(key)):
        old, node.key, node.children = node.key, "", []
        node.parent = renamed.get(node.parent, node.parent)
        renamed[old] = library.add(node).key
    return renamed


async def wishes(store: Store, kind: DemandKind) -> dict[str, Demand]:
    """Return the demands of a kind by rating key."""
    found = await store.run(demands.all_demands)
    return {one.rating_key: one for one in found if one.kind is kind}


async def read(store: Store, source: CommonSource, now: float = 1.0) -> Fetched:
    """Have a source read, and its answer recorded as a refresh does."""
    fetched = await source.fetch()
    await store.run(lambda connection: sources.put_fetched(connection, source.kind, "", fetched, now))
    return fetched
