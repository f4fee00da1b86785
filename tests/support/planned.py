"""A household of rows alone: a real store and dispatcher, and tasks that are carried out on the rows."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import handlers.retention
from daemon.clock import Clock
from daemon.config import build
from daemon.dispatch import Dispatcher
from daemon.feed import Feed
from daemon.live import Live
from daemon.metrics import Metrics
from daemon.model import (
    Changes,
    Demand,
    DemandKind,
    Entry,
    File,
    Item,
    Plan,
    Play,
    PlaybackChanged,
    PlaybackConfirmed,
    PlaybackStarted,
    PlaybackStopped,
    Retention,
    Task,
    TaskKind,
    TaskState,
)
from daemon.planning.planner import FULL
from daemon.rooms import Rooms
from daemon.state import demands, ledger, tasks
from daemon.state.store import Connection, Store
from tests.support.values import ALICE, BOB, GB, NOW, episode, play

HOUR = 3600.0
EPISODES = [
    episode(number, size=(number * 7 % 5 + 1) * 4 * GB, show=show) for show in ("100", "200") for number in range(1, 7)
]
TOTAL = 100 * GB


class Time(Clock):
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.at = NOW

    def now(self) -> float:
        return self.at


@dataclass
class Disk(Rooms):
    """A cache of `TOTAL` bytes, of which somebody else uses `foreign`."""

    foreign: int
    files: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    full: dict[str, str] = field(default_factory=dict)

    @property
    def free(self) -> int:
        return TOTAL - self.foreign - sum(self.files.values())

    async def measure(self) -> dict[str, tuple[str, int, int]]:
        return {"TV": ("cache", TOTAL, max(0, self.free))}

    def note_full(self, refused: Any) -> None:
        """Nobody looks."""


Step = Callable[["House"], Awaitable[None]]


class House:
    """A real store and a real dispatcher; what carries the tasks out is simulated."""

    def __init__(self, store: Store, tables: dict[str, Any], foreign: int, sidecars: int) -> None:
        self.store, self.clock, self.disk, self.sidecars = store, Time(), Disk(foreign), sidecars
        mapping = {"name": "TV", "plex": "/data/tv", "array": "/mnt/user0/tv", "cache": "/mnt/cache/tv"}
        self.live = Live(build({"mapping": [mapping], **tables}))
        self.known = True
        self.plays: dict[str, Play] = {}
        self.dispatcher = Dispatcher(
            store,
            self.live,
            self.clock,
            Feed(),
            Metrics("test"),
            self.disk,
            sessions_known=lambda: self.known,
            copying=dict,
            take_back=lambda _: None,
        )

    async def change(self, *, items: list[Item] | None = None, **changes: Any) -> None:
        """Apply changes to the rows and plan, as sources and handlers do."""

        def work(connection: Connection) -> None:
            demands.put_items(connection, items or [])
            demands.apply(connection, Changes(**changes))

        await self.dispatcher.change(work)

    async def preview(self) -> Plan:
        return await self.dispatcher.preview(lambda _, made: made)

    async def queue(self) -> list[Task]:
        return await self.store.run(lambda connection: tasks.in_state(connection, TaskState.QUEUED))

    async def held(self) -> list[Entry]:
        return await self.store.run(ledger.all_entries)

    async def carry_out(self, task: Task) -> None:
        """Do what a task says, and plan anew in the transaction that records it, as the workers do."""
        parent = task.file.array_path
        if task.kind is TaskKind.EVICT:
            gone = [one.file.array_path for one in await self.held() if parent in {one.file.array_path, one.parent}]
            for path in gone:
                del self.disk.files[path]
        else:
            arrived = self.arriving(task.file)
            self.disk.files |= {one.file.array_path: one.file.size for one in arrived}

        def work(connection: Connection) -> None:
            tasks.finish(connection, task.id, TaskState.SUCCEEDED, self.clock.now())
            if task.kind is TaskKind.EVICT:
                for path in gone:
                    ledger.drop_entry(connection, path)
            else:
                ledger.put_entries(connection, arrived)

        await self.dispatcher.change(work)

    def arriving(self, file: File) -> list[Entry]:
        """Return the entries of a file that is put on the cache: itself, and maybe its subtitles."""
        video = Entry(file, 1, self.clock.now())
        if not self.sidecars:
            return [video]
        names = [f"{path}.srt" for path in (file.plex_path, file.array_path, file.cache_path)]
        subtitles = File(names[0], names[1], names[2], file.mapping, self.sidecars)
        return [video, Entry(subtitles, 1, self.clock.now(), parent=file.array_path)]

    async def settle(self) -> None:
        """Carry out all that is on the queue and that follows from it; no file moves twice meanwhile.

        But where one comes with its subtitles for the first time nobody knew how much that is: it, or another, may have
        to leave again.
        """
        moved: Counter[str] = Counter()
        while waiting := await self.queue():
            first = waiting[0]
            path = first.file.array_path
            if await self.is_known(path):
                moved[path] += 1
            else:
                moved.clear()
            assert moved[path] <= 1, f"{first.kind} of {first.file.plex_path} after it moved already"
            await self.carry_out(first)
        assert_nothing_to_do(await self.preview())

    async def is_known(self, array_path: str) -> bool:
        """Say whether it is known what comes with a file."""
        known = await self.store.run(lambda connection: ledger.remembered_sidecars(connection, [array_path]))
        return known.get(array_path, 0) == self.sidecars


def goals(made: Plan) -> dict[str, tuple[TaskKind, str]]:
    """Return what a plan wants done now, by array path."""
    return {one.file.array_path: (TaskKind.CACHE_IN, one.why) for one in made.cache_ins if not one.waits} | {
        one.entry.file.array_path: (TaskKind.EVICT, one.why) for one in made.evictions
    }


def assert_nothing_to_do(made: Plan) -> None:
    assert [one.file.plex_path for one in made.cache_ins] == []
    assert [(one.entry.file.plex_path, one.why) for one in made.evictions] == []


# What may happen. Each step is what the daemon does then, with the real handlers.


def wish(kind: DemandKind, user: str, number: int, position: int, hours: int) -> Step:
    item = EPISODES[number]
    until = NOW + hours * HOUR if hours else None
    new = Demand(item.rating_key, kind, user, NOW, until, position, item.show)
    return lambda house: house.change(items=[item], put_demands=(new,))


def unwish(number: int) -> Step:
    async def step(house: House) -> None:
        key = EPISODES[number].rating_key
        gone = await house.store.run(lambda connection: demands.demands_of_item(connection, key))
        await house.change(drop_demands=tuple(one for one in gone if not one.play))

    return step


def retain(number: int, hours: int) -> Step:
    item = EPISODES[number]
    return lambda house: house.change(
        items=[item], put_retentions=(Retention(item.rating_key, "1", NOW + hours * HOUR, "watched"),)
    )


def start(number: int, *, ann: bool) -> Step:
    async def step(house: House) -> None:
        item, name = EPISODES[number], "ann" if ann else "ben"
        if name in house.plays:
            return
        house.plays[name] = play(item, ALICE if ann else BOB, key=f"{name}{house.clock.now()}", at=house.clock.now())
        following = [one for one in EPISODES if one.show == item.show and one.episode > item.episode][:3]
        now = house.clock.now()
        await house.dispatcher.on_event(PlaybackStarted(house.plays[name], now), item, following)

    return step


def go_on(*, ann: bool, what: str) -> Step:
    async def step(house: House) -> None:
        name, now = "ann" if ann else "ben", house.clock.now()
        if name not in house.plays:
            return
        one = house.plays[name]
        if what == "confirmed":
            house.plays[name] = one = replace(one, confirmed=True)
            await house.dispatcher.on_event(PlaybackConfirmed(one, now))
        elif what == "paused":
            await house.dispatcher.on_event(PlaybackChanged(one, now, "paused"))
        else:
            del house.plays[name]
            await house.dispatcher.on_event(PlaybackStopped(replace(one, watched=what == "watched"), now))

    return step


def time_passes(hours: float) -> Step:
    async def step(house: House) -> None:
        house.clock.at += hours * HOUR
        now = house.clock.now()
        await house.dispatcher.change(
            lambda connection: demands.apply(connection, handlers.retention.expired(*demands.due(connection, now)))
        )

    return step


def plex_answers(*, yes: bool) -> Step:
    async def step(house: House) -> None:
        house.known = yes
        await house.change()

    return step


def somebody_else_takes(size: int) -> Step:
    async def step(house: House) -> None:
        house.disk.foreign = min(size * GB, house.disk.foreign + max(0, house.disk.free))
        await house.change()

    return step


async def in_a_house(
    story: Callable[[House], Any], tables: dict[str, Any], foreign: int, sidecars: int, cached: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with Store(Path(folder)) as store:
            house = House(store, tables, foreign * GB, sidecars * GB)

            def furnish(connection: Connection) -> None:
                for number in cached:
                    item = EPISODES[number]
                    file = house.live.mappings.locate(item.files[0].plex_path, item.files[0].size)
                    arrived = [replace(one, cached_at=NOW - 30 * HOUR) for one in house.arriving(file)]
                    ledger.put_entries(connection, arrived)
                    house.disk.files.update({one.file.array_path: one.file.size for one in arrived})

            await store.run(furnish)
            await story(house)


async def agrees(house: House) -> None:
    """Check that what has just been planned is what the preview says, and that it is what waits on the queue."""
    said = await house.preview()
    waiting = {task.file.array_path: (task.kind, task.why) for task in await house.queue()}
    wanted = goals(said)
    assert wanted.items() <= waiting.items()
    for path in waiting.keys() - wanted.keys():
        # What relieves a full cache goes on to its end; a copy of what is retained is not taken back.
        kind, why = waiting[path]
        assert kind is TaskKind.CACHE_IN or why == FULL, (path, kind, why)
    again = await house.dispatcher.change(lambda _: None)
    assert again.enqueued.added == {}
    assert goals(again.plan) == wanted
