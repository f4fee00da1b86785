"""Each setting, changed in the configuration of a whole daemon, changes what that daemon does."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import run

import pytest

from daemon.clock import Clock
from daemon.demo.library import Library
from daemon.model import TaskKind, TaskState
from daemon.storage.mover import Pace
from tests.support.bad_input import memory_disk, until_bad
from tests.support.daemon import House, at_home, daemon_running, new_app
from tests.support.needs import needs_openssl, needs_root
from tests.support.plex import small_library
from tests.support.reloads import change, from_file

ANN, BEN = "Ann", "Ben"
SIZE = 100_000
AT_ONCE = {"min_play": "0", "next_episodes": 0}
ALONE = {"sidecars": "none"}


def _equal_films(count: int) -> Library:
    return small_library(movies=count, sizes=(SIZE, SIZE))


async def _seen(house: House, movie: str, who: str = ANN) -> None:
    """Play a film for a moment, and wait until it is cached and nothing else is to be done."""
    session = await house.plex.engine.play(who, movie)
    await house.until(partial(_one_plays, house))
    await house.until(lambda: house.is_cached(movie))
    await house.quiet()
    await house.plex.engine.stop(session)
    await house.until(partial(_nobody_plays, house))


@pytest.mark.parametrize("space", [{"limit": "1KB"}, {"min_free": "100%"}, {"quota": "1KB"}], ids=str)
async def test_what_the_space_settings_leave_no_room_for_is_not_planned(tmp_path: Path, space: dict[str, str]) -> None:
    library = small_library()
    async with at_home(tmp_path, library, space=space) as house:
        await house.plex.engine.play(ANN, library.movies[0])
        await until_bad(house, "space", "has no room for 1 wanted file")
        assert await house.tasks() == []


@pytest.mark.parametrize("space", [{"limit": "1KB"}, {"min_free": "100%"}], ids=str)
async def test_a_copy_asked_for_by_hand_keeps_within_the_limits_too(tmp_path: Path, space: dict[str, str]) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, space=space) as house:
        await house.post("/api/v1/cache", {"target": movie})
        await until_bad(house, "space", "bytes more than")
        assert not house.is_cached(movie)


@needs_root
@pytest.mark.parametrize(("evict_to", "leaves"), [("350KB", 1), ("150KB", 3)])
async def test_a_limit_that_is_reached_frees_down_to_evict_to(tmp_path: Path, evict_to: str, leaves: int) -> None:
    library = _equal_films(4)
    with memory_disk(tmp_path / "cache" / "Movies", "1m"):
        async with at_home(
            tmp_path,
            library,
            space={"limit": "350KB", "evict_to": evict_to},
            retention={"min_stay": "0"},
            playback=AT_ONCE,
            transfer=ALONE,
        ) as house:
            for movie in library.movies[:3]:
                await _seen(house, movie)
            await house.post("/api/v1/pause")
            await house.plex.engine.play(ANN, library.movies[3])

            async def planned() -> bool:
                return len(await house.tasks(TaskState.QUEUED)) == leaves

            await house.until(planned)
            assert {task.kind for task in await house.tasks(TaskState.QUEUED)} == {TaskKind.EVICT}
            await house.post("/api/v1/resume")
            await house.until(lambda: house.is_cached(library.movies[3]))
            await house.quiet()
            assert sum(house.is_cached(movie) for movie in library.movies[:3]) == 3 - leaves


async def test_what_was_played_last_leaves_last(tmp_path: Path) -> None:
    library = _equal_films(3)
    first, second, third = library.movies
    async with at_home(
        tmp_path,
        library,
        space={"quota": "250KB"},
        retention={"min_stay": "0"},
        playback=AT_ONCE,
        transfer=ALONE,
    ) as house:
        await _seen(house, first)
        await _seen(house, second)
        await _seen(house, first)
        rows = {row["plex_path"]: row for row in (await house.get("/api/v1/files"))["items"]}
        again, once = (rows[library[key].parts[0].file] for key in (first, second))
        assert again["cached_at"] < once["cached_at"] < again["last_played_at"]

        await house.plex.engine.play(ANN, third)
        await house.until(lambda: house.is_cached(third))
        assert house.is_cached(first)
        assert not house.is_cached(second)


@pytest.mark.parametrize("yields", [True, False])
async def test_copies_make_way_for_a_stream_from_the_same_array_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yields: bool
) -> None:
    asked: list[bool] = []
    rest = Pace.rest

    async def overheard(self: Pace, count: int, took: float, *, busy: bool) -> None:
        asked.append(busy)
        await rest(self, count, took, busy=busy)

    monkeypatch.setattr(Pace, "rest", overheard)
    library = small_library()
    movie, other, last = library.movies
    episode = library.episodes(library.shows[0])[0]
    playback = {**AT_ONCE, "cache_current": False}
    async with at_home(tmp_path, library, playback=playback, transfer={**ALONE, "yield_to_playback": yields}) as house:

        async def slowed(*targets: str) -> set[bool]:
            asked.clear()
            for target in targets:
                await house.post("/api/v1/cache", {"target": target})
            await house.until(lambda: house.is_cached(*targets))
            await house.quiet()
            assert asked
            return set(asked)

        assert await slowed(other) == {False}
        await house.plex.engine.play(ANN, movie)
        await house.until(partial(_one_plays, house))
        assert await slowed(last) == {yields}
        assert await slowed(episode) == {False}


async def test_the_playing_file_itself_can_be_left_out(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, playback={"cache_current": False, "next_episodes": 2}) as house:
        await house.plex.engine.play(ANN, episodes[0])
        await house.until(lambda: house.is_cached(*episodes[1:3]))
        await house.quiet()
        assert not house.is_cached(episodes[0])


async def test_next_episodes_are_added_until_they_last_next_min_runtime(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    enough = int(sum(library[key].seconds for key in episodes[1:4]))
    playback = {"next_episodes": 1, "next_min_runtime": f"{enough}s"}
    async with at_home(tmp_path, library, playback=playback) as house:
        await house.plex.engine.play(ANN, episodes[0])
        await house.until(lambda: house.is_cached(*episodes[:4]))
        await house.quiet()
        assert not house.is_cached(episodes[4])


@pytest.mark.parametrize(("min_play", "stays"), [("0", True), ("30s", False)])
async def test_min_play_decides_whether_a_short_play_leaves_something(
    tmp_path: Path, min_play: str, stays: bool
) -> None:
    library = small_library()
    movie = library.movies[0]
    playback, retention = {"min_play": min_play}, {"min_stay": "0"}
    async with at_home(tmp_path, library, playback=playback, retention=retention) as house:
        await _seen(house, movie)
        await house.quiet()
        assert house.is_cached(movie) is stays


async def test_min_stay_holds_what_nobody_wants(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    clock = Clock(3600.0)
    retention = {"after_stopped": "0", "min_stay": "1h"}
    async with at_home(tmp_path, library, clock=clock, retention=retention, playback=AT_ONCE) as house:
        begun = clock.now()
        await _seen(house, movie)
        await house.until(lambda: not house.is_cached(movie))
        assert clock.now() - begun >= 3600


async def test_only_the_libraries_that_are_named_count(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, plex={"libraries": ["movies"]}) as house:
        await house.plex.engine.play(BEN, episodes[0], client="phone")
        await house.plex.engine.play(ANN, library.movies[0])
        await house.until(lambda: house.is_cached(library.movies[0]))
        await house.quiet()
        assert not any(house.is_cached(key) for key in episodes)


async def test_a_mapping_that_is_switched_off_is_left_alone(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, start=False) as house:
        for mapping in house.settings["mapping"]:
            mapping["enabled"] = mapping["name"] == "Movies"
        async with _started(house):
            await house.plex.engine.play(BEN, episodes[0], client="phone")
            await house.plex.engine.play(ANN, library.movies[0])
            await house.until(lambda: house.is_cached(library.movies[0]))
            await house.quiet()
            assert not any(house.is_cached(key) for key in episodes)


@pytest.mark.parametrize("name", ["ANN", "ann"])
async def test_an_excluded_user_counts_for_nothing_however_the_name_is_written(tmp_path: Path, name: str) -> None:
    library = small_library()
    movie, other = library.movies[:2]
    async with at_home(tmp_path, library, users={"exclude": [name]}) as house:
        await house.plex.engine.play(ANN, movie)
        await house.plex.engine.play(BEN, other, client="phone")
        await house.until(lambda: house.is_cached(other))
        await house.quiet()
        assert not house.is_cached(movie)


async def test_as_many_workers_run_as_the_settings_say(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), transfer={"to_cache": 3, "to_array": 2}):
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert {name for name in names if name.startswith(("cache_in-", "evict-"))} == {
            *(f"cache_in-{index}" for index in range(3)),
            *(f"evict-{index}" for index in range(2)),
        }


@pytest.mark.parametrize(("verify", "proven"), [("size", False), ("checksum", True)])
async def test_verify_decides_whether_copies_have_a_checksum(tmp_path: Path, verify: str, proven: bool) -> None:
    library = small_library()
    async with at_home(tmp_path, library, transfer={"verify": verify}) as house:
        await _seen(house, library.movies[0])
        assert {bool(entry.checksum) for entry in await house.entries()} == {proven}


@pytest.mark.parametrize(("sidecars", "found"), [("none", []), ("subtitles", [".srt"]), ("all", [".nfo", ".srt"])])
async def test_sidecars_decides_what_travels_with_a_video(tmp_path: Path, sidecars: str, found: list[str]) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, transfer={"sidecars": sidecars}) as house:
        (video,) = house.array(movie)
        for path in video.parent.iterdir():
            if path != video:
                path.unlink()
        for suffix in (".nfo", ".srt"):
            video.with_suffix(suffix).write_text("hello")
        await _seen(house, movie)
        (copy,) = house.cache(movie)
        assert sorted(path.suffix for path in copy.parent.iterdir() if path.stem == copy.stem and path != copy) == found


async def test_hard_links_are_skipped_or_copied_as_hardlinks_says(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    for hardlinks in ("skip", "copy"):
        async with at_home(tmp_path / hardlinks, library, transfer={"hardlinks": hardlinks}) as house:
            (house.folder / "seed").hardlink_to(house.array(movie)[0])
            await house.plex.engine.play(ANN, movie)
            await house.until(partial(_ended, house))
            assert house.is_cached(movie) is (hardlinks == "copy")


async def _ended(house: House) -> bool:
    return bool(await house.tasks(TaskState.FAILED, TaskState.SUCCEEDED))


@pytest.mark.parametrize(("level", "said"), [("info", True), ("warning", False)])
async def test_the_log_file_has_what_the_level_lets_through(tmp_path: Path, level: str, said: bool) -> None:
    library = small_library()
    file = tmp_path / "ondeckd.log"
    async with at_home(tmp_path, library, log={"level": level, "file": str(file), "format": "json"}) as house:
        await _seen(house, library.movies[0])
        events = [json.loads(line)["event"] for line in file.read_text().splitlines()]
        assert ("playback_started" in events) is said


async def test_a_changed_stale_session_counts_for_what_plays_already(tmp_path: Path) -> None:
    async with from_file(tmp_path, clock=Clock(3600.0), playback={"stale_session": "30d"}) as house:
        movie = house.library.movies[0]
        session = await house.plex.engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))
        house.plex.engine.ghost_after = 1e9
        house.plex.engine.vanish(session)
        await house.clock.sleep(3600)
        assert (await house.get("/api/v1/sessions"))["total"] == 1

        await change(house, playback={"stale_session": "5m"})
        await house.until(partial(_nobody_plays, house))


async def _one_plays(house: House) -> bool:
    return int((await house.get("/api/v1/sessions"))["total"]) == 1


async def _nobody_plays(house: House) -> bool:
    return int((await house.get("/api/v1/sessions"))["total"]) == 0


@asynccontextmanager
async def _started(house: House) -> AsyncIterator[None]:
    new_app(house)
    async with daemon_running(house):
        await house.plex.frames.wait_for_listeners()
        yield


@asynccontextmanager
async def _over_tls(house: House) -> AsyncIterator[str]:
    """Have a server with a certificate that nobody has signed stand before Plex; gives its address."""
    key, certificate = house.folder / "key.pem", house.folder / "certificate.pem"
    words = f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=plex -keyout {key} -out {certificate}"
    await asyncio.to_thread(run, words.split(), check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", house.plex.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(pump(reader, inner_writer))
            group.create_task(pump(inner_reader, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@needs_openssl
async def test_a_certificate_that_nobody_signed_is_taken_only_without_verify_tls(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with (
        at_home(tmp_path, library, clock=Clock(60.0), start=False, playback=AT_ONCE) as house,
        _over_tls(house) as url,
    ):
        house.settings["plex"] |= {"url": url, "verify_tls": False}
        async with _started(house):
            await _seen(house, movie)
        house.settings["plex"]["verify_tls"] = True
        new_app(house)
        async with daemon_running(house):
            await until_bad(house, "plex", "certificate")
            await until_bad(house, "notifications", "certificate")
