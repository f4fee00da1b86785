"""A Plex that refuses, is away, starts, or is another one: seen at once, survived, and nothing is evicted meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.clock import Clock
from tests.support.bad_input import logged, plex_down, plex_up, problem, until_bad, until_good
from tests.support.daemon import House, at_home, daemon_running
from tests.support.plex import small_library

ANN = "Ann"
FAST = 3600.0
SOON = {"after_stopped": "10m", "min_stay": "0"}
LOUD = {"level": "info", "format": "json"}


async def test_a_wrong_token_is_named_once_and_the_daemon_lives_until_it_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    async with at_home(tmp_path, library, clock=Clock(FAST), start=False) as house:
        house.plex.people.revoke(ANN)
        async with daemon_running(house):
            await until_bad(house, "plex", "Plex refuses the token (401)")
            await house.clock.sleep(3600)
            assert problem(house, "notifications") == "Plex refuses the token (401)"
            status = await house.get("/api/v1/status")
            assert not status["ready"]
            (line,) = logged(capsys, "plex_lost")
            assert line["why"] == "Plex refuses the token (401)"

            house.plex.people.grant(ANN)
            await until_good(house)
            await house.plex.engine.play(ANN, library.movies[0])
            await house.until(lambda: house.is_cached(library.movies[0]))


async def test_a_token_that_is_revoked_while_the_socket_stays_open_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with at_home(tmp_path, small_library(), clock=Clock(FAST)) as house:
        await until_good(house)
        house.plex.people.revoke(ANN)

        await until_bad(house, "plex", "Plex refuses the token (401)")
        assert problem(house, "notifications") == ""
        await house.clock.sleep(60)
        (line,) = logged(capsys, "plex_lost")
        assert line["why"] == "Plex refuses the token (401)"
        house.plex.people.grant(ANN)
        await until_good(house)


async def test_a_play_begun_while_plex_was_away_for_hours_is_served_when_it_is_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = small_library()
    async with at_home(tmp_path, library, clock=Clock(FAST), start=False) as house:
        await plex_down(house)
        async with daemon_running(house):
            await until_bad(house, "plex", "Plex cannot be reached")
            await house.clock.sleep(2 * 3600)
            assert len(logged(capsys, "plex_lost")) == 1
            await house.plex.engine.play(ANN, library.movies[0])  # nobody hears of it

            await plex_up(house)
            await house.until(lambda: house.is_cached(library.movies[0]))
            await until_good(house)


async def test_a_plex_that_is_starting_is_waited_for(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library, clock=Clock(FAST), start=False) as house:
        await house.plex.restart(maintenance_for=86_400)
        async with daemon_running(house):
            await until_bad(house, "plex", "Plex is starting (503)")
            await house.plex.restart()
            await until_good(house)
            await house.plex.engine.play(ANN, library.movies[0])
            await house.until(lambda: house.is_cached(library.movies[0]))


async def test_another_server_at_the_address_is_refused_by_name_and_ends_no_play(tmp_path: Path) -> None:
    library = small_library()
    patient = {"stale_session": "30d"}
    async with at_home(tmp_path, library, clock=Clock(FAST), playback=patient) as house:
        await house.plex.engine.play(ANN, library.movies[0])
        await house.until(lambda: house.is_cached(library.movies[0]))
        right = house.plex.identity.machine_identifier
        house.plex.identity.machine_identifier = "f" * 40
        await house.plex.restart()

        await until_bad(house, "plex", f"another Plex server answers at {house.plex.url}")
        await house.clock.sleep(3600)
        assert (await house.get("/api/v1/sessions"))["total"] == 1
        assert house.is_cached(library.movies[0])

        house.plex.identity.machine_identifier = right
        await house.plex.restart()
        await until_good(house)


async def _cached_and_stopped(house: House) -> str:
    """Have a movie on the cache whose time there has begun to run out; return its key."""
    movie = house.library.movies[0]
    session = await house.plex.engine.play(ANN, movie)
    await house.until(lambda: house.is_cached(movie))
    await house.clock.sleep(60)
    await house.plex.engine.stop(session)
    await house.until(lambda: not house.app.core.listener.plays())
    return movie


async def test_nothing_is_evicted_while_the_sessions_are_unknown_and_it_is_done_when_plex_is_back(
    tmp_path: Path,
) -> None:
    async with at_home(tmp_path, small_library(), clock=Clock(FAST), retention=SOON) as house:
        movie = await _cached_and_stopped(house)
        await plex_down(house)
        await until_bad(house, "plex", "Plex cannot be reached")
        await house.clock.sleep(3600)
        assert house.is_cached(movie)

        await plex_up(house)
        await house.until(lambda: not house.is_cached(movie))
    assert house.damaged() == []


async def test_an_eviction_by_hand_is_refused_while_plex_cannot_say_what_plays(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), clock=Clock(FAST), retention=SOON) as house:
        movie = await _cached_and_stopped(house)
        await plex_down(house)
        await until_bad(house, "plex", "Plex cannot be reached")
        await house.clock.sleep(120)

        status, answer = await house.post("/api/v1/evict", {"target": str(house.cache(movie)[0])})
        assert status == 409
        assert "Plex cannot say what plays now" in answer["error"]["message"]
        assert house.is_cached(movie)


async def test_an_eviction_that_was_queued_before_waits_while_the_sessions_are_unknown(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), clock=Clock(FAST), retention=SOON) as house:
        movie = await _cached_and_stopped(house)
        await house.post("/api/v1/pause")
        await house.post("/api/v1/evict", {"target": movie})
        await plex_down(house)
        await until_bad(house, "plex", "Plex cannot be reached")
        await house.clock.sleep(120)
        await house.post("/api/v1/resume")
        await house.clock.sleep(3600)
        assert house.is_cached(movie)

        await plex_up(house)
        await house.until(lambda: not house.is_cached(movie))
