from __future__ import annotations

from daemon.model import Watched
from tests.support.tracker import ALICE, BOB, HOUR, Watch


def test_watched_is_told_once_at_ninety_percent() -> None:
    watch = Watch()
    watch.play()
    watch.after(899).frame("playing", 899.0)
    assert watch.after(1).frame("playing", 900.0) == ["watched 100 by alice (playback)"]
    assert watch.after(10).frame("playing", 910.0) == []
    assert watch.after(1).frame("stopped", 911.0) == ["stopped 100 by alice"]


def test_buffering_at_the_end_is_not_watching() -> None:
    watch = Watch()
    watch.play()
    assert watch.after(1).frame("buffering", 999.0) == []
    assert watch.after(1).frame("playing", 1.0) == []
    watch.after(1).frame("buffering", 999.0)
    assert watch.after(1).frame("stopped", None) == ["stopped 100 by alice"]


def test_a_stop_within_the_last_seconds_counts_as_watched() -> None:
    watch = Watch()
    watch.frame()
    watch.identify(duration=60.0)
    watch.after(31).tick()
    assert watch.after(20).frame("stopped", 51.0) == [
        "watched 100 by alice (playback)",
        "stopped 100 by alice",
    ]


def test_an_unknown_duration_never_counts_as_watched() -> None:
    watch = Watch()
    watch.frame()
    watch.identify(duration=0.0)
    assert watch.after(1).frame("playing", 5000.0) == []


def test_watching_twice_counts_twice() -> None:
    watch = Watch()
    for key in ("1", "2"):
        watch.play(key=key)
        watch.after(31).tick()
        assert watch.after(869).frame("playing", 900.0, key=key) == ["watched 100 by alice (playback)"]
        watch.after(50).frame("stopped", 950.0, key=key)
        watch.after(60)


def test_history_counts_what_playback_has_not() -> None:
    watch = Watch()
    row = Watched("100", ALICE, watch.now - 60, "history")
    assert watch.history(row) == ["watched 100 by alice (history)"]
    assert watch.history(row) == []
    assert watch.history(Watched("100", BOB, watch.now, "history")) == ["watched 100 by bob (history)"]


def test_history_after_a_play_that_counted_is_the_same_watching() -> None:
    watch = Watch()
    watch.play()
    watch.after(900).frame("playing", 900.0)
    assert watch.history(Watched("100", ALICE, watch.now + 40, "history")) == []
    day_later = Watched("100", ALICE, watch.now + 24 * HOUR, "history")
    assert watch.history(day_later) == ["watched 100 by alice (history)"]


def test_history_during_a_play_marks_it_and_an_older_row_does_not() -> None:
    watch = Watch()
    watch.play()
    watch.history(Watched("100", ALICE, watch.now - HOUR, "history"))
    assert not watch.tracker.plays()[0].watched
    watch.history(Watched("100", ALICE, watch.now + 5, "history"))
    assert watch.tracker.plays()[0].watched
    assert watch.after(950).frame("playing", 950.0) == ["confirmed 100 by alice"]
