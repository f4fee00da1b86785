"""What a refresh costs Plex: so many requests for each person, however much they want."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from daemon.demo.files import write
from daemon.demo.server import DemoServer
from daemon.demo.trakt import DemoTrakt
from tests.support.crowd import kinds, names, settle, trends
from tests.support.daemon import House, configuration, daemon_running, merged, new_app
from tests.support.plex import small_library
from tests.support.records import everything, recording
from tests.support.turned import TurnedClock

HOUR = 3600.0
_BESIDE = ("/status/sessions", "/status/sessions/history/all", "/identity")
"""What the listener asks when it likes."""


async def test_a_steady_refresh_asks_a_few_things_of_each_person(tmp_path: Path) -> None:
    library = small_library(movies=12, shows=9, seasons=2, episodes=8)
    plex = DemoServer(library, users=names(5))
    crowd = settle(plex, deck=3, listed=(6, 6))
    await asyncio.to_thread(write, library, tmp_path / "array")
    async with DemoTrakt(trends(plex, crowd)) as trakt, plex:
        tables = merged(configuration(library, plex, tmp_path), everything(trakt.url))
        house = House(library, plex, tmp_path, clock := TurnedClock(time.time()), tables, app=None)  # type: ignore[arg-type]  # set in the next line
        new_app(house)
        async with daemon_running(house) as app:
            with recording(app) as refreshes:
                await refreshes.one()
                await house.quiet()
                plex.requests.clear()
                clock.turn(clock.now() + 2 * HOUR)
                await refreshes.one()
                found = {kind: count for kind, count in kinds(plex.requests).items() if kind not in _BESIDE}
    assert found == {
        # Of each person: the libraries, the deck and the episodes of its three shows; of the index and of what is
        # recent the libraries once.
        "/library/sections": 5 + 2,
        "/hubs/continueWatching/items": 5,
        # The other three are how shows begin that somebody has listed, several at once.
        "/library/all": 5 + 3,
        "/library/sections/watchlist/all": 5,
        # What is listed is read in one, what is trending movie by movie; once what all demands name.
        "/library/metadata/N": 5 + 12 + 1,
        # Of a single show.
        "/library/metadata/N/allLeaves": 4,
        # The newest of each library.
        "/library/sections/N/all": 2,
    }
    assert len(trakt.requests) == 1
