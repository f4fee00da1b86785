"""A large household: 25 people with everything they want, and a library of 100,000 movies and episodes.

The simulated server is a process of its own. The whole daemon runs here, with real sockets, real SQLite and real files
(tiny ones, and only those that somebody wants), beside a ticker that notices each stall of the loop. Prints, for the
first refresh and for steady ones, the requests by kind, the seconds, the stalls and the time of the transaction that
records and plans; for plays with a full cache, and while a refresh runs, the time to the tasks and of the transaction;
and the resident memory of a daemon that is a process of its own.

    python benchmarks/household.py [people] [items of the library] [steady refreshes] [plays]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from daemon import dispatch  # noqa: E402 - only now is the checkout on the path
from daemon.app import App  # noqa: E402
from daemon.config import Loaded, build  # noqa: E402
from daemon.demo.library import Library  # noqa: E402
from daemon.state import demands, sources  # noqa: E402
from daemon.views import iso  # noqa: E402
from tests.support.crowd import names  # noqa: E402
from tests.support.daemon import configuration, merged  # noqa: E402
from tests.support.daemon_process import DaemonProcess, daemon_process, write_config  # noqa: E402
from tests.support.plex_process import RemotePlex, plex_process  # noqa: E402
from tests.support.records import Records, everything, reading, recording  # noqa: E402
from tests.support.ticker import ticking  # noqa: E402

MB = 1e6
DECK, LISTED, FRESH = 8, (20, 50), 60


def shape(items: int) -> dict[str, Any]:
    """Return a library of so many movies and episodes: one movie to four episodes, forty to a show."""
    shows = items // 50
    sizes = {"movies": items - 40 * shows, "shows": shows, "seasons": 4, "episodes": 10}
    return {**sizes, "awkward": False, "sizes": [200, 600]}


class Clockwork:
    """Times what the dispatcher does: each piece of a transaction, and the whole."""

    def __init__(self) -> None:
        self.pieces: dict[str, list[float]] = {}
        self.records = Records()

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*arguments, **named)
            finally:
                self.pieces.setdefault(name, []).append((time.perf_counter() - began) * 1e3)

        return run

    def watch(self, app: App, stack: ExitStack) -> None:
        """Time the planner's pieces and each transaction until the stack is closed."""
        self.records = stack.enter_context(recording(app))
        transact = app.core.store._transact  # noqa: SLF001 - the time in the thread alone
        for name in ("look", "plan", "enqueue", "record"):
            stack.enter_context(patch.object(dispatch, name, self.timed(name, getattr(dispatch, name))))
        for name in ("put_fetched", "put_people"):
            stack.enter_context(patch.object(sources, name, self.timed(name, getattr(sources, name))))
        stack.enter_context(patch.object(demands, "recount", self.timed("recount", demands.recount)))
        stack.enter_context(patch.object(app.core.store, "_transact", self.timed("transaction", transact)))

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[None]:
        """Print medians and worst times in milliseconds of all that happens in the block."""
        self.pieces.clear()
        yield
        for name, times in self.pieces.items():
            if times:
                print(f"    {name}: {len(times)}, median {median(times):.1f} ms, worst {max(times):.1f} ms")


async def refresh(app: App, plex: RemotePlex, clockwork: Clockwork, name: str, *, begin: bool = True) -> None:
    """Have everything read, and print what that took."""
    read = clockwork.pieces.setdefault("put_fetched", [])
    before = len(read)
    began, used = time.perf_counter(), time.process_time()
    async with ticking() as ticker:
        if begin:
            await app.core.service.refresh()
        while len(read) <= before + 10:  # what a pin or a play has had read is recorded by itself
            await clockwork.records.one()
    seconds, used = time.perf_counter() - began, time.process_time() - used
    late = sorted(ticker.late)
    kinds = await plex.ask("requests")
    print(f"{name}: {sum(kinds.values())} requests, {seconds:.1f} s ({used:.1f} s of CPU)")
    print(f"    stalls of the loop: p99 {late[int(0.99 * len(late))] * 1e3:.1f} ms, worst {late[-1] * 1e3:.1f} ms")
    print("    " + ", ".join(f"{count} {path}" for path, count in kinds.items()))


