"""A process with the real store, journal and placement, and nothing else: to be killed, starved and lied to.

``python -m tests.support.actor JSON ACTION [NAME] …``; the actions are ``recover``, ``cache_in NAME``, ``evict NAME``,
``delete NAME`` (somebody has deleted it) and ``follow OLD>NEW`` (somebody has renamed it).
The JSON object holds ``root`` (with the folders ``array``, ``cache`` and ``state`` below it) and keys of the mapping;
with ``alone`` true everything happens in the main thread, in the one order that there is.
Says ``done ACTION`` on standard output after each, or ``failed ACTION: …``, and goes on.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from daemon.config import LogSettings, TransferSettings
from daemon.custody import Custody, entered
from daemon.errors import OndeckdError
from daemon.logs import configure
from daemon.state.store import Store
from daemon.storage.paths import Mappings
from daemon.storage.placement import Placement
from tests.support.files import mapping
from tests.support.inline import Inline


def to_standard_output(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def act(
    given: dict[str, Any],
    actions: Iterator[str],
    prepare: Callable[[], object] | None = None,
    tell: Callable[[str], None] = to_standard_output,
) -> None:
    """Do everything that is asked for, one after the other, and `tell` how each ended.

    The thread that touches the tiers begins with `prepare`.
    """
    alone = given.pop("alone", False)
    root, transfer = Path(given.pop("root")), TransferSettings(sidecars="all", verify=given.pop("verify", "size"))
    chosen = mapping(root, **given)
    mappings = Mappings([chosen])
    # One thread, so that a system call that is counted is the same each time.
    with Inline(prepare) if alone else ThreadPoolExecutor(1, initializer=prepare) as executor:
        store = Store(root / "state")
        if alone:
            store._executor = executor
        async with store:
            placement = Placement(mappings, transfer, executor, on_touch=lambda *_: None, now=time.time)
            custody = Custody(store, placement)
            for action in actions:
                name = "" if action == "recover" else next(actions)
                try:
                    if action == "recover":
                        placement.sweep([chosen])
                        await custody.recover()
                    elif action == "cache_in":
                        found = await custody.cache_in(mappings.resolve(f"/data/tv/{name}"))
                        await store.run(partial(entered, entries=found))
                    elif action == "delete":
                        await custody.delete(mappings.resolve(f"/data/tv/{name}").array_path)
                    elif action == "follow":
                        old, new = (mappings.resolve(f"/data/tv/{one}") for one in name.split(">"))
                        await custody.follow(old, new)
                    else:
                        await custody.evict(mappings.resolve(f"/data/tv/{name}").array_path)
                except OndeckdError as error:
                    tell(f"failed {action}: {type(error).__name__}: {error}")
                else:
                    tell(f"done {action}")


if __name__ == "__main__":
    configure(LogSettings(), sys.stderr)
    asyncio.run(act(json.loads(sys.argv[1]), iter(sys.argv[2:])))
