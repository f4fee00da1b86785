"""What is done first after a start: rows and disk are brought together, whatever happened before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from daemon.config import MappingSettings
from daemon.custody import Custody
from daemon.reconcile import Reconcile
from daemon.state import tasks
from daemon.state.store import Store
from daemon.storage.placement import Placement

log = structlog.get_logger()


async def recover(
    store: Store,
    placement: Placement,
    custody: Custody,
    reconcile: Reconcile,
    mappings: Sequence[MappingSettings],
    now: float,
) -> None:
    """Finish or undo what was interrupted, put tasks back, and look at every copy. May be repeated."""
    # All of them: a copy to a mapping that has been disabled since may have been under way.
    await asyncio.to_thread(placement.sweep, mappings)
    await reconcile.restore()
    for settled in await custody.recover():
        outcome = "is in the ledger" if settled.cached else "is not on the cache"
        log.info("recovered", path=settled.entry.file.array_path, why=f"interrupted half-way; it {outcome}")
    for task in await store.run(lambda connection: tasks.requeue_running(connection, now)):
        log.info("recovered", path=task.file.array_path, why=f"an interrupted {task.kind} waits again")
    await reconcile.look()
    await reconcile.remember()
