"""Feeds and ids: what is understood of them, and what is not guessed."""

from __future__ import annotations

import json

import pytest

from daemon.errors import RemoteUnavailable
from daemon.model import ItemType
from daemon.outbound import Reply
from daemon.plex.guids import normalised
from daemon.plex.rss import FeedEntry, _parsed, as_json


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plex://movie/5d7768ba96b655001fdc0408", "plex://movie/5d7768ba96b655001fdc0408"),
        (" PLEX://show/5D9C081B170B0D001E8A0BF4 ", "plex://show/5d9c081b170b0d001e8a0bf4"),
        ("imdb://tt0133093", "imdb://tt0133093"),
        ("imdb://TT0133093", "imdb://tt0133093"),
        ("tmdb://603", "tmdb://603"),
        ("tvdb://81189", "tvdb://81189"),
        ("com.plexapp.agents.imdb://tt0133093?lang=en", "imdb://tt0133093"),
        ("com.plexapp.agents.themoviedb://603?lang=en", "tmdb://603"),
        ("com.plexapp.agents.thetvdb://81189?lang=en", "tvdb://81189"),
        ("com.plexapp.agents.thetvdb://81189/1/2?lang=en", "tvdb://81189"),
        ("com.plexapp.agents.thetvdbdvdorder://81189?lang=en", "tvdb://81189"),
        ("com.plexapp.agents.hama://tvdb-371310?lang=en", "tvdb://371310"),
        ("com.plexapp.agents.hama://tvdb2-371310?lang=en", "tvdb://371310"),
        ("com.plexapp.agents.hama://tmdb-603?lang=en", "tmdb://603"),
        ("com.plexapp.agents.xbmcnfo://tt0133093?lang=en", "imdb://tt0133093"),
        ("com.plexapp.agents.xbmcnfotv://81189?lang=en", "tvdb://81189"),
        ("com.plexapp.agents.hama://anidb-4563?lang=en", ""),
        ("com.plexapp.agents.none://5d7768ba?lang=xn", ""),
        ("local://40011", ""),
        ("plex://episode/5d9c081b170b0d001e8a0bf4", ""),
        ("imdb://0133093", ""),
        ("tmdb://603'; DROP TABLE guids", ""),
        ("tmdb://", ""),
        ("tmdb", ""),
        ("", ""),
    ],
)
def test_an_id_has_one_form(text: str, expected: str) -> None:
    assert normalised(text) == expected
    assert normalised(expected) == expected


def _reply(text: str) -> Reply:
    return Reply("rss.example.org", text, {})


def test_an_entry_of_json_has_all_its_ids_and_its_moment() -> None:
    item = {
        "title": "The Matrix (1999)",
        "pubDate": "Mon, 23 Oct 2023 07:58:16 GMT",
        "guids": ["imdb://tt0133093", "tmdb://603", "tmdb://603", "odd"],
        "category": "movie",
    }
    entries, following = _parsed(_reply(json.dumps({"items": [item], "links": {"next": "/rss/2"}})))
    assert entries == [FeedEntry(ItemType.MOVIE, "The Matrix (1999)", ("imdb://tt0133093", "tmdb://603"), 1698047896.0)]
    assert following == "/rss/2"


@pytest.mark.parametrize(
    "item",
    [{}, {"guids": None, "pubDate": 5}, {"guids": "imdb://tt0133093"}, {"category": ["movie"], "pubDate": "some day"}],
    ids=str,
)
def test_an_odd_entry_of_json_is_one_without_ids(item: dict[str, object]) -> None:
    entries, _ = _parsed(_reply(json.dumps({"items": [item, "text", 7], "links": "none"})))
    assert [(entry.guids, entry.at, entry.type) for entry in entries] == [((), 0.0, None)]


def test_an_entry_of_xml_has_its_guid() -> None:
    text = """\ufeff
    <rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:atom="http://www.w3.org/2005/Atom"><channel>
      <title>Plex Watchlist</title><atom:link href="x"/>
      <item><title>Amélie &amp; more (2001)</title><pubDate>Sat, 11 Nov 2023 15:08:46 GMT</pubDate>
        <category>show</category><media:credit role="actor">tt1</media:credit>
        <guid isPermaLink="false">tvdb://81189</guid></item>
      <item><title>Nameless</title><category>movie</category></item></channel></rss>"""
    entries, following = _parsed(_reply(text.strip(" \n")))
    assert entries == [
        FeedEntry(ItemType.SHOW, "Amélie & more (2001)", ("tvdb://81189",), 1699715326.0),
        FeedEntry(ItemType.MOVIE, "Nameless", (), 0.0),
    ]
    assert following == ""


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"items": null}', "<rss/>", "<rss><channel>", "<html/>", "sorry", '{"items": [']
)
def test_what_is_no_feed_is_an_error_and_no_empty_feed(text: str) -> None:
    with pytest.raises(RemoteUnavailable):
        _parsed(_reply(text))


def test_json_is_asked_for_unless_the_address_says_otherwise() -> None:
    assert as_json("https://rss.plex.tv/abc") == "https://rss.plex.tv/abc?format=json"
    assert as_json("https://rss.plex.tv/abc?x=1&y=") == "https://rss.plex.tv/abc?x=1&y=&format=json"
    assert as_json("https://rss.plex.tv/abc?format=xml") == "https://rss.plex.tv/abc?format=xml"
