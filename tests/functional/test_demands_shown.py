"""What people are shown of a wish that ends by its age, and of one that does not count."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.daemon import merged
from tests.support.flips import DAY, SOON, Stage, playing
from tests.support.reloads import change

LISTS = {"watchlist": {"enabled": True, "max_age": "30d"}}


def _one_film_each(house: Stage) -> None:
    house.listed("Ann", "m1", days=10)
    house.listed("Ben", "m2", days=10)


async def test_a_wish_that_ends_by_its_age_says_when(tmp_path: Path) -> None:
    async with playing(tmp_path, _one_film_each, **merged(SOON, LISTS)) as house:
        await house.shows({"m1", "m2"})
        for row in [*await _rows(house, "demands"), *await _of_files(house)]:
            ends = datetime.fromisoformat(row["until"]).timestamp()
            assert abs(ends - datetime.fromisoformat(row["since"]).timestamp() - 30 * DAY) < 1
        assert all("stays until 20" in row["text"] for row in await _rows(house, "files"))


async def test_a_wish_that_does_not_count_is_not_shown(tmp_path: Path) -> None:
    async with playing(tmp_path, _one_film_each, **merged(SOON, LISTS)) as house:
        await house.shows({"m1", "m2"})
        assert {row["user"] for row in await _rows(house, "demands")} == {"Ann", "Ben"}
        since = house.clock.now()
        await change(house, users={"exclude": ["Ben"]})
        await house.shows({"m1"}, since=since)
        assert {row["user"] for row in await _rows(house, "demands")} == {"Ann"}


async def _rows(house: Stage, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await house.get(f"/api/v1/{name}"))["items"]
    assert rows
    return rows


async def _of_files(house: Stage) -> list[dict[str, Any]]:
    return [demand for row in await _rows(house, "files") for demand in row["demands"]]
