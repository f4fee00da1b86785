"""Odd elements, one by one; the shapes are those that Plex sends."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from daemon.model import ItemType, MediaFile, PlayState, User
from daemon.plex import elements

MOVIE = """<MediaContainer size="1" librarySectionID="3" librarySectionTitle="Films">
<Video ratingKey="50" key="/library/metadata/50" guid="plex://movie/a" type="movie"
 title="A &amp; B" duration="6000000" viewCount="2" viewOffset="1500">
<Media id="1"><Part id="11" file="/f/cd1.mkv" size="8500000000"/><Part id="12" file="/f/cd2.mkv"/></Media>
<Media id="2"><Part id="13" file="/f/4k.mkv" size="many"/><Part id="14"/></Media>
<Media id="3" proxyType="42"><Part id="15" file="/f/Plex Versions/x.mp4" size="1"/></Media>
<Media id="4" deletedAt="1"><Part id="16" file="/f/gone.avi" size="1"/></Media>
<Marker id="1" type="intro"/></Video></MediaContainer>"""


def test_a_movie_is_read_whole() -> None:
    (movie,) = elements.items(fromstring(MOVIE))
    assert (movie.rating_key, movie.type, movie.title) == ("50", ItemType.MOVIE, "A & B")
    assert (movie.library, movie.duration, movie.watched, movie.view_offset) == ("Films", 6000.0, True, 1.5)
    assert movie.files == (
        MediaFile("/f/cd1.mkv", 8_500_000_000, "11"),
        MediaFile("/f/cd2.mkv", 0, "12"),
        MediaFile("/f/4k.mkv", 0, "13"),
    )


@pytest.mark.parametrize(
    "odd",
    [
        "<Video/>",
        '<Video type="movie"/>',
        '<Video type="movie" ratingKey="1/2"/>',
        '<Video type="clip" ratingKey="7"/>',
        '<Track type="track" ratingKey="8"/>',
        '<Directory key="/x/allLeaves" title="All episodes"/>',
        '<Video type="movie" ratingKey="9" live="1"/>',
        "<Meta/>",
    ],
)
def test_an_odd_element_costs_only_itself(odd: str) -> None:
    container = fromstring(f'<MediaContainer>{odd}<Video ratingKey="1" type="movie"/></MediaContainer>')
    assert [item.rating_key for item in elements.items(container)] == ["1"]


def test_an_episode_without_numbers_is_no_special() -> None:
    container = fromstring(
        '<MediaContainer><Video type="episode" key="/library/metadata/5" grandparentKey="/library/metadata/1"'
        ' duration="long" viewCount="x"/></MediaContainer>'
    )
    (episode,) = elements.items(container)
    assert (episode.rating_key, episode.show, episode.season, episode.episode) == ("5", "1", 1, 0)
    assert (episode.duration, episode.watched) == (0.0, False)


def test_seasons_and_shows_are_items_without_files() -> None:
    container = fromstring(
        '<MediaContainer><Directory type="season" ratingKey="2" parentRatingKey="1" index="0"/>'
        '<Directory type="show" ratingKey="1" index="1"/></MediaContainer>'
    )
    season, show = elements.items(container)
    assert (season.show, season.season, season.files) == ("1", 0, ())
    assert (show.show, show.files) == ("1", ())


def session(attributes: str = "", inside: str = "") -> str:
    return f'<Video sessionKey="4" ratingKey="50" type="movie" {attributes}>{inside}</Video>'


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (session(), {"user": User("", ""), "client": "", "state": PlayState.PLAYING, "video": True}),
        (
            session('viewOffset="x"', '<User id="0" title="local"/>'),
            {"user": User("", "local"), "view_offset": None},
        ),
        (
            session("", '<Player state="paused" machineIdentifier="tv" title="TV"/>'),
            {"state": PlayState.PAUSED},
        ),
        (session("", '<Player state="dancing"/>'), {"state": PlayState.PLAYING}),
        (session('live="1"'), {"video": False}),
        ('<Video sessionKey="4" key="/livetv/sessions/1" type="movie"/>', {"rating_key": "", "video": False}),
        ('<Track sessionKey="4" ratingKey="8" type="track" guid="library://x"/>', {"video": False}),
        ('<Photo sessionKey="4" ratingKey="8" type="photo"/>', {"video": False}),
        ('<Video sessionKey="4" ratingKey="8"/>', {"video": True}),
    ],
)
def test_a_session_is_read_as_far_as_it_goes(element: str, expected: dict[str, Any]) -> None:
    (found,) = elements.sessions(fromstring(f"<MediaContainer>{element}</MediaContainer>"))
    assert {name: getattr(found, name) for name in expected} == expected


def test_sessions_without_a_key_or_with_one_that_is_taken_are_left_out() -> None:
    container = fromstring(f'<MediaContainer><Video/><Video sessionKey="a1"/>{session()}{session()}</MediaContainer>')
    assert len(elements.sessions(container)) == 1


def test_history_rows_of_deleted_items_and_of_music_are_left_out() -> None:
    container = fromstring(
        "<MediaContainer>"
        '<Video historyKey="/h/1" ratingKey="5" type="episode" viewedAt="1700000000" accountID="1"/>'
        '<Video historyKey="/h/2" title="Gone" type="movie" viewedAt="1700000001" accountID="1"/>'
        '<Track historyKey="/h/3" ratingKey="6" type="track" viewedAt="1700000002" accountID="1"/>'
        '<Video historyKey="/h/4" ratingKey="7" type="movie" accountID="1"/>'
        '<Video ratingKey="8" type="movie" viewedAt="1700000003" accountID="77"/>'
        "</MediaContainer>"
    )
    rows = elements.history(container)
    assert [(row.rating_key, row.user, row.at) for row in rows] == [
        ("5", "1", 1_700_000_000.0),
        ("8", "77", 1_700_000_003.0),
    ]
    assert len({row.key for row in rows}) == 2


def test_accounts_leave_out_the_nameless_one() -> None:
    container = fromstring(
        '<MediaContainer><Account id="0" name=""/><Account id="1" name="Ann"/><Account/></MediaContainer>'
    )
    assert elements.accounts(container) == [User("1", "Ann")]


def test_sections_know_their_folders() -> None:
    container = fromstring(
        '<MediaContainer><Directory key="2" title="TV" type="show"><Location id="1" path="/data/tv"/>'
        '<Location id="2"/></Directory><Directory/></MediaContainer>'
    )
    assert elements.sections(container) == [elements.Section("2", "TV", "show", ("/data/tv",))]
