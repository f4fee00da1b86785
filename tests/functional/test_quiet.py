"""An idle daemon leaves the array alone: shown by the system calls of its process, not by reading its code."""

from __future__ import annotations

import asyncio
from pathlib import Path

from daemon.demo.files import write
from tests.support.daemon import configuration, merged
from tests.support.daemon_process import write_config
from tests.support.needs import needs_strace
from tests.support.plex_process import plex_process
from tests.support.quiet_daemon import traced_daemon

_SHAPE = {"movies": 2, "shows": 1, "seasons": 2, "episodes": 10, "awkward": False}
_SPEED = 1200.0
_HOUR = 3600.0


@needs_strace
async def test_idle_for_an_hour_nothing_on_the_array_is_opened_or_listed(tmp_path: Path) -> None:
    async with plex_process(_SHAPE) as plex:
        await asyncio.to_thread(write, plex.library, tmp_path / "array")
        more = {"playback": {"next_episodes": 19}}
        # A folder of its own, because the daemon watches the configuration's, and strace writes all the time.
        etc = tmp_path / "etc"
        etc.mkdir()
        config = write_config(merged(configuration(plex.library, plex, tmp_path), more), etc)
        async with traced_daemon(config, tmp_path / "trace", speed=_SPEED) as daemon:
            await plex.ask("listeners")
            first = plex.library.episodes(plex.library.shows[0])[0]
            session = await plex.ask("play", user="Ann", key=first)
            await daemon.until("/api/v1/status", queued=0, running=0, succeeded=20)
            await daemon.tell("sleep", seconds=60)
            await plex.ask("stop", session=session)
            await daemon.until("/api/v1/status", sessions=0, queued=0, running=0)
            assert len((await daemon.get("/api/v1/files"))["items"]) == 20

            await daemon.tell("mark", name="evening")
            await daemon.tell("sleep", seconds=_HOUR)
            await daemon.tell("mark", name="night")
            await plex.ask("play", user="Ann", key=plex.library.movies[0])
            await daemon.until("/api/v1/status", sessions=1, queued=0, running=0, succeeded=21)
            await daemon.tell("mark", name="morning")

        array = str(tmp_path / "array")
        idle = daemon.calls("evening", "night")
        assert [line for line in idle if array in line] == []
        # The same look sees what the daemon does in an idle hour, and the array once somebody plays from it.
        assert any("ondeckd.db.backup" in line for line in idle)
        busy = [line for line in daemon.calls("night", "morning") if array in line]
        assert all(any(call in line for line in busy) for call in ("open", "stat", "getdents"))
