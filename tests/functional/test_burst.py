"""Ten thousand frames at once, a thousand of them garbage, and people who begin to watch in the midst of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from daemon.demo.files import write
from tests.support.daemon import configuration, merged
from tests.support.daemon_process import daemon_process, write_config
from tests.support.judge import read
from tests.support.plex_process import plex_process

_SHAPE = {"movies": 41, "shows": 0, "awkward": False}
_FRAMES, _GARBAGE = 10_000, 1_000
_FLAT = 15_000_000
"""Bytes by which the memory may differ: forty plays, their tasks and the pages of the allocator, but no frames."""


async def test_in_a_burst_every_start_becomes_a_play_with_its_tasks_and_memory_stays_flat(tmp_path: Path) -> None:
    async with plex_process(_SHAPE) as plex:
        await asyncio.to_thread(write, plex.library, tmp_path / "array")
        more = {"transfer": {"to_cache": 4}}
        config = write_config(merged(configuration(plex.library, plex, tmp_path), more), tmp_path)
        async with daemon_process(config) as daemon:
            await plex.ask("listeners")
            first, *starts = plex.library.movies
            await plex.ask("play", user="Ann", key=first)
            await daemon.until("/api/v1/status", sessions=1, queued=0, running=0, succeeded=1)
            before = daemon.memory()
            await plex.ask("burst", frames=_FRAMES, garbage=_GARBAGE, starts=starts)
            await daemon.until("/api/v1/status", queued=0, running=0, succeeded=1 + len(starts))
            growth = daemon.memory() - before

            playing = (await daemon.get("/api/v1/sessions?limit=100"))["items"]
            assert {row["rating_key"] for row in playing} == {first, *starts}
            assert growth < _FLAT
    rows = read(tmp_path / "state")
    assert {row["rating_key"] for row in rows.demands} == {first, *starts}
    assert len(rows.of_tasks("cache_in", "succeeded")) == 1 + len(starts)
