"""A process with the real store, journal and placement, and nothing else: to be killed, starved and lied to.

``python -m tests.support.actor JSON ACTION [NAME] …`` with the actions ``recover``, ``cache_in NAME``, ``evict NAME``.
The JSON object holds ``root`` (with the folders ``array``, ``cache`` and ``state`` below it) and settings of the mapping.
Says ``done ACTION`` on standard output after each, or ``failed ACTION: …``, and goes on.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from daemon.config import LogSettings, TransferSettings
from daemon.custody import Custody, entered
from daemon.errors import OndeckdError
from daemon.logs import configure
from daemon.state.store import Store
from daemon.storage.paths import Mappings
from daemon.storage.placement import Placement
from tests.support.files import mapping


async def act(given: dict[str, str], actions: Iterator[str]) -> None:
    """Do everything that is asked for, one after the other."""
    root, transfer = Path(given.pop("root")), TransferSettings(sidecars="all", verify=given.pop("verify", "size"))
    chosen = mapping(root, **given)
    mappings = Mappings([chosen])
    store = Store(root / "state")
    # One thread, so that a system call that is counted is the same each time.
    with ThreadPoolExecutor(1) as executor:
        async with store:
            placement = Placement(mappings, transfer, executor, on_touch=lambda *_: None, now=time.time)
            custody = Custody(store, placement)
            for action in actions:
                try:
                    if action == "recover":
                        placement.sweep([chosen])
                        await custody.recover()
                    elif action == "cache_in":
                        entries = await custody.cache_in(mappings.resolve(f"/data/tv/{next(actions)}"))
                        await store.run(lambda connection, held=entries: entered(connection, held))
                    elif action == "evict":
                        await custody.evict(mappings.resolve(f"/data/tv/{next(actions)}").array_path)
                except OndeckdError as error:
                    print(f"failed {action}: {type(error).__name__}: {error}", flush=True)
                else:
                    print(f"done {action}", flush=True)


if __name__ == "__main__":
    configure(LogSettings(), sys.stderr)
    asyncio.run(act(json.loads(sys.argv[1]), iter(sys.argv[2:])))
