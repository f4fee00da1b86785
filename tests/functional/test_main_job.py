"""The main job, end to end: what plays puts the next episodes on the cache, time takes them off again."""

from __future__ import annotations

from pathlib import Path

from daemon.clock import Clock
from daemon.model import TaskState
from tests.support.daemon import at_home, daemon_running, new_app
from tests.support.plex import small_library

ANN = "Ann"


async def test_a_play_puts_the_playing_file_and_the_next_episodes_on_the_cache(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, playback={"next_episodes": 3}) as house:
        await house.plex.engine.play(ANN, episodes[1])
        await house.until(lambda: house.is_cached(*episodes[1:5]))
        await house.quiet()

        assert not house.is_cached(episodes[0])
        assert not house.is_cached(episodes[5])
        files = await house.get("/api/v1/files")
        why = {row["plex_path"]: row["demands"] for row in files["items"]}
        (demand,) = why[library[episodes[2]].parts[0].file]
        assert (demand["kind"], demand["user"], demand["position"]) == ("next_up", ANN, 1)
    assert house.damaged() == []


async def test_subtitles_travel_with_their_video_and_leave_with_it(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, retention={"min_stay": "0"}) as house:
        video = house.array(movie)[0]
        video.with_name(f"{video.stem}.en.srt").write_text("hello")
        await house.plex.engine.play(ANN, movie)
        copy = house.cache(movie)[0]
        await house.until(copy.exists)
        await house.quiet()
        assert copy.with_name(f"{video.stem}.en.srt").read_text() == "hello"

        (session,) = house.plex.engine.sessions.values()
        await house.plex.engine.stop(session)
        await house.until(lambda: not copy.exists())
        await house.quiet()
        assert not copy.with_name(f"{video.stem}.en.srt").exists()
        assert video.exists()


async def test_a_play_shorter_than_min_play_leaves_nothing_behind(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, retention={"min_stay": "0"}) as house:
        session = await house.plex.engine.play(ANN, episodes[0])
        await house.until(lambda: house.is_cached(*episodes[:6]))
        await house.plex.engine.stop(session)
        await house.until(lambda: not any(house.is_cached(key) for key in episodes))
        await house.quiet()

        assert await house.entries() == []
        demands = await house.get("/api/v1/demands")
        assert demands["total"] == 0


async def test_a_half_watched_item_leaves_after_after_stopped_and_not_before(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    clock = Clock(600.0)
    retention = {"after_stopped": "1h", "min_stay": "0"}
    async with at_home(tmp_path, library, clock=clock, retention=retention) as house:
        session = await house.plex.engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))
        await clock.sleep(60)
        await house.plex.engine.stop(session)
        stopped = clock.now()
        await house.until(lambda: not house.is_cached(movie))

        assert clock.now() - stopped >= 3600


async def test_a_watched_episode_stays_while_another_user_is_about_to_watch_it(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    clock = Clock(600.0)
    retention = {"after_watched": "5m", "after_stopped": "1d", "min_stay": "0"}
    async with at_home(tmp_path, library, clock=clock, retention=retention, playback={"next_episodes": 2}) as house:
        engine = house.plex.engine
        behind = await engine.play(list(house.plex.people)[1], episodes[0], client="phone")
        await house.until(lambda: house.is_cached(*episodes[:3]))
        ahead = await engine.play(ANN, episodes[1])
        await house.until(lambda: house.is_cached(*episodes[:4]))
        await clock.sleep(60)
        await engine.seek(ahead, library[episodes[1]].seconds * 0.95)
        await engine.stop(ahead)
        await clock.sleep(600)
        await house.quiet()

        assert house.is_cached(episodes[1])
        assert behind.session_key in engine.sessions


async def test_what_was_being_done_goes_on_after_a_restart(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, start=False) as house:
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            await house.post("/api/v1/pause")
            await house.plex.engine.play(ANN, episodes[0])

            async def queued() -> bool:
                return len(await house.tasks(TaskState.QUEUED)) == 6

            await house.until(queued)
        new_app(house)
        async with daemon_running(house):
            assert (await house.get("/api/v1/status"))["state"] == "paused"
            await house.post("/api/v1/resume")
            await house.until(lambda: house.is_cached(*episodes[:6]))
            await house.quiet()
    assert house.damaged() == []


async def test_a_play_that_ended_while_the_daemon_was_down_starts_its_retention(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, start=False, playback={"min_play": "0"}) as house:
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            session = await house.plex.engine.play(ANN, movie)
            await house.until(lambda: house.is_cached(movie))
        await house.plex.engine.stop(session)
        new_app(house)
        async with daemon_running(house):

            async def retained() -> bool:
                rows = (await house.get("/api/v1/files"))["items"]
                return bool(rows) and rows[0]["demands"] == [] and rows[0]["keep_until"] is not None

            await house.until(retained)
            assert (await house.get("/api/v1/sessions"))["total"] == 0


async def test_a_dry_run_decides_and_moves_nothing(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library, start=False) as house:
        new_app(house, dry_run=True)
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            await house.plex.engine.play(ANN, library.movies[0])

            async def planned() -> bool:
                return bool((await house.get("/api/v1/plan"))["totals"]["cache_in_files"])

            await house.until(planned)
            assert await house.tasks() == []
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


async def test_a_waiting_copy_of_a_half_watched_item_goes_on_after_the_stop(tmp_path: Path) -> None:
    library = small_library()
    movie, other = library.movies[:2]
    clock = Clock(60.0)
    async with at_home(tmp_path, library, clock=clock) as house:
        await house.post("/api/v1/pause")
        session = await house.plex.engine.play(ANN, movie)
        brief = await house.plex.engine.play("Ben", other, client="phone")
        await clock.sleep(5)
        await house.plex.engine.stop(brief)
        await clock.sleep(60)
        await house.plex.engine.stop(session)

        async def only_the_movie_is_left() -> bool:
            sessions = (await house.get("/api/v1/sessions"))["total"]
            return not sessions and [task.file.plex_path for task in await house.tasks(TaskState.QUEUED)] == [
                library[movie].parts[0].file
            ]

        await house.until(only_the_movie_is_left)
        await house.post("/api/v1/resume")
        await house.until(lambda: house.is_cached(movie))
        assert not house.is_cached(other)


async def test_a_copy_that_needs_room_waits_until_the_eviction_has_made_it(tmp_path: Path) -> None:
    library = small_library()
    old, new = library.movies[:2]
    larger = max(library[key].parts[0].size for key in (old, new))
    quota = f"{larger / 1000 + 1:.3f}KB"
    async with at_home(
        tmp_path, library, space={"quota": quota}, retention={"min_stay": "0"}, playback={"min_play": "0"}
    ) as house:
        session = await house.plex.engine.play(ANN, old)
        await house.until(lambda: house.is_cached(old))
        await house.plex.engine.stop(session)
        await house.post("/api/v1/pause")
        await house.plex.engine.play(ANN, new)

        async def queue() -> list[str]:
            return [task.kind for task in await house.tasks(TaskState.QUEUED)]

        async def only_the_eviction_waits() -> bool:
            return await queue() == ["evict"]

        await house.until(only_the_eviction_waits)
        (planned,) = (await house.get("/api/v1/plan"))["cache_in"]
        assert planned["waits"]
        await house.post("/api/v1/resume")
        await house.until(lambda: house.is_cached(new) and not house.is_cached(old))
        await house.quiet()
        assert [task.error for task in await house.tasks() if task.error] == []
