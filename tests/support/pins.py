"""Pins on a whole daemon, and faults that every source must outlive."""

from __future__ import annotations

from typing import Any

from daemon.demo.faults import truncated
from daemon.model import Demand, DemandKind, Fetched
from daemon.pinning import Pinning
from daemon.sources.base import CommonSource
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


async def wishes(store: Store, kind: DemandKind) -> dict[str, Demand]:
    """Return the demands of a kind by rating key."""
    found = await store.run(demands.all_demands)
    return {one.rating_key: one for one in found if one.kind is kind}


async def read(store: Store, source: CommonSource, now: float = 1.0) -> Fetched:
    """Have a source read, and its answer recorded as a refresh does."""
    fetched = await source.fetch()
    await store.run(lambda connection: sources.put_fetched(connection, source.kind, "", fetched, now))
    return fetched
