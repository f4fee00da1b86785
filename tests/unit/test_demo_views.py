"""What users have watched, and what they would go on with."""

from __future__ import annotations

import pytest

from daemon.demo.library import Library
from daemon.demo.media import Kind, Node
from daemon.demo.views import Views
from tests.support.plex import small_library


@pytest.fixture
def library() -> Library:
    return small_library()


@pytest.fixture
def views(library: Library) -> Views:
    return Views(library)


def keys(nodes: list[Node]) -> list[str]:
    return [node.key for node in nodes]


def test_a_begun_movie_is_on_deck_until_it_is_watched(library: Library, views: Views) -> None:
    movie = library.movies[0]
    views.progress("1", movie, 5000, 10)
    assert keys(views.on_deck("1")) == [movie]
    views.watched("1", movie, 20)
    assert views.on_deck("1") == []
    assert views.fields("1", library[movie]) == {"viewCount": 1, "lastViewedAt": 20}


def test_after_a_watched_episode_the_next_one_is_on_deck_across_seasons(library: Library, views: Views) -> None:
    episodes = library.episodes(library.shows[0])
    views.watched("1", episodes[3], 10)
    assert keys(views.on_deck("1")) == [episodes[4]]
    assert library[library[episodes[4]].parent].index == 2


def test_on_deck_skips_what_was_watched_before_and_ends_with_the_show(library: Library, views: Views) -> None:
    episodes = library.episodes(library.shows[0])
    views.watched("1", episodes[1], 10)
    views.watched("1", episodes[0], 20)
    assert keys(views.on_deck("1")) == [episodes[2]]
    views.watched("1", episodes[-1], 30)
    assert views.on_deck("1") == []


def test_users_do_not_see_each_others_views(library: Library, views: Views) -> None:
    movie = library.movies[0]
    views.progress("1", movie, 5000, 10)
    assert views.on_deck("2") == []
    assert views.fields("2", library[movie]) == {}


def test_the_latest_is_first_even_within_one_second(library: Library, views: Views) -> None:
    views.progress("1", library.movies[0], 5000, 10)
    views.progress("1", library.movies[1], 5000, 10)
    assert keys(views.on_deck("1")) == [library.movies[1], library.movies[0]]


def test_what_is_taken_off_continue_watching_stays_on_deck_and_comes_back_when_played(
    library: Library, views: Views
) -> None:
    movie = library.movies[0]
    views.progress("1", movie, 5000, 10)
    views.hide("1", movie)
    assert views.continue_watching("1") == []
    assert keys(views.on_deck("1")) == [movie]
    views.progress("1", movie, 6000, 20)
    assert keys(views.continue_watching("1")) == [movie]


def test_marking_a_show_marks_every_episode_of_it(library: Library, views: Views) -> None:
    show = library.shows[0]
    rows = views.watched("1", show, 10)
    assert len(rows) == 8
    assert views.fields("1", library[show])["viewedLeafCount"] == 8
    views.unwatched("1", show)
    assert views.fields("1", library[show]) == {"viewedLeafCount": 0}
    assert len(views.history) == 8


def test_the_history_can_be_asked_by_time_account_item_and_section(library: Library, views: Views) -> None:
    movie, show = library.movies[0], library.shows[0]
    episode = library.episodes(show)[0]
    views.watched("1", movie, 10)
    views.watched("2", episode, 20)
    assert [row.id for row in views.rows(since=11)] == [2]
    assert [row.id for row in views.rows(account="1")] == [1]
    assert [row.key for row in views.rows(key=show)] == [episode]
    assert [row.kind for row in views.rows(section="1")] == [Kind.MOVIE]


def test_views_of_a_deleted_title_return_with_it_under_its_new_key(library: Library, views: Views) -> None:
    node = library[library.movies[0]]
    views.watched("1", node.key, 10)
    library.remove(node.key)
    views.orphan(node)
    node.key = ""
    library.add(node)
    assert views.fields("1", node) == {}
    views.adopt(node)
    assert views.fields("1", node) == {"viewCount": 1, "lastViewedAt": 10}
