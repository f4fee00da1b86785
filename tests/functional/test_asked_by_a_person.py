"""What a person changes is seen at once: other settings and a pin taken back do not wait for an array to be awake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.daemon import merged
from tests.support.flips import SOON, Stage, playing
from tests.support.reloads import change
from tests.support.turned import TurnedClock

BEGIN = 1_800_000_000.0
HOUR = 3600.0


def _turn(house: Stage) -> float:
    """Let an hour pass, in which the disks fall asleep; return when it was over."""
    assert isinstance(house.clock, TurnedClock)
    house.clock.turn(house.clock.now() + HOUR)
    return house.clock.now()


@pytest.mark.parametrize(("window", "left"), [("", False), ("02:00-02:01", True)], ids=["any time", "in a window"])
async def test_what_other_settings_let_go_leaves_at_once(tmp_path: Path, window: str, left: bool) -> None:
    settings = merged(SOON, {"watchlist": {"enabled": True}, "schedule": {"spin_down": "30m", "refresh": "0"}})
    clock = TurnedClock(BEGIN)
    async with playing(tmp_path, lambda house: house.listed("Ann", "m1"), clock=clock, **settings) as house:
        await house.shows({"m1"})
        now = _turn(house)

        await change(house, watchlist={"enabled": False}, schedule={"array_window": window})

        await house.shows({"m1"} if left else set(), waiting={"m1"} if left else set(), since=now - 1)


async def test_what_is_not_pinned_any_more_leaves_at_once(tmp_path: Path) -> None:
    settings = merged(SOON, {"schedule": {"spin_down": "30m", "refresh": "0"}})
    async with playing(tmp_path, lambda _: None, clock=TurnedClock(BEGIN), **settings) as house:
        await house.post("/api/v1/pin", {"target": house.key("m1")})
        await house.until(lambda: house.cached() == {"m1"})
        _turn(house)

        status, answer = await house.post("/api/v1/unpin", {"target": house.key("m1")})

        assert (status, len(answer["tasks"])) == (202, 1)
        await house.until(lambda: house.cached() == set())
