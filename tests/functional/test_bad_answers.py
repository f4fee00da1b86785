"""What Plex says late, wrongly for a moment, or otherwise than we remember: plays are seen and protected anyway."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from daemon.clock import Clock
from tests.support.daemon import House, at_home
from tests.support.plex import small_library

ANN, BEN = "Ann", "Ben"
SHOWS = {"libraries": ["TV Shows"]}
SOON = {"after_stopped": "10m", "after_watched": "10m", "min_stay": "0"}


def _announced(house: House) -> bool:
    return bool(house.app.core.listener.plays())


async def test_what_plays_from_a_library_that_is_not_selected_is_protected_and_demands_nothing(tmp_path: Path) -> None:
    library = small_library()
    movie, other = library.movies[:2]
    async with at_home(tmp_path, library, plex=SHOWS) as house:
        await house.post("/api/v1/cache", {"target": movie})
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()
        await house.plex.engine.play(ANN, movie)
        await house.plex.engine.play(BEN, other, client="phone")
        await house.until(lambda: len(house.app.core.listener.plays()) == 2)

        assert (await house.get("/api/v1/sessions"))["total"] == 2
        status, _ = await house.post("/api/v1/evict", {"target": movie})
        assert status == 409
        await house.quiet()
        assert house.is_cached(movie)
        assert not house.is_cached(other)
        assert (await house.get("/api/v1/demands"))["total"] == 0


async def test_what_plays_from_a_library_that_is_not_selected_outlives_its_retention(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, clock=Clock(600.0), plex=SHOWS, retention=SOON) as house:
        await house.post("/api/v1/cache", {"target": movie})
        await house.until(lambda: house.is_cached(movie))
        session = await house.plex.engine.play(ANN, movie)
        await house.until(lambda: _announced(house))
        await house.clock.sleep(1200)
        await house.quiet()
        assert house.is_cached(movie)

        await house.plex.engine.stop(session)
        await house.until(lambda: not house.is_cached(movie))


async def test_the_playing_episode_is_cached_although_the_show_s_episodes_cannot_be_read(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, clock=Clock(30.0), playback={"next_episodes": 2}) as house:
        broken = house.plex.faults.http("allLeaves", status=500)
        await house.plex.engine.play(ANN, episodes[0])
        await house.until(lambda: house.is_cached(episodes[0]))
        assert house.app.core.listener.sessions_known
        assert not house.is_cached(episodes[1])

        house.plex.faults.https.remove(broken)
        await house.until(lambda: house.is_cached(*episodes[:3]))
        await house.quiet()
        assert not house.is_cached(episodes[3])


async def test_one_404_does_not_hide_a_play(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, clock=Clock(30.0)) as house:
        house.plex.faults.http(f"/library/metadata/{movie}$", status=404, times=1)
        await house.plex.engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))


async def test_an_episode_whose_mark_its_owner_took_back_is_fetched_again(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, clock=Clock(600.0), playback={"next_episodes": 2}, retention=SOON) as house:
        engine = house.plex.engine
        session = await engine.play(ANN, episodes[1], offset=library[episodes[1]].seconds * 0.95)
        await house.until(lambda: house.is_cached(episodes[1]))
        await house.clock.sleep(60)
        await engine.stop(session)
        await house.until(lambda: not house.is_cached(episodes[1]))
        await house.clock.sleep(600)
        await engine.unmark(ANN, episodes[1])
        await engine.play(ANN, episodes[0])
        await house.until(lambda: house.is_cached(*episodes[:3]))


async def test_who_watches_a_show_once_more_gets_its_episodes_once_more(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, clock=Clock(60.0), playback={"next_episodes": 2}) as house:
        for key in episodes:
            await house.plex.engine.mark(BEN, key)
        await house.clock.sleep(5)
        await house.plex.engine.play(BEN, episodes[0])
        await house.until(lambda: house.is_cached(*episodes[:3]))


async def test_the_reaction_is_measured_from_the_arrival_of_the_notification(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, clock=Clock(30.0)) as house:
        house.plex.faults.http(f"/library/metadata/{movie}$", delay=9.0)
        await house.plex.engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))

        text = house.app.core.metrics.text().decode()
        samples = {one.name: one.value for family in text_string_to_metric_families(text) for one in family.samples}
        assert samples["ondeckd_event_to_task_seconds_count"] == 1
        assert samples["ondeckd_event_to_task_seconds_sum"] >= 9.0