async def idle(app: App) -> None:
    """Wait until all copies are made."""
    async with app.core.feed.subscribe() as notices:
        while True:
            tasks = (await app.core.service.status())["tasks"]
            left = tasks["queued"] + tasks["running"]
            if not left:
                return
            while left > 0:
                notice = await anext(notices)
                left -= notice.kind == "task" and notice.data["state"] not in {"queued", "running"}


async def plays(app: App, plex: RemotePlex, begins: list[str], name: str) -> None:
    """Play these, one after the other; print how long it took to the tasks."""
    found = []
    for number, key in enumerate(begins):
        async with app.core.feed.subscribe() as notices:
            began = time.perf_counter()
            await plex.ask("play", user=names(2)[1], key=key, client=f"{name}{number}")
            while (notice := await anext(notices)).kind != "task" or notice.data["state"] != "queued":
                pass
            found.append((time.perf_counter() - began) * 1e3)
    print(f"{name}: {len(found)} plays, from frame to tasks median {median(found):.1f} ms, worst {max(found):.1f} ms")


async def here(plex: RemotePlex, tables: Mapping[str, Any], made: Mapping[str, Any], rounds: int, count: int) -> None:
    """Run the daemon in this process and measure it."""
    app, clockwork = App(Loaded(build(dict(tables)), None, (), {}), {}), Clockwork()
    with ExitStack() as stack:
        async with asyncio.TaskGroup() as group:
            group.create_task(app.run())
            await app.ready.wait()
            clockwork.watch(app, stack)
            async with clockwork.reporting():
                await refresh(app, plex, clockwork, "first refresh", begin=False)
            for key in made["pins"]:
                await app.core.sourcing.pinning.pin(key)
            await idle(app)
            print(f"{(await app.core.service.status())['cached_files']} files on the cache")
            await plex.ask("requests")
            for number in range(rounds):
                async with clockwork.reporting():
                    await refresh(app, plex, clockwork, f"refresh {number + 2}")
            begins = made["begins"]
            async with clockwork.reporting():
                await plays(app, plex, begins[:count], "plays with a full cache")
            await idle(app)
            async with clockwork.reporting(), asyncio.TaskGroup() as both:
                both.create_task(refresh(app, plex, clockwork, "refresh meanwhile"))
                both.create_task(plays(app, plex, begins[count : 2 * count], "plays while it refreshes"))
            app.stop.set()


def weight(daemon: DaemonProcess) -> str:
    """Return the resident memory of a daemon now, and the most that it ever was."""
    return f"{daemon.memory() / MB:.1f} MB, at most {daemon.memory('VmHWM') / MB:.1f} MB"


async def apart(plex: RemotePlex, config: Path) -> None:
    """Run the daemon as a process of its own on what is there now, and print its memory."""
    async with daemon_process(config) as daemon:
        at = iso(time.time()) or ""
        await plex.ask("listeners")
        print(f"memory after the start: {weight(daemon)}")
        for number in range(3):
            at = await reading(daemon, at)
            print(f"memory after refresh {number + 1}: {weight(daemon)}")
            await daemon.post("/api/v1/refresh")


async def main(people: int, items: int, rounds: int, count: int) -> None:
    """Run it."""
    with tempfile.TemporaryDirectory(prefix="ondeckd-bench-") as name:
        folder = Path(name)
        async with plex_process(shape(items), users=names(people)) as plex:
            array = str(folder / "array")
            made = await plex.ask("crowd", array=array, deck=DECK, listed=LISTED, fresh=FRESH)
            tables = merged(configuration(Library(), plex, folder), everything(made["trakt"]))
            print(f"{people} people, {items} movies and episodes, {made['files']} files")
            await here(plex, tables, made, rounds, count)
            await apart(plex, write_config(tables, folder))


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*given, *(25, 100_000, 3, 20)[len(given) :]))
