"""The commands against a running daemon, as their user meets them: what works, and what is refused and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daemon.cli import cli
from daemon.clock import Clock
from tests.support.bad_input import leftovers, plex_down, until_bad, until_good
from tests.support.command_line import config_file, free_port
from tests.support.daemon import House, at_home
from tests.support.plex import small_library

ANN = "Ann"
SLOW = {"rate_limit": "100KB", "to_cache": 1}


@asynccontextmanager
async def _home(folder: Path, **settings: Any) -> AsyncIterator[House]:
    """Have a daemon run that the commands find by its configuration file."""
    web = {"listen": f"127.0.0.1:{free_port()}"}
    library = small_library(sizes=settings.pop("sizes", (20_000, 60_000)))
    async with at_home(folder, library, clock=Clock(60.0), web=web, **settings) as house:
        config_file(folder / "etc", house.settings)
        await until_good(house)
        yield house


async def _say(house: House, *words: str) -> Result:
    config = ["--config", str(house.folder / "etc" / "config.toml")]
    return await asyncio.to_thread(CliRunner().invoke, cli, [*config, *words])


async def _table(house: House, *words: str) -> Any:
    result = await _say(house, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


async def test_every_list_shows_what_goes_on(tmp_path: Path) -> None:
    async with _home(tmp_path) as house:
        episodes = house.library.episodes(house.library.shows[0])
        await house.plex.engine.play(ANN, episodes[0])
        await house.until(lambda: house.is_cached(*episodes[:6]))
        await house.quiet()

        status = await _say(house, "status")
        assert status.exit_code == 0
        videos = [entry for entry in await house.entries() if not entry.parent]
        assert f"{len(videos)} files" in status.stdout
        assert "failed" not in status.stdout.split("check", 1)[1]
        files = await _say(house, "files")
        assert house.library[episodes[5]].parts[0].file in files.stdout
        assert ANN in (await _say(house, "sessions")).stdout
        assert (await _say(house, "tasks")).stdout.count("succeeded") == 6
        assert "cache 0 files (0 B), evict 0 (0 B)" in (await _say(house, "plan")).stdout
        assert (await _table(house, "files"))["total"] == 6
        assert (await _table(house, "sessions"))["items"][0]["user"] == ANN
        assert (await _table(house, "plan"))["totals"]["cache_in_files"] == 0
        assert (await _table(house, "status"))["ready"] is True


def _key(_house: House, movie: str) -> str:
    return movie


def _url(house: House, movie: str) -> str:
    server = house.plex.machine_identifier
    return f"https://app.plex.tv/desktop/#!/server/{server}/details?key=%2Flibrary%2Fmetadata%2F{movie}"


def _array(house: House, movie: str) -> str:
    return str(house.array(movie)[0])


def _cache(house: House, movie: str) -> str:
    return str(house.cache(movie)[0])


def _plex(house: House, movie: str) -> str:
    return house.library[movie].parts[0].file


@pytest.mark.parametrize("name", [_key, _url, _array, _cache, _plex])
async def test_a_target_is_named_in_any_way_and_comes_and_goes(
    tmp_path: Path, name: Callable[[House, str], str]
) -> None:
    async with _home(tmp_path) as house:
        movie = house.library.movies[0]
        result = await _say(house, "cache", name(house, movie), "--wait")
        assert result.exit_code == 0, result.output
        assert "succeeded" in result.stdout
        assert house.is_cached(movie)
        again = await _say(house, "cache", name(house, movie), "--wait")
        assert (again.exit_code, again.stdout.strip()) == (0, "no tasks")

        result = await _say(house, "evict", name(house, movie), "--wait")
        assert result.exit_code == 0, result.output
        assert not house.is_cached(movie)
        assert house.array(movie)[0].exists()


async def test_a_whole_show_is_a_target(tmp_path: Path) -> None:
    async with _home(tmp_path) as house:
        show = house.library.shows[0]
        result = await _say(house, "cache", show, "--wait")
        assert result.exit_code == 0, result.output
        assert house.is_cached(*house.library.episodes(show))


async def test_what_plays_is_not_evicted(tmp_path: Path) -> None:
    async with _home(tmp_path) as house:
        movie = house.library.movies[0]
        await house.plex.engine.play(ANN, movie)
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()
        for target in (movie, _cache(house, movie)):
            result = await _say(house, "evict", target, "--wait")
            assert result.exit_code == 1
            assert result.stderr == f"ondeckd: {target} is being played; it can be evicted once that has stopped\n"
        assert house.is_cached(movie)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("4711", "Plex does not know it (404)"),
        ("nonsense", "'nonsense' is no rating key, no Plex URL and no absolute path"),
        ("/elsewhere/a.mkv", "no mapping covers '/elsewhere/a.mkv'"),
        ("/data/Movies/../../etc/passwd", "'/data/Movies/../../etc/passwd' contains a relative component"),
        ("/data/Movies/nothing.mkv", "Plex has no movie or episode for '/data/Movies/nothing.mkv'"),
    ],
)
async def test_a_target_that_is_none_is_refused_with_the_reason(tmp_path: Path, target: str, why: str) -> None:
    async with _home(tmp_path) as house:
        for command in ("cache", "evict"):
            result = await _say(house, command, target)
            assert result.exit_code == 1
            assert result.stderr == f"ondeckd: {why}\n"


async def test_a_target_that_only_plex_knows_cannot_be_found_while_plex_is_down(tmp_path: Path) -> None:
    async with _home(tmp_path) as house:
        await plex_down(house)
        await until_bad(house, "notifications", "Plex")
        result = await _say(house, "cache", "1")
        assert result.exit_code == 69
        assert "Plex cannot be reached" in result.stderr


async def test_a_copy_that_fails_is_told_to_whoever_waits_for_it(tmp_path: Path) -> None:
    async with _home(tmp_path) as house:
        movie = house.library.movies[0]
        house.array(movie)[0].unlink()
        result = await _say(house, "cache", movie, "--wait")
        assert result.exit_code == 1
        assert "failed" in result.stdout
        assert "No such file or directory" in result.stdout


async def test_pause_resume_and_stop_do_what_they_say(tmp_path: Path) -> None:
    async with _home(tmp_path, transfer=SLOW, sizes=(100_000, 100_000)) as house:
        first, second = house.library.movies[:2]
        assert (await _say(house, "pause")).stdout == "paused: no new task starts\n"
        assert (await _say(house, "cache", first)).exit_code == 0
        assert (await _table(house, "status"))["state"] == "paused"
        assert not house.is_cached(first)
        assert (await _say(house, "resume")).stdout == "tasks start again\n"
        await house.until(lambda: bool(leftovers(tmp_path / "cache")))

        assert (await _say(house, "stop")).exit_code == 0

        async def at_rest() -> bool:
            status = await house.get("/api/v1/status")
            return bool(status["tasks"]["queued"] == 1 and status["tasks"]["running"] == 0)

        await house.until(at_rest)
        assert leftovers(tmp_path / "cache") == []
        assert (await _say(house, "resume")).exit_code == 0
        await _say(house, "cache", second)
        await house.until(lambda: house.is_cached(first, second))


async def test_a_full_cache_refuses_nothing_but_says_so(tmp_path: Path) -> None:
    async with _home(tmp_path, space={"quota": "1KB"}) as house:
        movie = house.library.movies[0]
        await house.plex.engine.play(ANN, movie)
        await until_bad(house, "space", "has no room for 1 wanted file")
        status = await _say(house, "status")
        assert "has no room for 1 wanted file" in status.stdout
        assert "no room" in (await _say(house, "plan")).stdout
