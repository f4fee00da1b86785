"""The workers with everything below them, on real tiers, and nobody who plans."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.asking import Asker
from daemon.clock import Clock
from daemon.config import build
from daemon.custody import Custody
from daemon.dispatch import Dispatcher
from daemon.feed import Feed
from daemon.holds import Holds
from daemon.jobs import Jobs
from daemon.live import Live
from daemon.metrics import Metrics
from daemon.model import Task, TaskKind, TaskState
from daemon.plexlinks import PlexLinks
from daemon.progress import Progress
from daemon.quiet import ArrayWatch, Disks
from daemon.rooms import Rooms
from daemon.state import tasks
from daemon.state.store import Store
from daemon.storage.placement import Placement
from daemon.workers import Workers

PATIENCE = 60.0
"""Seconds after which something that was waited for counts as never happening."""
CONTENT = b"film" * 5_000


@dataclass
class Household:
    """The workers with everything below them, and nobody who plans.

    `streaming` names the mappings from whose array somebody plays.
    """

    live: Live
    store: Store
    clock: Clock
    feed: Feed
    dispatcher: Dispatcher
    holds: Holds
    metrics: Metrics
    streaming: set[str] = field(default_factory=set)

    def film(self, mapping: str, number: int) -> str:
        """Put a file on the array; return its path as Plex says it."""
        path = Path(self.live.mappings.by_name(mapping).array, f"{number}", "film.mkv")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(CONTENT)
        return f"/data/{mapping}/{number}/film.mkv"

    async def ask(self, kind: TaskKind, *paths: str, urgent: bool = True) -> None:
        """Bring tasks onto the queue."""
        files = [self.live.mappings.resolve(path, len(CONTENT)) for path in paths]

        def put(connection: Any) -> None:
            for file in files:
                new = tasks.NewTask(kind, file, 1, "asked for", urgent=urgent)
                tasks.put(connection, new, self.clock.now())

        await self.store.run(put)
        self.dispatcher.tasks_added.ring()

    async def tasks(self, *states: TaskState) -> list[Task]:
        """Return the tasks in these states."""
        return await self.store.run(lambda connection: tasks.in_state(connection, *states))

    async def until_done(self, count: int) -> None:
        """Wait until so many tasks have succeeded."""
        async with asyncio.timeout(PATIENCE), self.feed.subscribe() as notices:
            while len(await self.tasks(TaskState.SUCCEEDED)) < count:
                await anext(notices)

    async def until_failed(self) -> Task:
        """Wait until a task has failed; return it."""
        async with asyncio.timeout(PATIENCE), self.feed.subscribe() as notices:
            while not (found := await self.tasks(TaskState.FAILED)):
                await anext(notices)
        (failed,) = found
        return failed

    async def spent(self) -> list[int]:
        """Return the attempts of what waits or runs, most first."""
        found = await self.tasks(TaskState.QUEUED, TaskState.RUNNING)
        return sorted((task.attempts for task in found), reverse=True)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is so; looked at whenever mappings are held or released."""
        async with asyncio.timeout(PATIENCE):
            bell = self.dispatcher.tasks_added
            while not holds():
                await bell.wait(bell.rings, None)

    def hurry(self) -> None:
        """Let time run: until then nothing that is held is tried again while the test looks."""
        self.clock.speed = 600.0
        self.dispatcher.tasks_added.ring()

    def copies(self, mapping: str) -> int:
        """Return how many copies stand on the cache."""
        return len(list(Path(self.live.mappings.by_name(mapping).cache).glob("*/film.mkv")))


@asynccontextmanager
async def household(
    folder: Path,
    speed: float = 600.0,
    *,
    clock: Clock | None = None,
    schedule: Mapping[str, str] | None = None,
    disks: Disks | None = None,
    **placements: str,
) -> AsyncIterator[Household]:
    """Have mappings of these names and placements below `folder`, one worker each way, and a fast clock.

    With a `schedule` what is not urgent waits for the array; each mapping has one of its own, and `disks` says what
    spins.
    """
    mappings = []
    for name, placement in placements.items():
        serve, _, original = placement.partition("+")
        array, cache = folder / "array" / name, folder / "cache" / name
        for root in (array, cache):
            root.mkdir(parents=True, exist_ok=True)
        (array / "read me").touch()
        paths = {"plex": f"/data/{name}", "array": str(array), "cache": str(cache)}
        mappings.append({"name": name, "serve": serve, "original": original, **paths})
    live, clock, feed, metrics = (
        Live(build({"mapping": mappings, "transfer": {"to_cache": 1, "to_array": 1}, "schedule": schedule or {}})),
        clock or Clock(speed),
        Feed(),
        Metrics("test"),
    )
    (folder / "state").mkdir()
    with ThreadPoolExecutor(8) as executor:
        async with Store(folder / "state") as store:
            asker, progress = Asker(executor), Progress(feed)
            dispatcher = Dispatcher(
                store,
                live,
                clock,
                feed,
                metrics,
                Rooms(live, asker),
                sessions_known=lambda: True,
                copying=progress.copying,
                take_back=lambda _: None,
            )
            holds = Holds(live, store, clock, asker, dispatcher.tasks_added)
            home = Household(live, store, clock, feed, dispatcher, holds, metrics)
            arrays = ArrayWatch(
                live,
                clock,
                feed,
                metrics,
                dispatcher.tasks_added,
                streams=home.streaming.__contains__,
                on_file_systems=lambda paths: {path: path for path in paths},
                disks=disks or _silent,
            )
            placement_ = Placement(live.mappings, live.settings.transfer, executor, on_touch=arrays.touched)
            custody, links = Custody(store, placement_), PlexLinks(store, live, clock, _never_says)
            jobs = Jobs(store, live, clock, feed, metrics, dispatcher, custody, progress, holds, links)
            watch = None if schedule is None else arrays
            workers = Workers(store, live, clock, dispatcher, jobs, holds, may_evict=lambda: True, arrays=watch)
            async with asyncio.TaskGroup() as group:
                looking = [group.create_task(holds.run()), group.create_task(arrays.run())]
                group.create_task(workers.run())
                try:
                    yield home
                finally:
                    for one in looking:
                        one.cancel()
                    workers.stop()


async def _silent() -> None:
    return None


async def _never_says(_rating_key: str, _path: str) -> bool | None:
    return None
