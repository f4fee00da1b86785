"""What the plan says of when something is done is what the workers then go by."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.daemon import House, at_home, daemon_running, new_app
from tests.support.plex import small_library
from tests.support.turned import TurnedClock

BEGIN = 1_800_000_000.0
LATER = "when the array is awake"


async def _moments(house: House) -> list[str]:
    return [one["when"] for one in (await house.get("/api/v1/plan"))["cache_in"]]


@pytest.mark.parametrize(
    ("spin_down", "passed", "said"),
    [("30m", 0.0, {"now"}), ("30m", 660.0, {"now", LATER}), ("0", 660.0, {"now"})],
    ids=["at the start", "later", "disks that never sleep"],
)
async def test_nothing_is_said_to_wait_while_nothing_waits(
    tmp_path: Path, spin_down: str, passed: float, said: set[str]
) -> None:
    library, clock = small_library(), TurnedClock(BEGIN)
    first, *_ = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, clock=clock, start=False) as house:
        house.plex.views.progress(house.plex.people["Ann"].id, first, 900_000, BEGIN - 3600)
        house.set(on_deck={"enabled": True}, schedule={"spin_down": spin_down, "refresh": "0"})
        new_app(house, dry_run=True)
        async with daemon_running(house):

            async def is_planned() -> bool:
                return len(await _moments(house)) == 6

            await house.until(is_planned)
            clock.turn(BEGIN + passed)

            assert set(await _moments(house)) == said
