from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

import pytest

from daemon.config import build
from daemon.model import Item, ItemType, PlaybackStarted
from daemon.plex.frames import NO_QUEUE, QueuePlace
from daemon.plex.queues import ahead
from handlers import playback
from tests.support.values import NOW, play

SHOW = "10"


def episode(season: int, number: int, show: str = SHOW) -> Item:
    return Item(f"{show}{season}{number}", ItemType.EPISODE, "", show=show, season=season, episode=number)


def movie(key: str) -> Item:
    return Item(key, ItemType.MOVIE, "")


def queue(*items: Item, selected: str = "", **fields: str) -> Element:
    """Return a queue as Plex answers it; the ids of its items are 1, 2, and so on."""
    container = Element("MediaContainer", {"playQueueID": "3", "playQueueSelectedItemID": selected, **fields})
    for number, item in enumerate(items, start=1):
        entry = SubElement(container, "Video", ratingKey=item.rating_key, type=item.type, playQueueItemID=f"{number}")
        if item.type is ItemType.EPISODE:
            numbers = {"parentIndex": f"{item.season}", "index": f"{item.episode}"}
            entry.attrib.update({"grandparentRatingKey": item.show, **numbers})
    return container


def after(container: Element, current: Item, place: QueuePlace = NO_QUEUE) -> list[str] | None:
    found = ahead(container, place, current, lambda identifier, title: "Kids" not in (identifier, title))
    return None if found is None else [item.rating_key for item in found]


SEASON = [episode(1, number) for number in range(1, 5)]
SHUFFLED = {"playQueueShuffled": "1"}


@pytest.mark.parametrize("yes", ["1", "true"])
def test_a_shuffled_queue_is_followed_even_where_chance_put_it_in_order(yes: str) -> None:
    assert after(queue(*SEASON, playQueueShuffled=yes), SEASON[1]) == ["1013", "1014"]


@pytest.mark.parametrize(
    "made_from",
    [
        {"playQueuePlaylistID": "77"},
        {"playQueueSourceURI": "server://abc/com.plexapp.plugins.library/playlists/77/items"},
        {"playQueueSourceURI": "library://abc/directory/%2Fplaylists%2F77%2Fitems"},
    ],
)
def test_a_playlist_is_followed_even_where_it_is_a_show_in_order(made_from: dict[str, str]) -> None:
    assert after(queue(*SEASON, **made_from), SEASON[1]) == ["1013", "1014"]


@pytest.mark.parametrize(
    "fields",
    [
        {"playQueueShuffled": "0", "playQueueSourceURI": f"library://abc/item/%2Flibrary%2Fmetadata%2F{SHOW}"},
        {"playQueueSourceURI": f"server://abc/com.plexapp.plugins.library/library/metadata/{SHOW}/children"},
        {"playQueueShuffled": "odd", "playQueuePlaylistID": "0"},
        {},
    ],
)
def test_a_show_in_order_is_left_to_its_episodes(fields: dict[str, str]) -> None:
    assert after(queue(*SEASON, episode(2, 1), **fields), SEASON[1]) is None
    assert after(queue(*SEASON, **fields), SEASON[3]) is None


def test_specials_do_not_disturb_the_order() -> None:
    assert after(queue(SEASON[0], SEASON[1], episode(0, 1), SEASON[2]), SEASON[0]) is None
    assert after(queue(episode(0, 1), episode(0, 2), SEASON[0]), episode(0, 1)) is None


def test_what_is_no_video_does_not_disturb_the_order() -> None:
    mixed = queue(*SEASON)
    mixed.insert(1, Element("Video", type="clip", ratingKey="10"))
    mixed.insert(2, Element("Video", type="episode", live="1", ratingKey="11"))
    mixed.insert(3, Element("Video", type="movie"))
    assert after(mixed, SEASON[0]) is None


def test_episodes_without_a_season_have_an_order_too() -> None:
    backwards = queue(SEASON[0], *SEASON[:0:-1])
    for element in backwards:
        del element.attrib["parentIndex"]
    assert after(backwards, SEASON[0]) == ["1014", "1013", "1012"]


def test_any_other_order_is_followed() -> None:
    assert after(queue(*SEASON[::-1]), SEASON[2]) == ["1012", "1011"]


def test_a_queue_that_something_was_added_to_is_followed() -> None:
    assert after(queue(SEASON[0], movie("7"), *SEASON[1:]), SEASON[0]) == ["7", "1012", "1013", "1014"]
    assert after(queue(SEASON[0], episode(1, 1, "20")), SEASON[0]) == ["2011"]


def test_after_a_movie_comes_what_the_queue_says() -> None:
    assert after(queue(movie("7"), movie("8"), SEASON[0]), movie("7")) == ["8", "1011"]
    assert after(queue(movie("7")), movie("7")) == []


def test_nothing_follows_the_last_of_a_list() -> None:
    assert after(queue(*SEASON, **SHUFFLED), SEASON[3]) == []


def test_a_queue_without_the_item_that_plays_says_nothing() -> None:
    assert after(queue(), SEASON[0]) is None
    assert after(queue(*SEASON[1:], **SHUFFLED), SEASON[0]) is None


def test_an_item_that_comes_twice_is_told_apart_by_its_place() -> None:
    twice = queue(movie("7"), movie("8"), movie("7"), movie("9"), selected="3")
    assert after(twice, movie("7"), QueuePlace("3", "1")) == ["8", "7", "9"]
    assert after(twice, movie("7"), QueuePlace("3", "3")) == ["9"]
    assert after(twice, movie("7"), QueuePlace("3")) == ["9"]


def test_a_place_that_the_client_has_left_counts_less_than_what_it_plays() -> None:
    late = queue(movie("7"), movie("8"), movie("9"), selected="1")
    assert after(late, movie("8"), QueuePlace("3", "1")) == ["9"]
    assert after(late, movie("8"), QueuePlace("3", "99")) == ["9"]


def test_trailers_music_and_what_has_no_key_are_left_out() -> None:
    odd = queue(movie("7"), Item("8", ItemType.SHOW, ""), movie("9"))
    SubElement(odd, "Video", type="clip", ratingKey="10")
    SubElement(odd, "Track", type="track", ratingKey="11")
    SubElement(odd, "Video", type="movie")
    SubElement(odd, "Video")
    assert after(odd, movie("7")) == ["9"]


def test_a_library_that_does_not_count_is_left_out() -> None:
    mixed = queue(movie("7"), movie("8"), movie("9"))
    mixed[1].set("librarySectionTitle", "Kids")
    mixed[2].set("librarySectionTitle", "Movies")
    assert after(mixed, movie("7")) == ["9"]


def test_what_a_queue_of_many_shows_demands_belongs_to_the_show_it_is_of() -> None:
    start = PlaybackStarted(play(SEASON[0]), NOW)
    changes = playback.started(start, SEASON[0], [episode(1, 1, "20"), movie("7"), SEASON[3]], build({}))
    assert [(one.position, one.kind, one.show) for one in changes.put_demands] == [
        (0, "playing", SHOW),
        (1, "next_up", "20"),
        (2, "next_up", ""),
        (3, "next_up", SHOW),
    ]


def test_of_a_huge_queue_only_a_part_is_looked_at() -> None:
    huge = queue(*(movie(f"{number}") for number in range(20_000)))
    found = after(huge, movie("100"))
    assert found is not None
    assert found[:2] == ["101", "102"]
    assert len(found) == 500
