from __future__ import annotations

import pytest

from daemon.plex.frames import Edge
from tests.support.tracker import ALICE, BOB, Watch, hook, listed


def test_a_webhook_before_the_frame_counts_once() -> None:
    watch = Watch()
    assert watch.hook(hook(Edge.PLAY, 3.0, user=BOB)) == ["started 100 by bob"]
    assert watch.after(1).frame("playing", 4.0) == []
    play = watch.tracker.plays()[0]
    assert (play.session_key, play.duration) == ("1", 1000.0)
    assert watch.tracker.pending() == []


def test_a_webhook_after_the_frame_says_who_plays() -> None:
    watch = Watch()
    watch.frame()
    assert watch.after(1).hook(hook(Edge.PLAY, user=BOB)) == ["started 100 by bob"]
    assert watch.after(1).hook(hook(Edge.PLAY, user=BOB)) == []
    assert len(watch.tracker.plays()) == 1


def test_a_webhook_of_another_client_with_the_same_item_is_another_play() -> None:
    watch = Watch()
    watch.play(client="tv")
    assert watch.hook(hook(Edge.PLAY, client="phone", user=BOB)) == ["started 100 by bob"]
    assert len(watch.tracker.plays()) == 2


def test_a_listed_session_binds_the_play_that_a_webhook_began() -> None:
    watch = Watch(connected=False)
    watch.hook(hook(Edge.PLAY))
    assert watch.after(1).snapshot(listed(1.0, key="9")) == []
    assert [play.session_key for play in watch.tracker.plays()] == ["9"]


@pytest.mark.parametrize("edge", [Edge.STOP, Edge.PAUSE, Edge.RESUME, Edge.PLAY])
def test_a_webhook_that_follows_the_socket_s_stop_begins_nothing(edge: Edge) -> None:
    watch = Watch()
    watch.play()
    watch.after(60).frame("stopped", 60.0)
    assert watch.after(3).hook(hook(edge, 60.0)) == []
    assert watch.tracker.plays() == []


def test_a_stop_webhook_of_the_play_before_does_not_end_the_next() -> None:
    watch = Watch()
    watch.play(key="1")
    watch.after(60).frame("stopped", 60.0, key="1")
    watch.after(6).play(key="2")
    assert watch.after(3).hook(hook(Edge.STOP, 60.0)) == []
    assert len(watch.tracker.plays()) == 1


def test_a_stop_webhook_ends_a_play_whose_stop_frame_was_lost() -> None:
    watch = Watch()
    watch.play()
    watch.after(31).tick()
    assert watch.hook(hook(Edge.STOP, 31.0)) == ["stopped 100 by alice"]
    assert watch.after(1).frame("stopped", 31.0) == []


def test_while_frames_arrive_a_webhook_does_not_change_the_state() -> None:
    watch = Watch()
    watch.play()
    watch.after(5).frame("paused", 5.0)
    assert watch.after(1).hook(hook(Edge.RESUME, 5.0)) == []


def test_webhooks_alone_tell_a_whole_play() -> None:
    watch = Watch(connected=False)
    assert watch.hook(hook(Edge.PLAY, 0.0)) == ["started 100 by alice"]
    assert watch.after(20).hook(hook(Edge.PAUSE, 20.0)) == ["paused 100 by alice"]
    assert watch.after(20).hook(hook(Edge.RESUME, 20.0)) == [
        "resumed 100 by alice",
        "confirmed 100 by alice",
    ]
    assert watch.after(880).hook(hook(Edge.SCROBBLE)) == ["watched 100 by alice (webhook)"]
    assert watch.after(60).hook(hook(Edge.STOP, 960.0)) == ["stopped 100 by alice"]


def test_webhooks_alone_with_a_lost_stop_end_the_play_at_the_client_s_next() -> None:
    watch = Watch(connected=False)
    watch.hook(hook(Edge.PLAY))
    watch.after(60).tick()
    said = watch.hook(hook(Edge.PLAY, item="101"))
    assert said == ["stopped 100 by alice", "started 101 by alice"]


def test_a_resume_of_an_unknown_play_begins_it() -> None:
    watch = Watch(connected=False)
    assert watch.hook(hook(Edge.RESUME, 300.0)) == ["started 100 by alice"]
    assert watch.tracker.plays()[0].view_offset == 300.0


def test_a_pause_of_an_unknown_play_begins_it_paused() -> None:
    watch = Watch(connected=False)
    watch.hook(hook(Edge.PAUSE, 300.0))
    assert watch.after(5).hook(hook(Edge.RESUME, 300.0)) == ["resumed 100 by alice"]


def test_a_scrobble_and_ninety_percent_count_once_whichever_comes_first() -> None:
    watch = Watch()
    watch.play()
    watch.after(890).frame("playing", 890.0)
    assert watch.hook(hook(Edge.SCROBBLE)) == ["watched 100 by alice (webhook)"]
    assert watch.after(20).frame("playing", 910.0) == []
    assert watch.after(1).hook(hook(Edge.SCROBBLE)) == []
    watch.after(1).frame("stopped", 911.0)
    assert watch.after(5).hook(hook(Edge.SCROBBLE)) == []


def test_a_scrobble_before_the_frame_of_its_play_counts_once() -> None:
    watch = Watch()
    assert watch.hook(hook(Edge.SCROBBLE)) == ["watched 100 by alice (webhook)"]
    watch.after(1).frame("playing", 950.0)
    assert watch.identify() == ["started 100 by alice"]
    assert watch.tracker.plays()[0].watched


def test_a_scrobble_without_a_play_counts_for_its_user() -> None:
    watch = Watch()
    assert watch.hook(hook(Edge.SCROBBLE, user=BOB)) == ["watched 100 by bob (webhook)"]
    assert watch.hook(hook(Edge.SCROBBLE, user=BOB)) == []
    assert watch.hook(hook(Edge.SCROBBLE, user=ALICE)) == ["watched 100 by alice (webhook)"]


def test_a_webhook_play_that_plex_does_not_know_ends_when_it_is_stale() -> None:
    watch = Watch()
    watch.hook(hook(Edge.PLAY))
    assert watch.after(60).snapshot() == []
    assert watch.after(300).snapshot()[-1] == "stopped 100 by alice"
