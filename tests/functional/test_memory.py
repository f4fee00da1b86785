"""A full ledger fits into a small machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from daemon.config import build
from daemon.demo.files import write
from tests.support.daemon import configuration
from tests.support.daemon_process import daemon_process, write_config
from tests.support.filled import fill
from tests.support.plex_process import plex_process

_SHAPE = {"movies": 0, "shows": 8, "seasons": 1, "episodes": 8, "awkward": False}


@pytest.mark.long
async def test_ten_thousand_cached_files_take_less_than_a_hundred_megabytes(tmp_path: Path) -> None:
    async with plex_process(_SHAPE) as plex:
        await asyncio.to_thread(write, plex.library, tmp_path / "array")
        tables = configuration(plex.library, plex, tmp_path)
        await fill(tmp_path / "state", build(tables), 10_000)
        async with daemon_process(write_config(tables, tmp_path)) as daemon:
            await plex.ask("listeners")
            for show in plex.library.shows:
                await plex.ask("play", user="Ann", key=plex.library.episodes(show)[0], client=show)
                files = await daemon.get("/api/v1/files?limit=100")
                assert files["total"] >= 10_000
            await daemon.until("/api/v1/status", sessions=len(plex.library.shows), queued=0, running=0)
            status = await daemon.get("/api/v1/status")

            assert status["tasks"]["succeeded"] == 6 * len(plex.library.shows)
            assert daemon.memory() < 100_000_000
