"""A new file that Plex tells of has just been written: its array is awake, and waiting work goes along."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from daemon.demo.files import local_path
from daemon.model import TaskState
from tests.support.daemon import merged
from tests.support.flips import SOON, playing
from tests.support.turned import TurnedClock

HOUR = 3600.0
MIDNIGHT = datetime(2027, 1, 15).timestamp()  # noqa: DTZ001 - local time is what the settings name
SLEEPS = {"recent": {"enabled": True, "watched_shows_only": False}, "schedule": {"spin_down": "30m"}}


@pytest.mark.parametrize(("tier", "along"), [("array", True), ("cache", False)])
async def test_what_is_new_goes_along_with_whoever_has_put_it_on_the_array(
    tmp_path: Path, tier: str, along: bool
) -> None:
    clock = TurnedClock(MIDNIGHT)
    async with playing(tmp_path, lambda _: None, clock=clock, **merged(SOON, SLEEPS)) as house:
        await house.shows(set())
        clock.turn(MIDNIGHT + HOUR)
        season = house.library[house.library.episodes(house.library.shows[0])[-1]].parent
        new = f"{house.library.sections[house.library[season].section].root}/new.mkv"
        local_path(house.library, tmp_path / tier, new).write_bytes(b"12345")

        node = await house.plex.librarian.add_episode(season, 99, "New", (new, 5))

        async def is_decided() -> bool:
            clock.turn(clock.now() + 5)
            return bool(await house.tasks(TaskState.QUEUED)) if not along else house.is_cached(node.key)

        await house.until_so(is_decided)
        await house.calm()
        assert bool(await house.tasks(TaskState.QUEUED)) is not along
