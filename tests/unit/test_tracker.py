from __future__ import annotations

import pytest

from daemon.model import Play, PlaybackStarted, PlayState, User
from tests.support.tracker import ALICE, BOB, HOUR, Watch, broken_rules, frame, listed


def test_a_play_is_announced_once_it_is_known_who_plays() -> None:
    watch = Watch()
    assert watch.frame("playing", 5.0) == []
    began = watch.now
    assert watch.after(2).identify(BOB) == ["started 100 by bob"]
    event = watch.events[0]
    assert isinstance(event, PlaybackStarted)
    assert (event.at, event.play.view_offset, event.play.duration) == (began, 5.0, 1000.0)
    assert watch.after(1).identify(ALICE) == []


def test_pause_resume_and_stop_are_told_once_each() -> None:
    watch = Watch()
    watch.play()
    assert watch.after(10).frame("playing", 10.0) == []
    assert watch.after(1).frame("paused", 11.0) == ["paused 100 by alice"]
    assert watch.after(10).frame("paused", 11.0) == []
    assert watch.after(1).frame("playing", 11.0) == ["resumed 100 by alice"]
    assert watch.after(1).frame("stopped", 12.0) == ["stopped 100 by alice"]
    assert watch.frame("stopped", 12.0) == []
    assert watch.tracker.plays() == []


def test_resuming_through_buffering_is_a_resume_and_buffering_alone_is_none() -> None:
    watch = Watch()
    watch.play()
    assert watch.after(5).frame("buffering", 5.0) == []
    assert watch.after(5).frame("playing", 6.0) == []
    assert watch.after(5).frame("paused", 11.0) == ["paused 100 by alice"]
    assert watch.after(5).frame("buffering", 11.0) == []
    assert watch.after(1).frame("playing", 11.0) == ["resumed 100 by alice"]


@pytest.mark.parametrize("state", ["buffering", "stopped", "error"])
def test_a_first_frame_that_does_not_play_starts_nothing(state: str) -> None:
    watch = Watch()
    assert watch.frame(state) == []
    assert watch.tracker.pending() == []


def test_a_first_paused_frame_starts_a_play() -> None:
    watch = Watch()
    watch.frame("paused", 50.0)
    assert watch.identify() == ["started 100 by alice"]


@pytest.mark.parametrize(
    ("wait", "offset", "said"),
    [
        (10, 20.0, []),
        (10, 28.0, []),  # a stutter of the client's clock
        (10, 40.0, ["seeked 100 by alice"]),
        (10, 2.0, ["seeked 100 by alice"]),
        (0, 10.0, []),  # a duplicate
        (19, 29.0, []),  # a frame was lost
    ],
)
def test_an_offset_that_time_does_not_explain_is_a_seek(wait: float, offset: float, said: list[str]) -> None:
    watch = Watch()
    watch.play()
    watch.after(10).frame("playing", 10.0)
    assert watch.after(wait).frame("playing", offset) == said


def test_the_resume_point_that_follows_a_first_zero_is_no_seek() -> None:
    watch = Watch()
    watch.play(0.0)
    assert watch.after(2).frame("playing", 400.0) == []
    assert watch.after(10).frame("playing", 500.0) == ["seeked 100 by alice"]


def test_seeking_while_paused_is_a_seek_and_waiting_is_none() -> None:
    watch = Watch()
    watch.play()
    watch.after(40).frame("paused", 40.0)
    assert watch.after(600).frame("paused", 40.0) == []
    assert watch.after(1).frame("paused", 5.0) == ["seeked 100 by alice"]


def test_a_play_is_confirmed_after_min_play_by_time_alone() -> None:
    watch = Watch()
    watch.play()
    assert watch.tracker.next_due() == watch.now + 30
    assert watch.after(29).tick() == []
    assert watch.after(1).tick() == ["confirmed 100 by alice"]
    assert watch.tracker.next_due() is None
    assert watch.after(1).tick() == []


