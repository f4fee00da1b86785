"""Being told to stop in the middle of a large copy, as a real process: it ends in order, and nothing is lost."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.support.bad_input import files_below, leftovers
from tests.support.daemon import House, at_home, merged
from tests.support.daemon_process import DaemonProcess, daemon_process, write_config
from tests.support.plex import small_library

ANN = "Ann"
SIZE = 100_000


@asynccontextmanager
async def _copying(folder: Path, *, rate: str, grace: str) -> AsyncIterator[tuple[House, DaemonProcess, str]]:
    """Have a daemon in the middle of a copy."""
    library = small_library(sizes=(SIZE, SIZE))
    movie = library.movies[0]
    async with at_home(folder, library, start=False) as house:
        slow = {"transfer": {"rate_limit": rate}, "state": {"shutdown_grace": grace}}
        async with daemon_process(write_config(merged(house.settings, slow), folder)) as daemon:
            await house.plex.frames.wait_for_listeners()
            await house.plex.engine.play(ANN, movie)
            await daemon.until("/api/v1/status", running=1)
            yield house, daemon, movie


async def _until_closed(daemon: DaemonProcess) -> None:
    """Wait until its HTTP server is closed: it has taken note of the signal."""
    async with asyncio.timeout(60), aiohttp.ClientSession() as client:
        try:
            async with client.get(f"{daemon.url}/api/v1/events") as events:
                async for _ in events.content:
                    pass
        except aiohttp.ClientError:
            return


async def _end(daemon: DaemonProcess) -> int:
    async with asyncio.timeout(60):
        return await daemon.process.wait()


async def _goes_on(house: House, movie: str) -> None:
    """Start again, without a limit, and see the copy made."""
    async with daemon_process(write_config(house.settings, house.folder)) as daemon:
        await daemon.until("/api/v1/status", cached_files=1, queued=0, running=0)
        assert house.is_cached(movie)
        daemon.signal(signal.SIGTERM)
        assert await _end(daemon) == 0
    assert house.damaged() == []
    assert leftovers(house.folder / "cache") == []


async def test_a_copy_that_fits_into_the_grace_is_finished(tmp_path: Path) -> None:
    async with _copying(tmp_path, rate="200KB", grace="20s") as (house, daemon, movie):
        daemon.signal(signal.SIGTERM)
        assert await _end(daemon) == 0
        assert house.is_cached(movie)
        assert leftovers(tmp_path / "cache") == []
        assert daemon.lines[-1]["event"] == "daemon_stopped"


async def test_a_copy_that_does_not_fit_is_given_up_safely_and_made_by_the_next_start(tmp_path: Path) -> None:
    async with _copying(tmp_path, rate="1KB", grace="0") as (house, daemon, movie):
        daemon.signal(signal.SIGTERM)
        assert await _end(daemon) == 0
        assert files_below(tmp_path / "cache") == leftovers(tmp_path / "cache") == []
        await _goes_on(house, movie)


async def test_a_second_signal_gives_it_up_at_once(tmp_path: Path) -> None:
    async with _copying(tmp_path, rate="1KB", grace="1h") as (house, daemon, movie):
        daemon.signal(signal.SIGTERM)
        await _until_closed(daemon)
        daemon.signal(signal.SIGTERM)
        assert await _end(daemon) == 0
        assert files_below(tmp_path / "cache") == leftovers(tmp_path / "cache") == []
        await _goes_on(house, movie)
