"""What a person takes off the cache stays away, whatever was wished before, until somebody plays it or asks for it."""

from __future__ import annotations

from pathlib import Path

from daemon.model import DemandKind
from tests.support.daemon import House, at_home
from tests.support.plex import small_library

NOTHING_NEXT = {"next_episodes": 0, "min_play": "0"}


async def _read_again(house: House) -> None:
    """Have every source read, and wait until all that follows is done."""
    before = (await _deck(house))["read_at"]
    await house.post("/api/v1/refresh")

    async def read() -> bool:
        return bool((await _deck(house))["read_at"] != before)

    await house.until(read)
    await house.quiet()


async def _deck(house: House) -> dict[str, str]:
    """Return how the owner's On Deck is."""
    (owner,) = [row for row in (await house.get("/api/v1/users"))["items"] if row["role"] == "owner"]
    (found,) = [source for source in owner["sources"] if source["kind"] == DemandKind.ON_DECK]
    return dict(found)


async def _seen_half(house: House, movie: str) -> None:
    engine = house.plex.engine
    session = await engine.play(house.plex.people.owner, movie)

    async def plays() -> bool:
        return bool((await house.get("/api/v1/sessions"))["items"])

    await house.until(plays)
    await engine.seek(session, house.library[movie].seconds / 2)
    await engine.stop(session)


async def test_what_was_evicted_by_hand_does_not_come_back_with_the_next_refresh(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, on_deck={"enabled": True}, playback=NOTHING_NEXT) as house:
        await _seen_half(house, movie)
        await house.until(lambda: house.is_cached(movie))
        status, _ = await house.post("/api/v1/evict", {"target": movie})
        assert status == 202
        await house.until(lambda: not house.is_cached(movie))

        await _read_again(house)
        assert not house.is_cached(movie)

        await _seen_half(house, movie)
        await house.until(lambda: house.is_cached(movie))


async def test_asking_for_it_by_hand_takes_the_eviction_back(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, on_deck={"enabled": True}, playback=NOTHING_NEXT) as house:
        await _seen_half(house, movie)
        await house.until(lambda: house.is_cached(movie))
        await house.post("/api/v1/evict", {"target": movie})
        await house.until(lambda: not house.is_cached(movie))
        await house.post("/api/v1/cache", {"target": movie})
        await house.until(lambda: house.is_cached(movie))
        await _read_again(house)

        (row,) = (await house.get("/api/v1/files"))["items"]
        assert [wish["kind"] for wish in row["demands"]] == [DemandKind.ON_DECK]
