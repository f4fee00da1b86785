"""What holds of every policy, whatever a household watches."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.simulation.engine import replay
from daemon.simulation.history import Household, Title, Viewing
from daemon.simulation.policies import POLICIES
from tests.support.histories import HOUR, SIZE, ZERO, whole

EPISODES, SHOWS = 5, 3
USERS = ("Ann", "Ben")


@st.composite
def households(draw: st.DrawFn, *, apart: bool = False) -> Household:
    """Make a household of three shows and a film; `apart`: one play at a time, and time for many copies between."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=EPISODES * SHOWS + 1, max_size=EPISODES * SHOWS + 1))
    titles = [
        Title(f"{show}{number}", sizes[show * EPISODES + number] * SIZE, HOUR, f"show {show}", 1, number)
        for show in range(SHOWS)
        for number in range(EPISODES)
    ]
    titles.append(Title("film", sizes[-1] * SIZE, HOUR))
    choices = st.tuples(
        st.sampled_from(titles), st.sampled_from(USERS), st.floats(0.01, 60), st.sampled_from((0.02, 0.5, 1.0))
    )
    plays = draw(st.lists(choices, min_size=1, max_size=40))
    times = accumulate((gap + 2 if apart else gap) * HOUR for _, _, gap, _ in plays)
    viewings = tuple(
        Viewing(ZERO + at, user, title.key, 0.0, 1.0 if apart else end)
        for at, (title, user, _, end) in zip(times, plays, strict=True)
    )
    return Household("any", {title.key: title for title in titles}, viewings)


@given(households(apart=True), st.integers(0, 30))
@settings(max_examples=200, deadline=None)
def test_who_knows_the_future_never_serves_less_than_lru(household: Household, files: int) -> None:
    best, lru = (replay(household, POLICIES[name], whole(), files * SIZE) for name in ("clairvoyant", "lru"))
    assert best.plays_cached >= lru.plays_cached
    # It only copies while a play that missed keeps the array awake.
    assert best.wakeups <= best.plays - best.plays_cached


@pytest.mark.parametrize("name", POLICIES)
@given(household=households(), files=st.integers(0, 30))
@settings(max_examples=25, deadline=None)
def test_a_replay_always_says_the_same_and_its_figures_agree(name: str, household: Household, files: int) -> None:
    # The disks themselves refuse what does not fit, and the stage to throw out what plays.
    result = replay(household, POLICIES[name], whole(), files * SIZE)
    assert result == replay(household, POLICIES[name], whole(), files * SIZE)
    assert result.plays == len(household.viewings)
    assert 0 <= result.plays_cached <= result.plays
    assert 0 <= result.followed_missed <= min(result.followed, result.plays - result.plays_cached)
    assert result.hours_awake >= result.wakeups / 2
    assert result.wakeups or not result.bytes_written
    assert files or not result.plays_cached
