from __future__ import annotations

import pickle
from collections import defaultdict
from functools import cache
from itertools import pairwise

import pytest

from daemon.simulation.generate import KINDS, START, household
from daemon.simulation.history import Household, Viewing
from tests.support.process import CHECKOUT

DAY = 86_400.0
PEOPLE = {
    "children": 3,
    "one_show": 3,
    "large_family": 6,
    "starters": 1,
    "shift_worker": 1,
    "one_account": 1,
}
"""How many accounts watch, where not two."""

generated = cache(household)
each_kind = pytest.mark.parametrize("kind", KINDS)


def by_user(home: Household) -> dict[str, list[Viewing]]:
    found = defaultdict(list)
    for viewing in home.viewings:
        found[viewing.user].append(viewing)
    return found


def test_there_are_at_least_thirteen_kinds_each_with_a_sentence() -> None:
    assert len(KINDS) >= 13
    assert all(text.endswith(".") and text.count(". ") == 0 for text in KINDS.values())


@each_kind
def test_the_same_seed_makes_the_same_household_and_another_one_another(kind: str) -> None:
    assert household(kind, seed=3, days=20) == household(kind, seed=3, days=20)
    assert household(kind, seed=3, days=20) != household(kind, seed=4, days=20)


@each_kind
def test_every_play_is_of_a_title_that_is_there_by_then_and_they_come_in_order(kind: str) -> None:
    home = generated(kind)
    assert list(home.viewings) == sorted(home.viewings, key=lambda one: one.at)
    assert all(home.titles[one.key].added_at <= one.at for one in home.viewings)
    assert all(START <= one.at < START + 91 * DAY for one in home.viewings)
    assert all(0.0 <= one.begin < one.end <= 1.0 for one in home.viewings)


@each_kind
def test_some_plays_are_watched_to_the_end_and_some_are_left_half_way_and_resumed(kind: str) -> None:
    viewings = generated(kind).viewings
    watched = sum(one.end >= 0.9 for one in viewings)
    assert 0.5 * len(viewings) < watched < 0.97 * len(viewings)
    assert any(one.begin > 0 for one in viewings)


@each_kind
def test_a_play_that_is_resumed_begins_where_one_of_the_same_user_stopped(kind: str) -> None:
    for viewings in by_user(generated(kind)).values():
        stops: dict[str, set[float]] = defaultdict(set)
        for one in viewings:
            assert not one.begin or one.begin in stops[one.key]
            stops[one.key].add(one.end)


@each_kind
def test_nobody_watches_two_things_at_once(kind: str) -> None:
    for seed in range(1, 7):
        home = generated(kind, seed=seed)
        for viewings in by_user(home).values():
            for one, after in pairwise(viewings):
                length = (one.end - one.begin) * home.titles[one.key].duration
                assert one.at + length <= after.at + 1


@each_kind
def test_the_people_are_those_of_the_kind_and_watch_at_a_human_pace(kind: str) -> None:
    viewings = by_user(generated(kind))
    assert len(viewings) == PEOPLE.get(kind, 2)
    for mine in viewings.values():
        assert 0.4 < len(mine) / 90 < 6


@each_kind
def test_the_library_is_of_a_likely_size(kind: str) -> None:
    home = generated(kind)
    assert 1_500 <= len(home.titles) <= 4_500
    episodes = [one for one in home.titles.values() if one.show]
    films = [one for one in home.titles.values() if not one.show]
    assert all(1e9 <= one.size <= 4e9 and 15 <= one.duration / 60 <= 60 for one in episodes)
    assert all(5e9 <= one.size <= 25e9 and 80 <= one.duration / 60 <= 165 for one in films)
    # A fiftieth of it holds tens of files.
    assert 15 < home.bytes * 0.02 / (home.bytes / len(home.titles)) < 100


@each_kind
def test_what_is_listed_is_in_the_library_and_belongs_to_somebody_who_watches(kind: str) -> None:
    home = generated(kind)
    shows = {one.show for one in home.titles.values()}
    people = {one.user for one in home.viewings}
    assert list(home.listings) == sorted(home.listings, key=lambda one: one.at)
    assert all((one.key in home.titles or one.key in shows) and one.user in people for one in home.listings)
    assert bool(home.listings) == (kind in {"film_lovers", "large_family"})


def test_episodes_of_a_show_are_numbered_without_gaps() -> None:
    shows: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for one in generated("serial").titles.values():
        if one.show and one.season:
            shows[one.show].append((one.season, one.episode))
    for places in shows.values():
        assert places == sorted(places)
        for (season, episode), after in pairwise(places):
            assert after in {(season, episode + 1), (season + 1, 1)}


def test_new_episodes_appear_week_by_week_and_are_watched_soon() -> None:
    home = generated("weekly")
    new = {key: one for key, one in home.titles.items() if one.added_at}
    assert len(new) > 60
    first = {one.key: one.at for one in reversed(home.viewings) if one.key in new}
    waits = sorted((at - new[key].added_at) / DAY for key, at in first.items())
    assert waits[len(waits) // 2] < 7


def test_on_holidays_nobody_watches_for_two_weeks_and_more_is_watched_after_them() -> None:
    days = [int((one.at - START) // DAY) for one in generated("holidays").viewings]
    assert not any(31 <= day < 44 for day in days)
    after, usual = sum(44 <= day < 51 for day in days) / 7, sum(day < 30 for day in days) / 30
    assert after > 1.3 * usual


def test_children_see_few_titles_again_and_again() -> None:
    home = generated("children")
    seen = [one.key for one in home.viewings if one.user in {"Cleo", "Dan"}]
    assert len(set(seen)) < len(seen) / 2.5


def test_old_series_are_watched_in_order_more_than_once() -> None:
    home = generated("comfort")
    counts: dict[str, int] = defaultdict(int)
    for one in home.viewings:
        counts[one.key] += one.user == "Ann" and one.end >= 0.9
    assert sum(count > 1 for count in counts.values()) > 30


def test_a_short_history_can_be_made_of_every_kind() -> None:
    for kind in KINDS:
        for days in (1, 2, 7):
            household(kind, days=days)


def test_a_household_can_be_sent_to_another_process() -> None:
    home = generated("couple")
    assert pickle.loads(pickle.dumps(home)) == home


def test_the_documentation_lists_every_kind_in_its_own_words() -> None:
    text = (CHECKOUT / "docs/simulation.md").read_text()
    for kind, words in KINDS.items():
        assert f"| `{kind}` | {words} |" in text
