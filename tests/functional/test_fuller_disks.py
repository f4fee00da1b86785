"""What somebody else puts on a cache is noticed by itself: no event and no schedule tells of it."""

from __future__ import annotations

from pathlib import Path

from daemon.clock import Clock
from tests.support.bad_input import memory_disk
from tests.support.daemon import at_home
from tests.support.needs import needs_root
from tests.support.plex import small_library
from tests.support.turned import TurnedClock

SPACE = {"limit": "60%", "evict_to": "50%", "min_free": "0"}


@needs_root
async def test_a_cache_that_somebody_else_fills_is_planned_for_without_any_event(tmp_path: Path) -> None:
    library = small_library(sizes=(100_000, 100_000))
    movie = library.movies[0]
    cache = tmp_path / "cache" / "Movies"
    retention = {"min_stay": "0", "until_needed": True}
    with memory_disk(cache, "1m"):
        async with at_home(
            tmp_path,
            library,
            clock=Clock(50.0),
            space=SPACE,
            retention=retention,
            schedule={"spin_down": "0", "refresh": "0"},
        ) as house:
            await house.post("/api/v1/cache", {"target": movie})
            await house.quiet()
            assert house.is_cached(movie)
            (cache / "other.bin").write_bytes(b"x" * 600_000)
            await house.until(lambda: not house.is_cached(movie))
            assert house.damaged() == []


@needs_root
async def test_what_fills_a_good_part_of_a_cache_is_planned_for_within_seconds(tmp_path: Path) -> None:
    library, clock = small_library(sizes=(100_000, 100_000)), TurnedClock(1_800_000_000.0)
    movie = library.movies[0]
    cache = tmp_path / "cache" / "Movies"
    retention = {"min_stay": "0", "until_needed": True}
    with memory_disk(cache, "1m"):
        async with at_home(
            tmp_path,
            library,
            clock=clock,
            space=SPACE,
            retention=retention,
            schedule={"spin_down": "0", "refresh": "0"},
        ) as house:
            await house.post("/api/v1/cache", {"target": movie})
            await house.quiet()
            begun, last = clock.now() + 100, clock.now() + 112

            def is_calm() -> bool:  # past what is looked at again after the start
                clock.turn(clock.now() + 5)
                return clock.now() >= begun

            await house.until(is_calm)
            (cache / "other.bin").write_bytes(b"x" * 600_000)

            def is_gone() -> bool:
                clock.turn(min(clock.now() + 1, last))
                return not house.is_cached(movie)

            await house.until(is_gone)
