"""What a replay counts, computed by hand."""

from __future__ import annotations

import pytest

from daemon.simulation.disks import Array, Disks
from daemon.simulation.engine import Playing, Result, replay
from daemon.simulation.history import Household
from daemon.simulation.lru import LeastRecentlyUsed
from daemon.simulation.policies import POLICIES
from tests.support.histories import HOUR, SIZE, ZERO, episode, film, home, play, whole

ONE, TWO, THREE = (episode(number) for number in (1, 2, 3))


def run(household: Household, policy: str, files: int = 10) -> Result:
    """Replay with room for so many files."""
    return replay(household, POLICIES[policy], whole(), files * SIZE)


def test_an_array_sleeps_half_an_hour_after_the_last_access_and_wakes_for_the_next() -> None:
    array = Array()
    array.use(0.0, 600.0)
    assert array.awake(2399.0)
    assert not array.awake(2400.0)
    array.use(2400.0)
    assert (array.wakeups, array.seconds) == (2, 2400.0 + 1800.0)


def test_accesses_while_the_array_is_awake_are_one_time_awake() -> None:
    array = Array()
    array.use(0.0, 3600.0)
    array.use(100.0, 10.0)
    array.use(5000.0, 100.0)
    assert (array.wakeups, array.seconds) == (1, 5000.0 + 100.0 + 1800.0)


def test_without_a_cache_each_play_reads_from_the_array() -> None:
    result = run(home([ONE, TWO], play(0, ONE), play(3, TWO)), "nothing")
    assert (result.plays, result.plays_cached, result.hours, result.hours_cached) == (2, 0, 2.0, 0.0)
    assert (result.wakeups, result.hours_awake) == (2, 3.0)
    assert (result.bytes_written, result.bytes_missed, result.evictions) == (0, 2 * SIZE, 0)


def test_a_play_that_follows_before_the_array_sleeps_wakes_nothing() -> None:
    result = run(home([ONE, TWO], play(0, ONE), play(1 + 1 / 3, TWO)), "nothing")
    assert result.wakeups == 1
    assert result.hours_awake == pytest.approx(1 + 1 / 3 + 1 + 0.5)


def test_only_what_is_watched_of_a_title_counts() -> None:
    result = run(home([ONE], play(0, ONE, begin=0.25, end=0.75)), "nothing")
    assert (result.hours, result.hours_awake) == (0.5, 1.0)


def test_a_followed_play_is_one_of_a_show_of_which_anybody_began_an_episode_before() -> None:
    other = episode(1, show="other")
    movie = film("film")
    story = (play(0, ONE), play(3, other), play(6, TWO, user="Ben"), play(9, movie), play(12, movie))
    result = run(home([ONE, TWO, other, movie], *story), "nothing")
    assert (result.plays, result.followed, result.followed_missed) == (5, 1, 1)


def test_a_second_play_of_what_was_copied_is_served_from_the_cache() -> None:
    result = run(home([ONE], play(0, ONE), play(5, ONE)), "lru")
    assert (result.plays_cached, result.hours_cached, result.followed, result.followed_missed) == (1, 1.0, 1, 0)
    # The copy runs while the first play reads; the second play touches nothing.
    assert (result.wakeups, result.hours_awake, result.bytes_written) == (1, 1.5, SIZE)


def test_a_file_counts_as_cached_only_once_its_copy_is_complete() -> None:
    five_seconds, fifteen_seconds = 5 / HOUR, 15 / HOUR
    story = (play(0, ONE), play(five_seconds, ONE, user="Ben"), play(fifteen_seconds, ONE, user="Cleo"))
    assert run(home([ONE], *story), "lru").plays_cached == 1


def test_a_play_that_begins_in_the_moment_in_which_the_copy_is_complete_is_served() -> None:
    assert run(home([ONE], play(0, ONE), play(10 / HOUR, ONE, user="Ben")), "lru").plays_cached == 1


def test_what_arrives_is_written_to_the_array_and_can_be_played_from_then_on() -> None:
    new = episode(2, added=10)
    result = run(home([ONE, new], play(0, ONE), play(20, new)), "nothing")
    # Two plays of an hour, ten seconds of writing, and three times half an hour until it sleeps again.
    assert result.wakeups == 3
    assert result.hours_awake == pytest.approx(2 + 10 / HOUR + 1.5)


def test_the_days_reach_from_the_first_play_to_the_end_of_the_last() -> None:
    result = run(home([ONE, TWO], play(0, ONE), play(47, TWO)), "nothing")
    assert (result.days, result.wakeups_a_day, result.hours_awake_a_day) == (2.0, 1.0, 1.5)


def test_a_history_without_plays_is_all_zeros() -> None:
    result = run(home([ONE]), "ondeckd")
    assert (result.plays, result.wakeups, result.bytes_written) == (0, 0, 0)


def test_the_disks_refuse_what_does_not_fit_or_is_there() -> None:
    disks = Disks(SIZE)
    disks.begin(ONE, ZERO)
    with pytest.raises(ValueError, match="cannot be copied"):
        disks.begin(TWO, ZERO)
    disks.finish(ZERO + 10)
    for title in (ONE, TWO):
        with pytest.raises(ValueError, match="cannot be copied"):
            disks.begin(title, ZERO + 20)
    disks.evict(ONE.key, ZERO + 30)
    assert (disks.used, disks.written, disks.evictions) == (0, SIZE, 1)


def test_nothing_may_throw_out_what_plays() -> None:
    class Brute(LeastRecentlyUsed):
        def confirmed(self, play: Playing) -> None:
            del play
            for key in list(self.stage.disks.held):
                self.stage.evict(key)

    with pytest.raises(ValueError, match="must not leave"):
        replay(home([ONE], play(0, ONE)), Brute, whole(), SIZE)
