from __future__ import annotations

import pytest

from daemon.model import PlaybackStarted, PlaybackStopped, PlayState
from tests.support.listener import demo_server, episodes, household, landmark
from tests.support.plex import without_media
from tests.support.tracker import broken_rules

_FIVE_MINUTES = {"stale_session": "5m"}


async def test_while_plex_cannot_say_what_plays_the_start_waits() -> None:
    async with demo_server(speed=30.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        fault = plex.faults.http("/library/metadata/", status=500, times=8)
        key = episodes(plex)[0]
        session = await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by Ben")
        assert fault.hits == 8
        assert len(house.told[0][2]) == 5
        await plex.engine.stop(session)
        await house.hears(f"stopped {key} by Ben")
        assert broken_rules(event for event, _, _ in house.told) == []


async def test_a_play_that_ends_while_plex_cannot_say_what_played_is_not_told() -> None:
    async with demo_server(speed=30.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        key = episodes(plex)[0]
        plex.faults.http(f"/library/metadata/{key}$", status=500)
        session = await plex.engine.play("Ben", key)
        await plex.engine.stop(session)
        assert await landmark(house) == house.lines[0]
        await landmark(house, plex.library.movies[1])
        await plex.clock.sleep(60.0)
        assert not any(key in line.split() for line in house.lines)
        assert house.listener._lanes is not None
        assert len(house.listener._lanes._lanes) == 2


async def test_one_404_says_nothing_of_a_play_that_is_listed() -> None:
    async with demo_server(speed=30.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        key = episodes(plex)[0]
        fault = plex.faults.http(f"/library/metadata/{key}$", status=404, times=5)
        await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by Ben")
        assert fault.hits == 5
        assert house.listener.sessions_known


async def test_what_is_neither_found_nor_listed_is_no_play_until_it_is_found() -> None:
    async with demo_server(speed=30.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        await house.marked()
        key = episodes(plex)[0]
        hidden = plex.faults.hide_sessions()
        fault = plex.faults.http(f"/library/metadata/{key}$", status=404)
        session = await plex.engine.play("Ben", key)
        # Nobody waits for it: the sessions become known without it.
        while fault.hits < 3 or house.listener._tracker.pending() or not house.listener.sessions_known:
            await plex.clock.sleep(1.0)
        assert house.told == []
        plex.faults.session_faults.remove(hidden)
        plex.faults.https.remove(fault)
        await plex.engine.advance(session, 10.0)
        await house.hears(f"started {key} by Ben")


async def test_a_start_does_not_wait_for_a_list_of_episodes_that_cannot_be_read() -> None:
    async with demo_server(speed=30.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        keys = episodes(plex)
        broken = plex.faults.http("/allLeaves", status=500)
        await plex.engine.play("Ben", keys[0])
        await house.hears(f"started {keys[0]} by Ben")
        _, item, following = house.told[0]
        assert item is not None
        assert (item.rating_key, following, house.listener.sessions_known) == (keys[0], [], True)
        plex.faults.https.remove(broken)
        await house.hears(f"identified {keys[0]} by Ben")
        _, item, following = house.told[1]
        assert item is not None
        assert [one.rating_key for one in following] == keys[1:6]


async def test_a_start_does_not_wait_for_a_list_of_episodes_that_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.plex.lanes._PROMPT", 0.1)
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        keys = episodes(plex)
        stalled = plex.faults.http("/allLeaves", stall=True, times=1)
        session = await plex.engine.play("Ben", keys[0])
        await house.hears(f"started {keys[0]} by Ben")
        assert house.told[0][2] == []
        assert house.listener.plex_problem == ""  # it has not been given up
        stalled.cleared.set()
        await house.hears(f"identified {keys[0]} by Ben")
        assert [one.rating_key for one in house.told[1][2]] == keys[1:6]
        await plex.engine.stop(session)
        await house.hears(f"stopped {keys[0]} by Ben")
        assert broken_rules(event for event, _, _ in house.told) == []


async def test_what_follows_for_nobody_known_is_not_told_for_who_turns_out_to_play() -> None:
    async with demo_server(speed=30.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        await house.marked()
        keys = episodes(plex)
        await plex.engine.mark("Ben", keys[1])
        hidden = plex.faults.hide_sessions()
        broken = plex.faults.http("/allLeaves", status=500)
        await plex.engine.play("Ben", keys[0])
        await house.hears(f"started {keys[0]} by ?")
        plex.faults.session_faults.remove(hidden)
        house.listener.reconcile_soon()
        while house.listener.plays()[0].user.title != "Ben":
            await plex.clock.sleep(1.0)
        plex.faults.https.remove(broken)
        await house.hears(f"identified {keys[0]} by Ben")
        _, _, following = house.told[house.lines.index(f"identified {keys[0]} by Ben")]
        assert [one.rating_key for one in following] == keys[2:7]
        await landmark(house)
        assert house.lines.count(f"identified {keys[0]} by Ben") == 1


async def test_an_item_whose_file_is_just_being_replaced_is_told_once_it_has_one() -> None:
    async with demo_server(speed=30.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        movie = plex.library.movies[0]
        plex.faults.http(f"/library/metadata/{movie}$", mangle=lambda answer: without_media(answer, movie), times=3)
        await plex.engine.play("Ben", movie)
        await house.hears(f"started {movie} by Ben")
        assert len(house.told) == 1
        item = house.told[0][1]
        assert item is not None
        assert item.files


async def test_one_play_that_plex_cannot_tell_holds_up_no_other() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        key = episodes(plex)[0]
        stalled = plex.faults.http(f"/library/metadata/{key}$", stall=True)
        await plex.engine.play("Ben", key)
        await landmark(house)
        assert len(house.lines) == 1
        stalled.cleared.set()
        await house.hears(f"started {key} by Ben")


async def test_a_stop_is_told_after_a_start_that_takes_long() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        await house.marked()
        key = episodes(plex)[0]
        stalled = plex.faults.http(f"/library/metadata/{key}$", stall=True)
        session = await plex.engine.play("Ben", key)
        await landmark(house)
        await plex.engine.stop(session)
        await landmark(house, plex.library.movies[1])
        before = house.listener.sessions_known  # whose start is not told may play any file
        stalled.cleared.set()
        await house.hears(f"stopped {key} by Ben")
        assert (before, house.listener.sessions_known) == (False, True)
        told = [event for event, _, _ in house.told if not hasattr(event, "play") or event.play.rating_key == key]
        assert [type(event) for event in told] == [PlaybackStarted, PlaybackStopped]


async def test_a_stop_that_was_missed_while_plex_was_down_is_told_when_it_is_back() -> None:
    async with demo_server(speed=30.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        key = episodes(plex)[0]
        await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by Ben")
        await plex.restart(maintenance_for=20.0)
        await house.hears(f"stopped {key} by Ben")


async def test_while_plex_is_down_nothing_ends_and_nothing_is_known() -> None:
    async with demo_server(speed=300.0) as plex, household(plex, playback=_FIVE_MINUTES) as house:
        await plex.frames.wait_for_listeners()
        key = episodes(plex)[0]
        session = await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by Ben", f"confirmed {key} by Ben")
        before = house.listener.sessions_known
        down = plex.faults.http(reset=True)
        plex.sockets.abort()
        await plex.clock.sleep(400.0)  # longer than `stale_session`, on the server's clock
        assert [play.rating_key for play in house.listener.plays()] == [key]
        assert (before, house.listener.sessions_known) == (True, False)
        assert house.listener.plex_problem
        plex.faults.https.remove(down)
        await plex.frames.wait_for_listeners()
        await plex.engine.pause(session)
        await house.hears(f"paused {key} by Ben")
        assert f"stopped {key} by Ben" not in house.lines


async def test_while_the_sessions_cannot_be_read_they_are_not_known() -> None:
    async with demo_server(speed=30.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        await house.marked()
        before = house.listener.sessions_known
        fault = plex.faults.http("/status/sessions$", status=500)
        house.listener.reconcile_soon()
        while fault.hits < 4:
            await plex.clock.sleep(1.0)
        assert (before, house.listener.sessions_known) == (True, False)


async def test_a_client_that_vanishes_ends_when_plex_no_longer_lists_it() -> None:
    async with demo_server(speed=200.0) as plex, household(plex, playback=_FIVE_MINUTES) as house:
        await plex.frames.wait_for_listeners()
        key = episodes(plex)[0]
        session = await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by Ben")
        plex.engine.vanish(session)
        plex.engine.forget(session)
        await house.hears(f"stopped {key} by Ben")


async def test_another_server_at_the_address_is_refused_and_its_frames_end_nothing() -> None:
    async with demo_server(speed=30.0) as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        key = episodes(plex)[0]
        session = await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by Ben")
        ours, plex.identity.machine_identifier = plex.machine_identifier, "somebody else"
        await plex.sockets.drop()
        await plex.frames.wait_for_listeners(0)
        await plex.frames.wait_for_listeners()
        await plex.engine.report(session, PlayState.STOPPED)
        while "another Plex server" not in house.listener.plex_problem:
            await plex.clock.sleep(1.0)
        await plex.clock.sleep(10.0)
        assert [play.rating_key for play in house.listener.plays()] == [key]
        plex.identity.machine_identifier = ours
        house.listener.reconcile_soon()
        await house.hears(f"stopped {key} by Ben")


async def test_a_wrong_token_is_said_in_one_line() -> None:
    async with demo_server(speed=30.0) as plex, household(plex, token="wrong") as house:
        while not (house.listener.plex_problem and house.listener.notifications.refused):
            await plex.clock.sleep(1.0)
        assert house.listener.plex_problem == "Plex refuses the token (401)"
        assert not house.listener.sessions_known


async def test_no_token_is_said_in_one_line_too() -> None:
    async with demo_server(speed=30.0) as plex, household(plex, token="") as house:
        await plex.clock.sleep(5.0)
        assert "token" in house.listener.plex_problem


async def test_frames_of_every_odd_kind_make_the_same_play() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        plex.faults.frames(
            "playing", copies=3, form="legacy", binary=True, change={"ratingKey": int, "viewOffset": str}
        )
        key = episodes(plex)[0]
        session = await plex.engine.play("Ben", key)
        await house.hears(f"started {key} by Ben")
        plex.frames.send_raw("garbage {")
        plex.frames.send_raw(b"\xff\x00")
        await plex.engine.stop(session)
        await house.hears(f"stopped {key} by Ben")
        assert len(house.lines) == 2
