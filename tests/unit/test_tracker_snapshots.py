from __future__ import annotations

from daemon.model import UNKNOWN_USER, Play, PlayState, User
from tests.support.tracker import ALICE, BOB, HOUR, Watch, broken_rules, listed


def stored(now: float, *, key: str = "7", confirmed: bool = False) -> Play:
    return Play(
        id="old",
        session_key=key,
        rating_key="100",
        user=ALICE,
        client="tv",
        player="TV",
        state=PlayState.PLAYING,
        started_at=now - 100,
        last_seen=now - 90,
        view_offset=10.0,
        duration=1000.0,
        confirmed=confirmed,
    )


def test_a_listed_session_is_a_play_with_everything_known() -> None:
    watch = Watch()
    assert watch.snapshot(listed(77.0, user=BOB)) == ["started 100 by bob"]
    play = watch.tracker.plays()[0]
    assert (play.view_offset, play.duration, play.client, play.player) == (77.0, 1000.0, "tv", "tv player")


def test_a_snapshot_says_who_plays_what_a_frame_has_begun() -> None:
    watch = Watch()
    watch.frame("playing", 5.0, client="")
    assert watch.after(0.1).snapshot(listed(5.0)) == ["started 100 by alice"]
    assert watch.tracker.plays()[0].client == "tv"


def test_a_listed_session_that_buffers_is_not_yet_a_play() -> None:
    watch = Watch()
    assert watch.snapshot(listed(0.0, "buffering")) == []
    assert watch.tracker.pending() == []


def test_a_user_who_becomes_known_later_is_told() -> None:
    watch = Watch()
    watch.frame()
    assert watch.identify(User(UNKNOWN_USER, "")) == ["started 100 by ?"]
    assert watch.after(20).snapshot(listed(20.0)) == ["identified 100 by alice"]
    assert watch.after(20).snapshot(listed(40.0, user=BOB)) == ["confirmed 100 by alice"]


def test_a_play_that_is_silent_and_gone_ends_after_stale_session() -> None:
    watch = Watch()
    watch.play()
    watch.after(31).tick()
    assert watch.after(260).snapshot() == []
    assert watch.after(40).snapshot() == ["stopped 100 by alice"]


def test_a_play_whose_frames_come_does_not_end_because_a_snapshot_lacks_it() -> None:
    watch = Watch()
    watch.play()
    for _ in range(100):
        watch.after(10).frame("paused", 0.0)
        watch.snapshot()
    assert len(watch.tracker.plays()) == 1


def test_without_a_snapshot_nothing_ends() -> None:
    watch = Watch()
    watch.play()
    assert watch.after(24 * HOUR).tick() == ["confirmed 100 by alice"]
    watch.tracker.disconnected()
    watch.after(24 * HOUR).tick()
    watch.tracker.connected(watch.now)
    assert len(watch.tracker.plays()) == 1


def test_a_silent_session_that_is_still_listed_lives_on_for_a_while_then_is_a_ghost() -> None:
    watch = Watch()
    watch.play()
    watch.after(31).tick()
    watch.snapshot(listed(31.0))
    for _ in range(28):
        assert watch.after(60).snapshot(listed(31.0)) == []
    assert watch.after(180).snapshot(listed(31.0)) == ["stopped 100 by alice"]
    for _ in range(30):
        assert watch.after(60).snapshot(listed(31.0)) == []


def test_a_ghost_that_moves_again_is_a_play() -> None:
    watch = Watch()
    watch.play()
    watch.snapshot(listed(0.0))
    watch.after(2000).snapshot(listed(0.0))
    assert watch.tracker.plays() == []
    assert watch.after(60).snapshot(listed(5.0)) == ["started 100 by alice"]


def test_a_paused_session_that_reports_is_never_a_ghost() -> None:
    watch = Watch()
    watch.play()
    for _ in range(400):
        watch.after(10).frame("paused", 0.0)
    assert watch.snapshot(listed(0.0, "paused")) == []
    assert len(watch.tracker.plays()) == 1


def test_silence_while_nobody_listens_makes_no_ghost() -> None:
    watch = Watch(connected=False)
    watch.snapshot(listed(0.0, "paused"))
    watch.after(5 * HOUR).snapshot(listed(0.0, "paused"))
    watch.tracker.connected(watch.now)
    watch.after(60).snapshot(listed(0.0, "paused"))
    assert len(watch.tracker.plays()) == 1


def test_polling_alone_follows_a_play() -> None:
    watch = Watch(connected=False)
    watch.snapshot(listed(0.0))
    assert watch.after(60).snapshot(listed(60.0)) == ["confirmed 100 by alice"]
    assert watch.after(60).snapshot(listed(70.0, "paused")) == ["paused 100 by alice"]
    assert watch.after(60).snapshot(listed(930.0)) == [
        "resumed 100 by alice",
        "seeked 100 by alice",
        "watched 100 by alice (playback)",
    ]
    watch.after(60).snapshot()
    assert watch.after(300).snapshot() == ["stopped 100 by alice"]


def test_a_snapshot_that_lags_behind_the_frames_does_not_flap() -> None:
    watch = Watch()
    watch.play()
    watch.after(10).frame("paused", 10.0)
    assert watch.after(0.5).snapshot(listed(8.0, "playing")) == []
    assert watch.tracker.plays()[0].state is PlayState.PAUSED


