"""The figures that change with every task: the metrics' gauges, and the one line that systemd shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from daemon.clock import Clock
from daemon.feed import Feed
from daemon.health import Health
from daemon.live import Live
from daemon.metrics import Metrics
from daemon.model import TaskState
from daemon.plex.listener import Listener
from daemon.state import ledger, sources, tasks
from daemon.state.store import Connection, Store


class Figures:
    """Reads the figures anew whenever something has happened. `line` says how the daemon is."""

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        feed: Feed,
        metrics: Metrics,
        health: Health,
        listener: Listener,
        line: Callable[[], str],
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._feed = feed
        self._health = health
        self._listener = listener
        self._line = line
        self._cached = (0, 0)
        self._counts: dict[str, int] = {}
        metrics.watch_cached(lambda: self._cached)
        self._failing: Counter[str] = Counter()
        metrics.watch_sources(lambda: self._failing)
        metrics.watch_tasks(lambda: {TaskState(name): count for name, count in self._counts.items()})
        metrics.watch_notifications(lambda: self._listener.notifications.connected, self._notification_age)

    async def run(self, tell: Callable[[str], None]) -> None:
        """Keep them current, and tell the line. Never returns."""
        async with self._feed.subscribe() as notices:
            await self._refresh(tell)
            async for notice in notices:
                if notice.kind != "progress":
                    await self._refresh(tell)

    async def _refresh(self, tell: Callable[[str], None]) -> None:
        def read(connection: Connection) -> tuple[tuple[int, int], dict[str, int], dict[str, int], list[str]]:
            failing = [str(one.kind) for one in sources.states(connection) if one.failed_since is not None]
            return ledger.totals(connection), tasks.counts(connection), ledger.by_mapping(connection), failing

        self._cached, self._counts, held, failing = await self._store.run(read)
        self._failing = Counter(failing)
        known = {mapping.name for mapping in self._live.mappings.all}
        self._health.stranded = {name: count for name, count in held.items() if name not in known}
        tell(self._line())

    def _notification_age(self) -> float | None:
        last = self._listener.notifications.last_frame_at
        return None if last is None else self._clock.now() - last