def test_a_play_that_is_identified_late_is_confirmed_at_once() -> None:
    watch = Watch()
    watch.frame()
    assert watch.after(40).identify() == ["started 100 by alice", "confirmed 100 by alice"]


def test_a_stop_before_min_play_confirms_nothing_and_one_after_it_does() -> None:
    watch = Watch()
    watch.play()
    assert watch.after(29).frame("stopped", 29.0) == ["stopped 100 by alice"]
    watch.after(60).play(key="2")
    assert watch.after(31).frame("stopped", 31.0, key="2") == [
        "confirmed 100 by alice",
        "stopped 100 by alice",
    ]


def test_a_pending_play_that_stops_was_never_there() -> None:
    watch = Watch()
    watch.frame()
    assert watch.after(1).frame("stopped") == []
    assert watch.identify() == []


def test_another_item_under_the_same_key_stops_the_first() -> None:
    watch = Watch()
    watch.play()
    watch.after(40).tick()
    assert watch.frame("playing", 0.0, item="101") == ["stopped 100 by alice"]
    assert watch.identify() == ["started 101 by alice"]


def test_the_stop_of_an_episode_that_comes_after_the_next_one_began_changes_nothing() -> None:
    watch = Watch()
    watch.play()
    watch.after(40).frame("playing", 0.0, item="101")
    watch.identify()
    assert watch.frame("stopped", 40.0, item="100") == []
    assert [play.rating_key for play in watch.tracker.plays()] == ["101"]


def test_a_stop_without_an_item_ends_what_plays_under_its_key() -> None:
    watch = Watch()
    watch.play()
    assert watch.after(40).frame("stopped", 40.0, item="")[-1] == "stopped 100 by alice"


def test_leftovers_within_seconds_of_the_end_open_no_ghost() -> None:
    watch = Watch()
    watch.play()
    watch.after(40).frame("stopped", 40.0)
    watch.after(2).frame("playing", 39.0)
    watch.frame("paused", 39.0)
    assert watch.tracker.pending() == []
    watch.after(4).frame("playing", 3.0)
    assert len(watch.tracker.pending()) == 1


def test_a_late_frame_of_the_item_before_does_not_take_the_place_of_the_next() -> None:
    watch = Watch()
    watch.play()
    watch.after(40).frame("playing", 0.0, item="101")
    watch.identify()
    assert watch.after(1).frame("playing", 41.0, item="100") == []
    assert [play.rating_key for play in watch.tracker.plays()] == ["101"]


def test_a_key_that_another_client_uses_after_a_restart_is_another_play() -> None:
    watch = Watch()
    watch.play(client="tv")
    watch.after(60)
    assert watch.frame("playing", 0.0, client="phone")[-1] == "stopped 100 by alice"
    assert watch.identify(BOB) == ["started 100 by bob"]
    assert watch.after(1).frame("stopped", client="tv") == []


def test_the_same_client_and_item_under_a_new_key_go_on_as_the_same_play() -> None:
    watch = Watch()
    before = watch.play(key="450")
    assert watch.after(20).frame("playing", 20.0, key="1") == []
    play = watch.tracker.plays()[0]
    assert (play.id, play.session_key) == (before.id, "1")
    assert watch.after(1).frame("stopped", key="450") == []
    assert len(watch.tracker.plays()) == 1


def test_two_clients_with_the_same_user_and_item_are_two_plays() -> None:
    watch = Watch()
    watch.play(key="1", client="tv")
    watch.play(key="2", client="phone")
    assert watch.after(50).frame("stopped", key="1", client="tv")[-1] == "stopped 100 by alice"
    assert [play.client for play in watch.tracker.plays()] == ["phone"]


def test_clients_that_do_not_name_themselves_are_told_apart_by_their_keys() -> None:
    watch = Watch()
    watch.play(key="1", client="")
    watch.play(key="2", client="")
    assert len(watch.tracker.plays()) == 2
    watch.after(50).frame("stopped", key="1", client="")
    assert [play.session_key for play in watch.tracker.plays()] == ["2"]


