"""Sources that Plex answers slowly, or never: who plays meanwhile does not wait for them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.sources import household


async def test_a_play_is_acted_on_while_all_sources_hang(tmp_path: Path) -> None:
    async with household(tmp_path) as home:

        def hanging() -> int:
            return sum("/hubs/" in one.path for one in home.plex.requests)

        before, whole = hanging(), len(home.rounds.done)
        home.plex.faults.http("^/(hubs|library/sections)", stall=True)
        home.later(7)
        await home.house.post("/api/v1/refresh")
        async with asyncio.timeout(5):
            while hanging() < before + 4:  # noqa: ASYNC110 - the simulated server tells nobody who asks it
                await asyncio.sleep(0.01)
        film = home.library.movies[40]
        await home.plex.engine.play("Ann", film)
        await home.house.until(lambda: home.house.is_cached(film))
        # None of them has been given up meanwhile, so it was not in the place of one of them.
        assert hanging() == before + 4
        assert not any(one.whole for one in home.rounds.done[whole:])
        home.plex.faults.clear()