def test_a_session_listed_for_a_moment_after_its_stop_does_not_begin_again() -> None:
    watch = Watch()
    watch.play()
    watch.after(60).frame("stopped", 60.0)
    assert watch.after(1).snapshot(listed(60.0)) == []
    assert watch.after(60).snapshot(listed(60.0)) == []
    assert watch.tracker.pending() == []


def test_an_answer_that_was_on_its_way_when_the_stop_came_does_not_begin_it_again() -> None:
    watch = Watch()
    watch.play()
    asked_at = watch.now
    watch.after(1).frame("stopped", 1.0)
    assert watch.after(20).snapshot(listed(1.0), asked_at=asked_at) == []


def test_an_answer_that_was_on_its_way_when_the_item_changed_keeps_the_new_one() -> None:
    watch = Watch()
    watch.play()
    asked_at = watch.after(40).now
    watch.frame("playing", 0.0, item="101")
    watch.identify()
    assert watch.after(0.2).snapshot(listed(40.0, item="100"), asked_at=asked_at) == []
    assert [play.rating_key for play in watch.tracker.plays()] == ["101"]


def test_an_item_change_that_only_the_snapshot_shows_is_one() -> None:
    watch = Watch()
    watch.play()
    said = watch.after(60).snapshot(listed(3.0, item="101"))
    assert said == ["stopped 100 by alice", "started 101 by alice"]


def test_a_loss_of_the_socket_ends_nothing_until_the_next_snapshot() -> None:
    watch = Watch()
    watch.play(key="1", client="tv")
    watch.play(key="2", client="phone")
    watch.after(31).tick()
    watch.tracker.disconnected()
    assert watch.after(10).tick() == []
    watch.tracker.connected(watch.now)
    assert watch.snapshot(listed(41.0, key="2", client="phone")) == ["stopped 100 by alice"]
    assert [play.client for play in watch.tracker.plays()] == ["phone"]


def test_a_frame_after_the_reconnect_proves_a_play_before_the_snapshot_does() -> None:
    watch = Watch()
    watch.play()
    watch.tracker.disconnected()
    watch.tracker.connected(watch.after(5).now)
    watch.frame("playing", 6.0)
    assert watch.after(1).snapshot() == []
    assert len(watch.tracker.plays()) == 1


def test_a_play_of_before_the_restart_that_plex_lists_goes_on() -> None:
    watch = Watch(connected=False)
    watch.tracker.load([stored(watch.now)])
    assert watch.tick() == []
    assert watch.snapshot(listed(100.0, key="7")) == ["confirmed 100 by alice"]
    assert [play.id for play in watch.tracker.plays()] == ["old"]


def test_a_play_of_before_the_restart_that_plex_does_not_list_ends() -> None:
    watch = Watch(connected=False)
    watch.tracker.load([stored(watch.now, confirmed=True)])
    assert watch.snapshot() == ["stopped 100 by alice"]


def test_a_play_of_before_the_restart_too_short_when_last_seen_ends_unconfirmed() -> None:
    watch = Watch(connected=False)
    watch.tracker.load([stored(watch.now)])
    assert watch.after(HOUR).snapshot() == ["stopped 100 by alice"]


def test_a_play_goes_on_under_a_new_key_after_both_have_restarted() -> None:
    watch = Watch(connected=False)
    watch.tracker.load([stored(watch.now, key="450", confirmed=True)])
    assert watch.snapshot(listed(100.0, key="1")) == []
    assert [(play.id, play.session_key) for play in watch.tracker.plays()] == [("old", "1")]


def test_a_reused_key_with_another_client_ends_the_old_play() -> None:
    watch = Watch(connected=False)
    watch.tracker.load([stored(watch.now, key="1", confirmed=True)])
    said = watch.snapshot(listed(3.0, key="1", item="101", client="phone", user=BOB))
    assert said == ["stopped 100 by alice", "started 101 by bob"]


def test_one_session_listed_twice_keeps_the_rules() -> None:
    watch = Watch()
    watch.snapshot(listed(3.0), listed(3.0), listed(9.0, item="101"))
    assert broken_rules(watch.events) == []
    assert len(watch.tracker.plays()) == 1


def test_a_play_that_polling_has_just_seen_does_not_end_by_one_snapshot_without_it() -> None:
    watch = Watch(connected=False)
    for _ in range(20):
        watch.after(60).snapshot(listed(0.0, "paused"))
    assert watch.after(60).snapshot() == []
    assert len(watch.tracker.plays()) == 1


def test_a_slow_answer_that_lists_the_item_before_keeps_the_new_one() -> None:
    watch = Watch()
    watch.play()
    asked_at = watch.after(40).now
    watch.after(1).frame("playing", 0.0, item="101")
    watch.identify()
    assert watch.after(20).snapshot(listed(40.0, item="100"), asked_at=asked_at) == []
    assert [play.rating_key for play in watch.tracker.plays()] == ["101"]


def test_a_listed_item_that_is_left_alone_is_not_asked_about_again() -> None:
    watch = Watch()
    watch.frame("playing", 0.0, item="555")
    watch.tracker.ignore(watch.tracker.pending()[0].id, watch.now)
    assert watch.after(60).snapshot(listed(60.0, item="555")) == []
    watch.tracker.reconsider()
    assert watch.after(60).snapshot(listed(120.0, item="555")) == ["started 555 by alice"]
