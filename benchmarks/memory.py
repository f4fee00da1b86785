"""Resident memory of the daemon with a full ledger: after the start, while it works, and the most it ever was.

The simulated server and the daemon are processes of their own. Files are played and listed while it is measured.

    python benchmarks/memory.py [cached files] [plays]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from daemon.config import build  # noqa: E402 - only now is the checkout on the path
from daemon.demo.files import write  # noqa: E402
from tests.support.daemon import configuration  # noqa: E402
from tests.support.daemon_process import daemon_process, write_config  # noqa: E402
from tests.support.filled import fill  # noqa: E402
from tests.support.plex_process import plex_process  # noqa: E402

SHAPE = {"movies": 2, "shows": 10, "seasons": 2, "episodes": 10, "awkward": False}
MB = 1_000_000


async def main(files: int, plays: int) -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory(prefix="ondeckd-bench-") as name:
        folder = Path(name)
        async with plex_process(SHAPE) as plex:
            await asyncio.to_thread(write, plex.library, folder / "array")
            tables = configuration(plex.library, plex, folder)
            await fill(folder / "state", build(tables), files)
            async with daemon_process(write_config(tables, folder)) as daemon:
                await plex.ask("listeners")
                print(f"{files} cached files in the ledger; after the start {daemon.memory() / MB:.1f} MB")
                for number in range(plays):
                    show = plex.library.shows[number % len(plex.library.shows)]
                    key = plex.library.episodes(show)[number // len(plex.library.shows)]
                    await plex.ask("play", user="Ann", key=key, client=f"c{number}")
                    await daemon.get(f"/api/v1/files?limit=100&offset={number}")
                await daemon.until("/api/v1/status", sessions=plays, queued=0, running=0)
                now, most = daemon.memory() / MB, daemon.memory("VmHWM") / MB
                print(f"after {plays} plays and lists of files {now:.1f} MB, at most {most:.1f} MB")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*(arguments or [10_000, 20])))
