"""Bursts of library notifications become one change, and only what is about the library counts."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from daemon.plex.changes import LIBRARY, LibraryChanged, LibraryNews
from daemon.plex.frames import FrameParser

CREATED: dict[str, Any] = {"state": 0, "metadataState": "created"}
DONE: dict[str, Any] = {"state": 5}
DELETED: dict[str, Any] = {"state": 9, "metadataState": "deleted"}
LATER = 1_000_000.0


def entry(key: str = "40", kind: int = 4, **fields: Any) -> dict[str, Any]:
    return {
        "identifier": LIBRARY,
        "sectionID": "2",
        "itemID": key,
        "parentItemID": "30",
        "rootItemID": "20",
        "type": kind,
        "title": "",
        "updatedAt": 1_700_000_000,
    } | fields


def timeline(*entries: Any) -> dict[str, Any]:
    return {"type": "timeline", "size": len(entries), "TimelineEntry": list(entries)}


def heard(*entries: Any) -> LibraryChanged | None:
    news = LibraryNews()
    news.take(timeline(*entries), 0.0)
    return news.collect(LATER)


@pytest.mark.parametrize("number", [str, int])
def test_what_is_finished_has_changed(number: Any) -> None:
    one = entry(number("40"), itemID=number(40), sectionID=number(2), rootItemID=number(20), **DONE)
    assert heard(one) == LibraryChanged({"40": "20"})


def test_a_movie_has_no_show_a_season_has_the_one_above_it_and_a_show_is_its_own() -> None:
    movie = entry("7", 1, **DONE)
    season, show = entry("30", 3, parentItemID="20", **DONE), entry("20", 2, **DONE)
    assert heard(movie, season, show) == LibraryChanged({"7": "", "30": "20", "20": "20"})


def test_what_is_created_is_new_and_again_so_when_it_is_finished_much_later() -> None:
    news = LibraryNews()
    news.take(timeline(entry(**CREATED), entry(state=2, metadataState="loading")), 0.0)
    assert news.collect(100.0) == LibraryChanged({"40": "20"}, added=frozenset({"40"}))
    news.take(timeline(entry(**DONE)), 900.0)
    found = news.collect(LATER)
    assert found == LibraryChanged({"40": "20"}, added=frozenset({"40"}))
    assert found.shows == {"20"}
    news.take(timeline(entry(**DONE)), LATER)
    assert news.collect(2 * LATER) == LibraryChanged({"40": "20"})


def test_the_last_word_on_an_item_counts() -> None:
    assert heard(entry(**DONE), entry(**DELETED)) == LibraryChanged(deleted={"40": "20"})
    assert heard(entry(**DELETED), entry(**CREATED)) == LibraryChanged({"40": "20"}, added=frozenset({"40"}))


@pytest.mark.parametrize(
    "odd",
    [
        entry(identifier="tv.plex.providers.epg.xmltv:1", **DONE),
        entry(sectionID="-1", **DONE),
        entry(sectionID=0, **DONE),
        entry(kind=10, **DONE),
        entry(kind=42, **DONE),
        entry(kind=-1, **DONE),
        entry(state=1),
        entry(state=5, mediaState="analyzing"),
        entry(state=5, metadataState="processing"),
        entry(state=5, queueSize=3),
        entry(state=0, metadataState="queued"),
        entry(state=9),
        entry("not a number", **DONE),
        entry("9" * 30, **DONE),
        entry(sectionID="1e9", **DONE),
        {"identifier": LIBRARY},
        {},
        [],
        7,
        None,
        "text",
    ],
)
def test_what_is_no_change_of_the_library_is_left_out(odd: Any) -> None:
    news = LibraryNews()
    assert not news.take(timeline(odd), 0.0)
    assert news.due is None


@pytest.mark.parametrize("container", [{}, {"type": "timeline"}, {"TimelineEntry": 7}, {"ActivityNotification": [[]]}])
def test_nothing_raises_because_of_what_it_is_given(container: dict[str, Any]) -> None:
    assert not LibraryNews().take(container, 0.0)


def test_an_event_stream_sends_the_bare_object() -> None:
    assert LibraryNews().take({"TimelineEntry": entry(**DONE)}, 0.0)


def test_the_end_of_a_scan_names_its_library_where_plex_does() -> None:
    news = LibraryNews()

    def activity(event: str, kind: str, **context: Any) -> bool:
        told = {"event": event, "uuid": "u", "Activity": {"type": kind, "Context": context}}
        return news.take({"type": "activity", "ActivityNotification": [told]}, 0.0)

    assert not activity("started", "library.update.section", librarySectionID="2")
    assert activity("ended", "library.update.section", librarySectionID="2")
    assert activity("ended", "library.refresh.items", key="/library/metadata/40", exists=False)
    assert not activity("ended", "library.refresh.items", key="/library/metadata/41", exists=True)
    assert not activity("ended", "media.generate.bif")
    status = {"title": "Library scan complete", "description": "", "notificationName": "LIBRARY_UPDATE"}
    assert news.take({"type": "status", "StatusNotification": [status]}, 0.0)
    assert not news.take({"type": "status", "StatusNotification": [{"title": "Scanning the TV section"}]}, 0.0)
    assert news.collect(LATER) == LibraryChanged({"40": ""}, sections=frozenset({"2", ""}))


def test_a_burst_is_one_change_some_seconds_after_its_end_or_half_a_minute_after_its_beginning() -> None:
    news = LibraryNews()
    news.take(timeline(entry("1", **DONE)), 100.0)
    assert (news.due, news.collect(102.9)) == (103.0, None)
    news.take(timeline(entry("2", **DONE)), 102.0)
    assert (news.collect(103.5), news.collect(105.0)) == (None, LibraryChanged({"1": "20", "2": "20"}))
    assert news.due is None
    for second in range(60):
        news.take(timeline(entry(str(second), **DONE)), 200.0 + second)
    assert news.due == 230.0


def test_thousands_of_entries_in_any_order_and_several_times_are_each_one_change() -> None:
    entries = [entry(str(number), **step) for number in range(1, 2001) for step in (CREATED, DONE, DONE)]
    Random(3).shuffle(entries)
    found = heard(*entries)
    assert found
    assert set(found.changed) == {str(number) for number in range(1, 2001)}
    assert not found.anything


def test_more_than_can_be_told_apart_is_anything() -> None:
    news = LibraryNews()
    for number in range(30_000):
        news.take(timeline(entry(str(number), **CREATED)), 0.0)
    found = news.collect(LATER)
    assert found
    assert found.anything
    assert len(found.changed) <= 5_000


def test_a_webhook_says_what_is_new() -> None:
    metadata = {"type": "episode", "ratingKey": "40", "grandparentRatingKey": "20", "librarySectionID": 2}
    payload: dict[str, Any] = {"event": "library.new", "Server": {"uuid": "ours"}, "Metadata": metadata}
    news = LibraryNews()
    assert news.webhook(payload, "ours", 0.0)
    assert news.webhook(payload | {"Metadata": {"type": "movie", "ratingKey": "7"}}, "ours", 0.0)
    assert news.collect(LATER) == LibraryChanged({"40": "20", "7": ""}, added=frozenset({"40", "7"}))
    for odd in (
        payload | {"event": "media.play"},
        payload | {"Server": {"uuid": "another"}},
        payload | {"Server": None},
        payload | {"Metadata": {"type": "track", "ratingKey": "7"}},
        payload | {"Metadata": {"type": "movie", "ratingKey": "../7"}},
        payload | {"Metadata": []},
    ):
        assert not news.webhook(odd, "ours", 0.0)
    assert not news.webhook(payload, "", 0.0)


def test_the_parser_hands_on_what_is_no_play_and_says_where_it_did_not_look() -> None:
    others: list[Any] = []
    parser = FrameParser(others.append)
    container = timeline(entry(**DONE))
    assert parser.parse(json.dumps({"NotificationContainer": container})) == []
    assert parser.parse(json.dumps({"NotificationContainer": timeline(*[entry(**DONE)] * 2000)})) == []
    assert parser.parse("[]") == []
    assert others == [container, None]
