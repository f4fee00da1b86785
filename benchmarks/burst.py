"""Ten thousand frames at once, a thousand of them garbage, with real starts among them.

The simulated server is a process of its own; the daemon runs here, beside a ticker that notices each stall of the
loop. Prints how long the burst took, the stalls, the memory, and whether each start became a play with its tasks.

    python benchmarks/burst.py [frames] [starts] [cached files that are in the ledger already]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from daemon.app import App  # noqa: E402 - only now is the checkout on the path
from daemon.config import Loaded, build  # noqa: E402
from daemon.demo.files import write  # noqa: E402
from tests.support.daemon import configuration, merged  # noqa: E402
from tests.support.filled import fill  # noqa: E402
from tests.support.plex_process import RemotePlex, plex_process  # noqa: E402
from tests.support.ticker import ticking  # noqa: E402


def memory() -> float:
    """Return the resident memory of this process in megabytes."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024 / 1e6


async def done(app: App, copies: int) -> bool:
    """Say whether so many copies have been made and none is left to be made."""
    tasks = (await app.core.service.status())["tasks"]
    return bool(tasks["succeeded"] >= copies and not tasks["queued"] and not tasks["running"])


async def measure(app: App, plex: RemotePlex, frames: int) -> None:
    """Play one film, then send the burst; print what came of it."""
    first, *starts = plex.library.movies
    async with app.core.feed.subscribe() as notices:
        await plex.ask("play", user="Ann", key=first)
        while not await done(app, 1):
            await anext(notices)
        before, began = memory(), time.perf_counter()
        async with ticking() as ticker:
            await plex.ask("burst", frames=frames, garbage=frames // 10, starts=starts)
            while not await done(app, 1 + len(starts)):
                await anext(notices)
        seconds = time.perf_counter() - began
    plays = {play.rating_key for play in app.core.listener.plays()}
    late = sorted(ticker.late)
    print(f"{frames} frames, {frames // 10} of them garbage ({app.core.listener.garbage} noticed), in {seconds:.1f} s")
    print(f"starts that became plays and were copied: {len(plays & set(starts))} of {len(starts)}")
    print(f"stalls of the loop: p99 {late[int(0.99 * len(late))] * 1e3:.1f} ms, worst {late[-1] * 1e3:.1f} ms")
    print(f"memory: {before:.1f} MB before, {memory():.1f} MB after")


async def main(frames: int, starts: int, cached: int) -> None:
    """Run the benchmark."""
    shape = {"movies": starts + 1, "shows": 0, "awkward": False}
    with tempfile.TemporaryDirectory(prefix="ondeckd-bench-") as name:
        folder = Path(name)
        async with plex_process(shape) as plex:
            await asyncio.to_thread(write, plex.library, folder / "array")
            settings = build(merged(configuration(plex.library, plex, folder), {"transfer": {"to_cache": 4}}))
            await fill(folder / "state", settings, cached)
            app = App(Loaded(settings, None, (), {}), {})
            async with asyncio.TaskGroup() as group:
                group.create_task(app.run())
                await app.ready.wait()
                await plex.ask("listeners")
                await measure(app, plex, frames)
                app.stop.set()


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*arguments, *(10_000, 40, 0)[len(arguments) :]))
