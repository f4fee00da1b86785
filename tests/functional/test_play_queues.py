"""A client that plays a list is followed through its real queue, and by the order of the show where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.demo.faults import truncated
from daemon.demo.server import DemoServer
from daemon.demo.sessions import PlayQueue
from daemon.plex import queues
from tests.support.bad_input import named
from tests.support.daemon import at_home
from tests.support.listener import Household, demo_server, episodes, household, landmark
from tests.support.plex import small_library

BROKEN: list[dict[str, Any]] = [
    {"status": 401},
    {"status": 403},
    {"status": 404},
    {"status": 500},
    {"status": 503},
    {"status": 200, "body": ""},
    {"status": 200, "body": "<html><body>no queue</body></html>"},
    {"status": 200, "body": '<MediaContainer size="0" playQueueID="1"/>', "content_type": "text/xml"},
    {"status": 200, "body": '<MediaContainer size="1"><Video/></MediaContainer>', "content_type": "text/xml"},
    {"mangle": truncated},
    {"reset": True},
    {"stall": True},
]


def mixed(plex: DemoServer) -> list[str]:
    """Return a list of everything: two shows in no order, and movies."""
    first, second, movies = episodes(plex), episodes(plex, 1), plex.library.movies
    return [first[7], second[3], movies[0], first[2], movies[1], second[0], first[0]]


def playlist(plex: DemoServer, keys: list[str]) -> PlayQueue:
    return plex.engine.queues.make(keys, playlist="900")


def following(house: Household, line: str) -> list[str]:
    """Return what was said to follow, the last time that this was told."""
    told = [items for said, (_, _, items) in zip(house.lines, house.told, strict=True) if said == line]
    return [item.rating_key for item in told[-1]]


async def test_a_playlist_is_followed_across_shows_and_movies() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        keys = mixed(plex)
        await plex.engine.play("Ben", keys[0], queue=playlist(plex, keys))
        await house.hears(f"started {keys[0]} by Ben")
        assert following(house, f"started {keys[0]} by Ben") == keys[1:6]
        assert all(one.files and all(file.size for file in one.files) for one in house.told[0][2])


async def test_after_a_movie_of_a_playlist_comes_what_the_playlist_says() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        keys = mixed(plex)
        await plex.engine.play("Ben", keys[2], queue=playlist(plex, keys))
        await house.hears(f"started {keys[2]} by Ben")
        assert following(house, f"started {keys[2]} by Ben") == keys[3:]


async def test_a_shuffled_show_is_followed_and_what_was_watched_is_not_left_out() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        keys = [episodes(plex)[index] for index in (4, 1, 8, 0, 3, 6)]
        await plex.engine.mark("Ben", keys[1])
        house.watched = {keys[2]: plex.clock.now()}
        await plex.engine.play("Ben", keys[0], queue=plex.engine.queues.make(keys, shuffled=True))
        await house.hears(f"started {keys[0]} by Ben")
        assert following(house, f"started {keys[0]} by Ben") == keys[1:]


async def test_the_queue_of_a_show_in_order_skips_what_was_watched_and_goes_on_in_the_next_season() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        keys = episodes(plex)
        await plex.engine.mark("Ben", keys[4])
        # The client made its queue of one season; the show goes on.
        await plex.engine.play("Ben", keys[3], queue=keys[:6])
        await house.hears(f"started {keys[3]} by Ben")
        assert following(house, f"started {keys[3]} by Ben") == keys[5:10]


async def test_a_queue_that_changed_is_read_again_when_the_item_changes() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        keys = mixed(plex)
        queue = playlist(plex, keys)
        session = await plex.engine.play("Ben", keys[0], queue=queue)
        await house.hears(f"started {keys[0]} by Ben")
        added = [keys[0], keys[1], plex.library.movies[2], *keys[4:1:-1]]
        plex.engine.queues.change(queue, added, shuffled=True)
        await plex.engine.play_next(session)
        await house.hears(f"started {keys[1]} by Ben")
        assert following(house, f"started {keys[1]} by Ben") == added[2:]


async def test_a_client_that_takes_another_queue_in_the_middle_is_followed_there() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        keys = mixed(plex)
        session = await plex.engine.play("Ben", keys[0])
        await house.hears(f"started {keys[0]} by Ben")
        assert following(house, f"started {keys[0]} by Ben") == episodes(plex)[8:]
        session.queue = playlist(plex, keys)
        await plex.engine.report(session)
        await house.hears(f"identified {keys[0]} by Ben")
        assert following(house, f"identified {keys[0]} by Ben") == keys[1:6]
        await plex.engine.report(session)
        await landmark(house, plex.library.movies[2])
        assert house.lines.count(f"identified {keys[0]} by Ben") == 1


async def test_a_play_from_before_the_daemon_is_followed_once_its_client_names_the_queue() -> None:
    async with demo_server() as plex:
        keys = mixed(plex)
        session = await plex.engine.play("Ben", keys[0], queue=playlist(plex, keys))
        async with household(plex) as house:
            await house.hears(f"started {keys[0]} by Ben")
            await plex.frames.wait_for_listeners()
            stored = house.listener.plays()
        for plays in ((), stored):
            async with household(plex, plays=plays) as again:
                await plex.frames.wait_for_listeners()
                await landmark(again, plex.library.movies[2])
                await plex.engine.report(session)
                await again.hears(f"identified {keys[0]} by Ben")
                assert following(again, f"identified {keys[0]} by Ben") == keys[1:6]


@pytest.mark.parametrize("fault", BROKEN, ids=named)
async def test_a_queue_that_cannot_be_read_leaves_the_order_of_the_show(
    fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "_PATIENCE", 0.5)
    async with demo_server(speed=20.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        await house.marked()
        plex.faults.http("/playQueues/", **fault)
        keys = episodes(plex)
        await plex.engine.play("Ben", keys[0], queue=playlist(plex, [keys[0], *keys[:4:-1]]))
        await house.hears(f"started {keys[0]} by Ben")
        assert following(house, f"started {keys[0]} by Ben") == keys[1:6]
        assert house.listener.plex_problem == ""
        plex.faults.clear()


async def test_an_odd_queue_id_is_never_asked_for() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        plex.faults.frames("playing", change={"playQueueID": "1/../../library?x=", "playQueueItemID": []})
        asked = plex.faults.http("playQueues")
        keys = episodes(plex)
        await plex.engine.play("Ben", keys[0], queue=playlist(plex, [keys[0], keys[5]]))
        await house.hears(f"started {keys[0]} by Ben")
        assert following(house, f"started {keys[0]} by Ben") == keys[1:6]
        assert asked.hits == 0


async def test_a_huge_queue_is_read_around_what_plays() -> None:
    async with demo_server() as plex, household(plex, playback={"next_episodes": 3}) as house:
        await plex.frames.wait_for_listeners()
        movies = plex.library.movies
        plays = plex.engine.queues.make([*episodes(plex, 1) * 3_000, movies[0], movies[2], movies[1]], shuffled=True)
        await plex.engine.play("Ben", movies[0], queue=plays)
        await house.hears(f"started {movies[0]} by Ben")
        assert following(house, f"started {movies[0]} by Ben") == [movies[2], movies[1]]


@pytest.mark.parametrize(("wanted", "number"), [({"next_episodes": 2}, 2), ({"next_episodes": 1}, 3)])
async def test_as_much_of_a_queue_is_wanted_as_the_settings_say(wanted: dict[str, Any], number: int) -> None:
    async with demo_server() as plex:
        keys = mixed(plex)
        minutes = sum(plex.library[key].seconds for key in keys[1 : 1 + number]) / 60
        playback = {**wanted, "next_min_runtime": f"{round(minutes)}m"}
        async with household(plex, playback=playback) as house:
            await plex.frames.wait_for_listeners()
            await plex.engine.play("Ben", keys[0], queue=playlist(plex, keys))
            await house.hears(f"started {keys[0]} by Ben")
            assert following(house, f"started {keys[0]} by Ben") == keys[1 : 1 + number]


async def test_what_has_no_file_is_left_out_and_a_shared_file_counts_once() -> None:
    async with demo_server() as plex, household(plex, playback={"next_episodes": 2}) as house:
        await plex.frames.wait_for_listeners()
        keys = mixed(plex)
        plex.library[keys[1]].versions = ()
        plex.library[keys[3]].versions = plex.library[keys[2]].versions
        await plex.engine.play("Ben", keys[0], queue=playlist(plex, keys))
        await house.hears(f"started {keys[0]} by Ben")
        assert following(house, f"started {keys[0]} by Ben") == [keys[2], keys[3], keys[4]]


async def test_an_item_that_comes_again_follows_once() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        keys = mixed(plex)[:4]
        again = [keys[0], keys[1], keys[0], keys[1], *keys[2:], keys[1]]
        await plex.engine.play("Ben", keys[0], queue=playlist(plex, again))
        await house.hears(f"started {keys[0]} by Ben")
        assert following(house, f"started {keys[0]} by Ben") == keys[1:]


async def test_the_files_of_a_queue_that_names_none_are_asked_for() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        plex.faults.http(
            "/playQueues/",
            mangle=lambda body: body.replace(b"<Media ", b"<Nothing ").replace(b"</Media>", b"</Nothing>"),
        )
        keys = mixed(plex)
        await plex.engine.play("Ben", keys[0], queue=playlist(plex, keys))
        await house.hears(f"started {keys[0]} by Ben")
        assert following(house, f"started {keys[0]} by Ben") == keys[1:6]
        assert all(one.files for one in house.told[0][2])


async def test_a_library_that_is_not_selected_is_left_out_of_a_playlist() -> None:
    async with demo_server() as plex, household(plex, plex={"libraries": ["TV Shows"]}) as house:
        await plex.frames.wait_for_listeners()
        keys = mixed(plex)
        await plex.engine.play("Ben", keys[0], queue=playlist(plex, keys))
        await house.hears(f"started {keys[0]} by Ben")
        movies = plex.library.movies
        assert following(house, f"started {keys[0]} by Ben") == [key for key in keys[1:] if key not in movies]


async def test_nothing_is_asked_where_nothing_is_wanted() -> None:
    async with demo_server() as plex, household(plex, playback={"next_episodes": 0}) as house:
        await plex.frames.wait_for_listeners()
        asked = plex.faults.http("playQueues")
        keys = mixed(plex)
        await plex.engine.play("Ben", keys[0], queue=playlist(plex, keys))
        await house.hears(f"started {keys[0]} by Ben")
        assert (following(house, f"started {keys[0]} by Ben"), asked.hits) == ([], 0)


async def test_the_files_of_a_playlist_come_to_the_cache_in_its_order(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(episodes=6)) as house:
        keys = mixed(house.plex)
        await house.plex.engine.play("Ben", keys[0], queue=playlist(house.plex, keys))
        await house.until(lambda: house.is_cached(*keys[:6]))
        await house.quiet()
        rows = (await house.get("/api/v1/demands"))["items"]
        assert {row["rating_key"]: row["position"] for row in rows} == {key: at for at, key in enumerate(keys[:6])}
        assert not house.is_cached(keys[6])
