from __future__ import annotations

import pytest

from daemon.demo.media import SHOWS, TRANSIENT, Kind, Node
from tests.support.listener import demo_server, episodes, household, landmark


async def test_a_play_is_told_with_its_item_and_the_episodes_that_follow() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        keys = episodes(plex)
        await plex.engine.play("Ben", keys[0])
        await house.hears(f"started {keys[0]} by Ben")
        _, item, following = house.told[0]
        assert item is not None
        assert [file.plex_path for file in item.files] == [part.file for part in plex.library[keys[0]].parts]
        assert [one.rating_key for one in following] == keys[1:6]
        assert all(one.files for one in following)


async def test_a_whole_play_is_told_in_order() -> None:
    async with demo_server(speed=50.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        movie = plex.library.movies[0]
        session = await plex.engine.play("Ann", movie)
        await house.hears(f"started {movie} by Ann", f"confirmed {movie} by Ann")
        await plex.engine.pause(session)
        await plex.engine.resume(session)
        await plex.engine.seek(session, 5500.0)
        await plex.engine.stop(session)
        await house.hears(f"stopped {movie} by Ann")
        assert house.lines == [
            f"{word} {movie} by Ann{more}"
            for word, more in [
                ("started", ""),
                ("confirmed", ""),
                ("paused", ""),
                ("resumed", ""),
                ("seeked", ""),
                ("watched", " (playback)"),
                ("stopped", ""),
            ]
        ]


async def test_a_play_that_ends_before_min_play_is_never_confirmed() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        movie = plex.library.movies[0]
        session = await plex.engine.play("Ann", movie)
        await house.hears(f"started {movie} by Ann")
        await plex.engine.stop(session)
        await house.hears(f"stopped {movie} by Ann")
        assert house.lines == [f"started {movie} by Ann", f"stopped {movie} by Ann"]


@pytest.mark.parametrize("order", ["stop first", "stop last", "no stop"])
async def test_autoplay_ends_one_episode_and_begins_the_next(order: str) -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        first, second = episodes(plex)[:2]
        session = await plex.engine.play("Ben", first, offset=2690.0)
        await house.hears(f"started {first} by Ben")
        await plex.engine.play_next(session, order=order, same_key=order == "no stop")  # type: ignore[arg-type]  # parametrized
        await house.hears(f"stopped {first} by Ben", f"started {second} by Ben", f"watched {first} by Ben (playback)")
        assert [play.rating_key for play in house.listener.plays()] == [second]


async def test_episodes_that_the_user_has_watched_are_skipped() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        keys = episodes(plex)
        await plex.engine.mark("Ben", keys[1])
        await plex.engine.mark("Ann", keys[2])
        house.watched = {keys[3]: plex.clock.now()}
        await plex.engine.play("Ben", keys[0])
        await house.hears(f"started {keys[0]} by Ben")
        following = [one.rating_key for one in house.told[0][2]]
        assert following == [keys[2], *keys[4:8]]


async def test_an_excluded_user_has_no_next_episodes_and_still_plays() -> None:
    async with demo_server() as plex, household(plex, users={"exclude": ["Ben"]}) as house:
        await plex.frames.wait_for_listeners()
        key = episodes(plex)[0]
        await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by Ben")
        assert house.told[0][2] == []
        assert [play.rating_key for play in house.listener.plays()] == [key]


async def test_a_session_that_is_listed_late_is_looked_for_again() -> None:
    async with demo_server(speed=50.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        await house.marked()
        plex.faults.hide_sessions(times=2)
        key = episodes(plex)[0]
        await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by Ben")


async def test_a_session_that_is_never_listed_is_played_by_nobody_known() -> None:
    async with demo_server(speed=50.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        await house.marked()
        hidden = plex.faults.hide_sessions()
        key = episodes(plex)[0]
        await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by ?")
        plex.faults.session_faults.remove(hidden)
        house.listener.reconcile_soon()
        await house.hears(f"identified {key} by Ben")
        assert [one.rating_key for one in house.told[-1][2]] == episodes(plex)[1:6]


async def test_sessions_with_missing_parts_are_told_all_the_same() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        plex.faults.strip_sessions("Player", "Session", "Media", "duration")
        key = episodes(plex)[0]
        await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by Ben")
        assert len(house.told[0][2]) == 5


@pytest.mark.parametrize("kind", [Kind.CLIP, Kind.TRACK, Kind.PHOTO])
async def test_what_is_no_movie_or_episode_is_left_alone(kind: Kind) -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        node = plex.library.add(Node("", kind, "Intro", "guid://0000000a", TRANSIENT, duration=60_000))
        session = await plex.engine.play("Ben", node.key)
        await plex.engine.advance(session, 10.0)
        assert await landmark(house) == house.lines[0]
        await plex.engine.stop(session)
        assert len(house.listener.plays()) == 1


async def test_live_television_is_left_alone() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        node = plex.library.add(Node("", Kind.MOVIE, "News", "guid://0000000a", TRANSIENT, live=True))
        await plex.engine.play("Ben", node.key)
        assert await landmark(house) == house.lines[0]
        house.listener.reconcile_soon()
        await house.marked()
        assert len(house.listener.plays()) == 1


async def test_a_play_in_a_library_that_is_not_selected_is_told_without_what_follows_until_it_is() -> None:
    async with demo_server() as plex, household(plex, plex={"libraries": ["movies"]}) as house:
        await plex.frames.wait_for_listeners()
        keys = episodes(plex)
        await plex.engine.play("Ben", keys[0])
        await house.hears(f"started {keys[0]} by Ben")
        _, item, following = house.told[0]
        assert item is not None
        assert (item.selected, bool(item.files), following) == (False, True, [])
        house.set(plex={"libraries": ["Movies", SHOWS]})
        house.listener.reload()
        await house.hears(f"identified {keys[0]} by Ben")
        _, item, following = house.told[1]
        assert item is not None
        assert item.selected
        assert [one.rating_key for one in following] == keys[1:6]


async def test_other_libraries_change_nothing_for_a_play_that_counts_as_before() -> None:
    async with demo_server() as plex, household(plex, plex={"libraries": [SHOWS]}) as house:
        await plex.frames.wait_for_listeners()
        key = episodes(plex)[0]
        await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by Ben")
        house.set(plex={"libraries": []})
        house.listener.reload()
        await landmark(house)
        assert f"identified {key} by Ben" not in house.lines


async def test_plays_that_began_before_the_daemon_are_found() -> None:
    async with demo_server() as plex:
        key = episodes(plex)[0]
        await plex.engine.play("Ben", key)
        async with household(plex) as house:
            await house.hears(f"started {key} by Ben")


async def test_a_play_goes_on_through_a_restart_of_the_daemon() -> None:
    async with demo_server() as plex:
        key, movie = episodes(plex)[0], plex.library.movies[0]
        await plex.engine.play("Ben", key)
        other = await plex.engine.play("Ann", movie, client="phone")
        async with household(plex) as house:
            await house.hears(f"started {key} by Ben", f"started {movie} by Ann")
            stored = house.listener.plays()
        await plex.engine.stop(other)
        async with household(plex, plays=stored) as again:
            assert len(again.listener.plays()) == 2
            await again.hears(f"stopped {movie} by Ann")
            assert again.lines == [f"stopped {movie} by Ann"]
            assert [play.id for play in again.listener.plays()] == [
                play.id for play in stored if play.rating_key == key
            ]


async def test_the_history_begins_where_the_daemon_begins() -> None:
    async with demo_server(speed=30.0) as plex:
        old, new = plex.library.movies[:2]
        await plex.engine.mark("Ben", old)
        async with household(plex) as house:
            await house.marked()
            await plex.clock.sleep(2.0)
            await plex.engine.mark("Ben", new)
            house.listener.reconcile_soon()
            await house.hears(f"watched {new} by Ben (history)")
            house.listener.reconcile_soon()
            await landmark(house, plex.library.movies[2])
            assert house.lines.count(f"watched {new} by Ben (history)") == 1
            assert not any(old in line.split() for line in house.lines)


async def test_what_was_watched_while_the_daemon_was_away_is_told() -> None:
    async with demo_server() as plex:
        movie = plex.library.movies[0]
        since = plex.clock.now() - 3600.0
        await plex.engine.mark("Ben", movie)
        async with household(plex, history_since=since) as house:
            await house.hears(f"watched {movie} by Ben (history)")


async def test_settings_that_change_take_effect_at_once() -> None:
    async with demo_server() as plex, household(plex, playback={"min_play": "1h"}) as house:
        await plex.frames.wait_for_listeners()
        movie = plex.library.movies[0]
        await plex.engine.play("Ann", movie)
        await house.hears(f"started {movie} by Ann")
        house.set(playback={"min_play": "0"})
        house.listener.reload()
        await house.hears(f"confirmed {movie} by Ann")
