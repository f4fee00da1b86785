"""Two mappings whose caches are two file systems: each has a budget of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.clock import Clock
from tests.support.bad_input import memory_disk
from tests.support.daemon import merged
from tests.support.flips import SOON, Stage, playing
from tests.support.needs import needs_root

LISTS = {"watchlist": {"enabled": True, "episodes": 3}}
FILMS, EPISODES = ("m1", "m2", "m3"), ("a1", "a2", "a3")


def _six_are_listed(house: Stage) -> None:
    """Have three films listed, the first one last, and before them a show."""
    for number, name in enumerate(FILMS):
        house.listed("Ann", name, days=1 + 20 * number)
    house.listed("Ann", "a", days=90)


@needs_root
@pytest.mark.parametrize("space", [{"limit": "280KB", "evict_to": "280KB"}, {"quota": "280KB"}], ids=str)
async def test_what_is_short_on_one_cache_is_not_on_the_other(tmp_path: Path, space: dict[str, str]) -> None:
    settings = merged(SOON, merged(LISTS, {"space": space}))
    films = tmp_path / "cache" / "Movies"
    with memory_disk(films, "1m"), memory_disk(tmp_path / "cache" / "TV Shows", "1m"):
        async with playing(tmp_path, _six_are_listed, **settings) as house:
            await house.shows({"m1", "m2", "a1", "a2"})
            (first, second) = (await house.get("/api/v1/plan"))["caches"]
            assert {*first["mappings"], *second["mappings"]} == {"Movies", "TV Shows"}


@needs_root
async def test_on_one_file_system_two_mappings_share_what_there_is(tmp_path: Path) -> None:
    settings = merged(SOON, merged(LISTS, {"space": {"quota": "280KB"}}))
    with memory_disk(tmp_path / "cache", "2m"):
        async with playing(tmp_path, _six_are_listed, **settings) as house:
            await house.shows({"m1", "m2"})


@needs_root
async def test_a_cache_that_fills_up_costs_the_other_one_nothing(tmp_path: Path) -> None:
    settings = merged(SOON, merged(LISTS, {"space": {"limit": "60%", "evict_to": "60%"}}))
    films = tmp_path / "cache" / "Movies"
    with memory_disk(films, "1m"), memory_disk(tmp_path / "cache" / "TV Shows", "1m"):
        async with playing(tmp_path, _six_are_listed, clock=Clock(50.0), **settings) as house:
            await house.shows({*FILMS, *EPISODES})
            (films / "other.bin").write_bytes(b"x" * 450_000)
            await house.until(lambda: house.cached() == {"m1", *EPISODES})
            await house.quiet()
            assert house.damaged() == []
