"""What each policy of the simulation does in stories short enough to follow by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from daemon.simulation.engine import Result, replay
from daemon.simulation.history import Household
from daemon.simulation.policies import POLICIES
from tests.support.histories import COPY, HOUR, SIZE, episode, film, home, play, whole, wish

SHOW = [episode(number) for number in range(1, 13)]
ONE, TWO, THREE, FOUR = SHOW[:4]
FILM = film("film")
QUIET: Mapping[str, object] = {"playback": {"cache_current": False}}


def run(household: Household, policy: str, files: int = 20, tables: Mapping[str, object] = QUIET) -> Result:
    """Replay with room for so many files."""
    return replay(household, POLICIES[policy], whole(tables), files * SIZE)


def test_lru_throws_out_what_was_not_played_for_the_longest_time() -> None:
    a, b, c = (film(name) for name in "abc")
    story = (play(0, a), play(3, b), play(6, a), play(9, c), play(12, a))
    result = run(home([a, b, c], *story), "lru", files=2)
    # a is played from the cache twice, for c takes the place of b.
    assert (result.plays_cached, result.evictions, result.bytes_written) == (2, 1, 3 * SIZE)


def test_lru_leaves_alone_what_is_larger_than_the_cache() -> None:
    assert run(home([ONE], play(0, ONE), play(3, ONE)), "lru", files=0).bytes_written == 0


def test_the_batch_copies_what_is_on_deck_and_five_more_on_the_hour() -> None:
    # On the hour the first episode plays: five follow it. An hour later the second is on deck, and the seventh comes.
    result = run(home(SHOW, play(1 / 6, ONE), play(2.5, TWO)), "batch")
    assert (result.followed, result.followed_missed, result.bytes_written) == (1, 0, 6 * SIZE)
    # Awake from the first play on, which copies go along with, and again for the seventh at two o'clock.
    assert result.wakeups == 2
    assert result.hours_awake == pytest.approx(1 + 0.5 + COPY / HOUR + 0.5)


def test_the_batch_misses_what_is_begun_within_the_hour() -> None:
    result = run(home(SHOW, play(0.1, ONE, begin=0.5), play(0.65, TWO)), "batch")
    assert (result.followed, result.followed_missed) == (1, 1)


def test_the_batch_moves_back_an_episode_before_the_one_on_deck_after_twelve_hours() -> None:
    until_two = home(SHOW, play(1 / 6, ONE), play(2.5, TWO), play(12.5, FILM, end=0.2))
    later = home(SHOW, play(1 / 6, ONE), play(2.5, TWO), play(13.5, THREE, end=0.2), play(14.5, THREE, end=0.2))
    until_two = Household("", {**until_two.titles, FILM.key: FILM}, until_two.viewings)
    assert run(until_two, "batch").evictions == 0
    assert run(later, "batch").evictions == 1


def test_the_batch_takes_what_fits_and_makes_no_room() -> None:
    result = run(home(SHOW, play(1 / 6, ONE), play(2.5, TWO), play(4.5, THREE)), "batch", files=2)
    assert (result.bytes_written, result.evictions, result.followed_missed) == (2 * SIZE, 0, 0)


def test_the_batch_brings_three_episodes_of_a_listed_show_and_a_listed_film() -> None:
    story = home([*SHOW, FILM], play(5, FILM, end=0.5), wishes=(wish(0.5, "show"), wish(0.5, FILM.key)))
    result = run(story, "batch")
    assert (result.plays_cached, result.bytes_written) == (1, 4 * SIZE)


def test_the_clairvoyant_copies_what_is_played_next_while_a_play_misses() -> None:
    result = run(home(SHOW, play(0, ONE), play(3, TWO), play(6, THREE), play(9, TWO)), "clairvoyant", files=2)
    assert (result.plays_cached, result.bytes_written, result.wakeups, result.hours_awake) == (3, 2 * SIZE, 1, 1.5)


def test_the_clairvoyant_never_wakes_the_array_itself() -> None:
    story = home(SHOW, *(play(3 * number, title) for number, title in enumerate(SHOW)))
    result = run(story, "clairvoyant", files=2)
    assert result.plays_cached == 8
    assert result.wakeups == result.plays - result.plays_cached == 4


def test_ondeckd_has_the_next_episode_ready_before_the_first_one_ends() -> None:
    result = run(home(SHOW, play(1 / 6, ONE), play(7 / 6, TWO)), "ondeckd")
    assert (result.followed, result.followed_missed) == (1, 0)
    # Five at the start and one more when it was watched, all while it plays; what the second asks for waits.
    assert (result.bytes_written, result.wakeups, result.hours_awake) == (6 * SIZE, 1, 1.5)


def test_ondeckd_copies_what_plays_only_if_told_to() -> None:
    story = home([FILM], play(0, FILM), play(5, FILM))
    assert run(story, "ondeckd").bytes_written == 0
    result = run(story, "ondeckd", tables={})
    assert (result.bytes_written, result.plays_cached) == (SIZE, 1)


def test_ondeckd_takes_back_what_a_play_of_seconds_demanded() -> None:
    # Within its three seconds not even one copy is complete; the one that has begun ends.
    story = home([*SHOW, FILM], play(0, ONE, end=0.001), play(9, FILM))
    assert run(story, "ondeckd").bytes_written == SIZE


def test_ondeckd_has_a_new_episode_ready_when_it_has_arrived() -> None:
    new = episode(13, added=24)
    story = home([*SHOW[-2:], new], play(0, SHOW[-2]), play(2, SHOW[-1]), play(30, new))
    result = run(story, "ondeckd")
    assert result.followed_missed == 0
    # It is copied while whoever brought it keeps the array awake.
    assert result.wakeups == 2


@pytest.mark.parametrize(
    ("tables", "cached"),
    [
        ({}, 1),
        ({"watchlist": {"enabled": False}}, 0),
        ({"users": {"exclude": ["Ann"]}}, 0),
        ({"users": {"Ann": {"watchlist": False}}}, 0),
        ({"users": {"Ben": {"watchlist": False}}}, 1),
    ],
    ids=["default", "no watchlists", "Ann does not count", "not her list", "not Ben's list"],
)
def test_the_settings_are_those_of_the_daemon(tables: dict[str, object], cached: int) -> None:
    # What Ann listed is copied while Ben's play keeps the array awake.
    story = home([FILM, ONE], play(2, ONE, user="Ben", end=0.5), play(9, FILM), wishes=(wish(0.5, FILM.key),))
    assert run(story, "ondeckd", tables={**QUIET, **tables}).plays_cached == cached


def test_what_is_not_urgent_waits_for_the_window_if_the_array_sleeps() -> None:
    # What was watched may leave half a day later.
    story = home([FILM], play(1, FILM), play(40, FILM))
    current = {"playback": {"cache_current": True}}
    assert run(story, "ondeckd", tables=current).plays_cached == 1
    assert run(story, "ondeckd", tables={**current, "schedule": {"array_window": "00:00-23:59"}}).plays_cached == 0


def test_what_is_far_ahead_does_not_keep_the_array_awake() -> None:
    # Six episodes go along with the first one; one more is asked for twelve minutes after its end.
    result = run(home(SHOW, play(0, ONE), play(1.05, TWO, begin=0.75), play(4, TWO, end=0.1)), "ondeckd")
    assert (result.followed_missed, result.bytes_written) == (0, 6 * SIZE)
    assert (result.wakeups, result.hours_awake) == (1, 1.5)


def test_when_the_next_episode_is_missing_all_that_waits_goes_along_with_it() -> None:
    first, *evenings = (play(12 * number, one) for number, one in enumerate(SHOW[:7]))
    before = run(home(SHOW, first, *evenings[:-1]), "ondeckd")
    # Six episodes go along with the first one; while the seventh plays the next is missing, and four more go along.
    assert (before.followed_missed, before.wakeups, before.bytes_written) == (0, 1, 6 * SIZE)
    result = run(home(SHOW, first, *evenings), "ondeckd")
    assert (result.followed_missed, result.wakeups, result.bytes_written) == (0, 2, 11 * SIZE)


def test_every_policy_bears_the_name_it_is_found_by() -> None:
    story = home(SHOW, play(0, ONE))
    for name, policy in POLICIES.items():
        assert replay(story, policy, whole(), SIZE).policy == name