def test_an_item_that_is_left_alone_is_never_announced() -> None:
    watch = Watch()
    watch.frame("playing", 0.0, item="555")
    watch.tracker.ignore(watch.tracker.pending()[0].id, watch.now)
    watch.after(10).frame("playing", 10.0, item="555")
    assert watch.tracker.pending() == []
    watch.tracker.reconsider()
    watch.after(10).frame("playing", 20.0, item="555")
    assert len(watch.tracker.pending()) == 1


def test_music_and_clips_in_the_sessions_end_a_pending_play_silently() -> None:
    watch = Watch()
    watch.frame("playing", 0.0, item="555")
    assert watch.snapshot(listed(item="555", video=False)) == []
    assert watch.tracker.pending() == []


def test_a_movie_after_its_trailer_under_one_key_is_a_play() -> None:
    watch = Watch()
    watch.frame("playing", 0.0, item="555")
    watch.tracker.ignore(watch.tracker.pending()[0].id, watch.now)
    watch.after(30).frame("playing", 0.0, item="100")
    assert watch.identify() == ["started 100 by alice"]


def test_a_frame_without_item_for_an_unknown_session_is_ignored() -> None:
    watch = Watch()
    watch.frame("playing", 0.0, item="")
    assert watch.tracker.pending() == []


def test_a_play_without_offsets_still_lives_and_ends() -> None:
    watch = Watch()
    watch.frame("playing", None)
    watch.identify()
    watch.after(40).frame("playing", None)
    assert watch.after(1).frame("stopped", None) == ["stopped 100 by alice"]


def test_the_clock_set_back_neither_blocks_nor_ends_a_play() -> None:
    watch = Watch()
    watch.play()
    watch.after(60).frame("stopped", 60.0)
    watch.after(-HOUR).frame("playing", 0.0)
    assert watch.identify() == ["started 100 by alice"]
    assert watch.after(-HOUR).snapshot() == []


def test_every_life_obeys_the_rules() -> None:
    watch = Watch()
    watch.play()
    watch.after(50).frame("playing", 50.0, item="101")
    watch.identify()
    watch.after(2000).snapshot()
    assert broken_rules(watch.events) == []
    assert [type(event).__name__ for event in watch.events].count("PlaybackStopped") == 2


def test_loaded_plays_are_open_until_plex_says_otherwise() -> None:
    watch = Watch(connected=False)
    stored = Play(
        id="old",
        session_key="7",
        rating_key="100",
        user=User("5", "eve"),
        client="tv",
        player="TV",
        state=PlayState.PLAYING,
        started_at=watch.now - 100,
        last_seen=watch.now - 90,
    )
    watch.tracker.load([stored])
    assert watch.tracker.plays() == [stored]
    assert watch.after(HOUR).tick() == []
    assert watch.tracker.next_due() is None
    assert watch.tracker.frame(frame("playing", 30.0, key="7"), watch.now)[-1].at == watch.now


def test_a_play_that_is_dropped_begins_anew_by_its_next_report() -> None:
    watch = Watch()
    watch.frame("playing")
    (pending,) = watch.tracker.pending()
    watch.tracker.drop(pending.id)
    watch.tracker.drop(pending.id)
    assert watch.tracker.pending() == []
    watch.after(10.0).frame("playing", 10.0)
    assert watch.identify() == ["started 100 by alice"]


def test_a_play_is_listed_while_the_last_snapshot_shows_it() -> None:
    watch = Watch()
    play = watch.play()
    assert not watch.tracker.is_listed(play.id)
    watch.snapshot(listed())
    assert watch.tracker.is_listed(play.id)
    watch.after(1.0).snapshot()
    assert not watch.tracker.is_listed(play.id)
    assert not watch.tracker.is_listed("no such play")
