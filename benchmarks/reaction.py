"""From the `playing` frame to the committed tasks, and to the first copied byte.

The simulated server runs in a process of its own and answers at once; the daemon runs here, with real sockets, real
SQLite and real files. Each play is stopped again at once, which takes everything back.

    python benchmarks/reaction.py [plays]
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from daemon.app import App  # noqa: E402 - only now is the checkout on the path
from daemon.config import Loaded, build  # noqa: E402
from daemon.demo.files import write  # noqa: E402
from tests.support.daemon import configuration  # noqa: E402
from tests.support.plex_process import RemotePlex, plex_process  # noqa: E402

SHAPE = {"movies": 2, "shows": 40, "seasons": 3, "episodes": 12, "awkward": False, "sizes": [200_000, 400_000]}


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def measure(app: App, plex: RemotePlex, plays: int) -> tuple[list[float], list[float]]:
    """Return the seconds to the tasks and to the first byte, for each play."""
    library = plex.library
    to_tasks, to_bytes = [], []
    for number in range(plays):
        show = library.shows[number % len(library.shows)]
        key = library.episodes(show)[number // len(library.shows) % 20]
        async with app.core.feed.subscribe() as notices:
            began = time.perf_counter()
            session = await plex.ask("play", user="Ann", key=key, client=f"c{number}")
            first_task = first_byte = 0.0
            while not (first_task and first_byte):
                notice = await anext(notices)
                now = time.perf_counter() - began
                if notice.kind == "task" and notice.data["state"] == "queued":
                    first_task = first_task or now
                if notice.kind == "progress":
                    first_byte = first_byte or now
            to_tasks.append(first_task)
            to_bytes.append(first_byte)
            await plex.ask("stop", session=session)
            while not await idle(app):
                await anext(notices)
    return to_tasks, to_bytes


async def idle(app: App) -> bool:
    """Say whether nothing is on the cache or on its way."""
    status = await app.core.service.status()
    return not (status["cached_files"] or status["tasks"]["queued"] or status["tasks"]["running"])


def report(name: str, values: list[float]) -> None:
    """Print one line of figures, in milliseconds."""
    figures = (statistics.median(values), percentile(values, 0.99), max(values))
    print(f"{name}: p50 {figures[0] * 1e3:.1f} ms, p99 {figures[1] * 1e3:.1f} ms, worst {figures[2] * 1e3:.1f} ms")


async def main(plays: int) -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="ondeckd-bench-") as name:
        folder = Path(name)
        async with plex_process(SHAPE) as plex:
            await asyncio.to_thread(write, plex.library, folder / "array")
            settings = configuration(plex.library, plex, folder) | {"retention": {"min_stay": "0"}}
            app = App(Loaded(build(settings), None, (), {}), {})
            async with asyncio.TaskGroup() as group:
                group.create_task(app.run())
                await app.ready.wait()
                await plex.ask("listeners")
                to_tasks, to_bytes = await measure(app, plex, plays)
                app.stop.set()
    print(f"{plays} plays of episodes of {SHAPE['shows']} shows, 5 next episodes each")
    report("frame to committed tasks", to_tasks)
    report("frame to first copied bytes", to_bytes)


if __name__ == "__main__":
    # As the daemon does before it begins.
    gc.collect()
    gc.freeze()
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
