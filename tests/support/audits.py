"""Two tiers, a ledger and an audit of them, in this process and without a daemon."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from daemon.auditing import Auditing, Outcome
from daemon.config import build
from daemon.custody import Custody, entered
from daemon.departures import at_once
from daemon.live import Live
from daemon.model import Entry
from daemon.state import journal, ledger
from daemon.state.store import Store
from daemon.storage.findings import Finding
from tests.support.files import LONG_AGO, Tiers, threads

NOW = 1_700_000_000.0
E1 = "Show/e1.mkv"


@dataclass
class Audited:
    """What an audit looks at, and what tests do to it."""

    tiers: Tiers
    store: Store
    custody: Custody
    auditing: Auditing
    touches: list[tuple[str, str]] = field(default_factory=list)

    async def cache_in(self, name: str = E1, content: bytes = b"film") -> Entry:
        """Put a file on the array and bring it in; return its entry."""
        found = await self.custody.cache_in(self.tiers.film(name, content))
        await self.store.run(partial(entered, entries=found))
        return found[0]

    def write(self, path: Path, content: bytes = b"film", *, mtime_ns: int = LONG_AGO) -> Path:
        """Write a file as another program would."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(mtime_ns, mtime_ns))
        return path

    async def found(self, *, array: bool = True) -> list[Finding]:
        """Audit."""
        return await self.auditing.run(array=array)

    async def names(self, *, array: bool = True) -> list[str]:
        """Audit, and return the names of the findings."""
        return [finding.name.value for finding in await self.found(array=array)]

    async def fix(self, *names: str, array: bool = True) -> list[Outcome]:
        """Fix what is named."""
        return await self.auditing.fix(names, array=array)

    async def entries(self) -> list[Entry]:
        """Return the ledger."""
        return await self.store.run(ledger.all_entries)

    async def journal(self) -> list[str]:
        """Return what the journal holds open."""
        return [row.entry.file.array_path for row in await self.store.run(journal.rows)]


@asynccontextmanager
async def audited(root: Path, *, unraid: dict[str, Any] | None = None, **mapping: Any) -> AsyncIterator[Audited]:
    """Have tiers below `root`, and everything that an audit of them needs."""
    (root / "state").mkdir(exist_ok=True)
    with threads() as executor:
        async with Store(root / "state") as store:
            yield _built(root, executor, store, unraid or {}, mapping)


def _built(
    root: Path, executor: ThreadPoolExecutor, store: Store, unraid: dict[str, Any], mapping: dict[str, Any]
) -> Audited:
    tiers = Tiers(root, executor, transfer={"sidecars": "none"}, **mapping)
    (tiers.array / "always.txt").touch()
    settings = build(
        {"plex": {"token": "t"}, "unraid": unraid, "mapping": [tiers.mapping.model_dump()]},
    )
    live = Live(settings)
    custody = Custody(store, tiers.placement)
    touches: list[tuple[str, str]] = []
    auditing = Auditing(
        store,
        live,
        executor,
        custody,
        now=lambda: NOW,
        touch=lambda operation, reason: touches.append((operation, reason)),
        evict=at_once(store, live, custody),
    )
    return Audited(tiers, store, custody, auditing, touches)
