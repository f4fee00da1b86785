from __future__ import annotations

import json
from typing import Any

import pytest

from daemon.model import PlayState
from daemon.plex.frames import NO_QUEUE, FrameParser, PlayingFrame, QueuePlace

ELEMENT = {
    "sessionKey": "12",
    "clientIdentifier": "sofa-tv",
    "guid": "",
    "ratingKey": "345",
    "url": "",
    "key": "/library/metadata/345",
    "viewOffset": 61500,
    "playQueueItemID": 9,
    "playQueueID": 3,
    "state": "playing",
}
FRAME = PlayingFrame("12", "345", PlayState.PLAYING, 61.5, "sofa-tv", place=QueuePlace("3", "9"))


def wrap(*elements: Any, kind: str = "playing", key: str = "PlaySessionStateNotification") -> str:
    return json.dumps({"NotificationContainer": {"type": kind, "size": len(elements), key: list(elements)}})


def one(**fields: Any) -> list[PlayingFrame]:
    return FrameParser().parse(wrap({**ELEMENT, **fields}))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(wrap(ELEMENT), id="as sent today"),
        pytest.param(wrap(ELEMENT).encode(), id="binary"),
        pytest.param(wrap(ELEMENT, kind=" playing\n"), id="a type with spaces"),
        pytest.param(wrap(ELEMENT, key="_children"), id="children of very old servers"),
        pytest.param(json.dumps({"type": "playing", "_children": [ELEMENT]}), id="without the wrapper"),
        pytest.param(json.dumps({"PlaySessionStateNotification": ELEMENT}), id="the object of an event stream"),
        pytest.param(wrap({**ELEMENT, "sessionKey": 12, "ratingKey": 345}), id="numbers instead of strings"),
        pytest.param(wrap({**ELEMENT, "viewOffset": "61500"}), id="a string instead of a number"),
        pytest.param(wrap({**ELEMENT, "ratingKey": ""}), id="the rating key only in the key"),
        pytest.param(wrap({**ELEMENT, "ratingKey": "/library/metadata/345"}), id="a rating key like a path"),
        pytest.param(wrap({**ELEMENT, "transcodeSession": None}), id="no transcoder"),
    ],
)
def test_each_form_of_a_playing_frame_is_understood(raw: str | bytes) -> None:
    parser = FrameParser()
    assert parser.parse(raw) == [FRAME]
    assert parser.garbage == 0


@pytest.mark.parametrize(
    ("queue", "item", "place"),
    [
        (3, 9, QueuePlace("3", "9")),
        ("3", "9", QueuePlace("3", "9")),
        (3, None, QueuePlace("3")),
        (3, "../9", QueuePlace("3")),
        (None, 9, NO_QUEUE),
        (0, 9, NO_QUEUE),
        (-1, 9, NO_QUEUE),
        (1.5, 9, NO_QUEUE),
        ("", "", NO_QUEUE),
        ("3?own=1", 9, NO_QUEUE),
        ("٣", 9, NO_QUEUE),
        ("9" * 40, 9, NO_QUEUE),
        ([3], {}, NO_QUEUE),
        (True, True, NO_QUEUE),
    ],
)
def test_only_a_plain_number_names_a_play_queue(queue: Any, item: Any, place: QueuePlace) -> None:
    (frame,) = one(playQueueID=queue, playQueueItemID=item)
    assert frame.place == place


def test_all_entries_of_a_frame_count() -> None:
    frames = FrameParser().parse(wrap(ELEMENT, {**ELEMENT, "sessionKey": "13", "state": "stopped"}))
    assert [(frame.session_key, frame.state) for frame in frames] == [("12", "playing"), ("13", "stopped")]


def test_what_is_missing_is_unknown() -> None:
    assert FrameParser().parse(wrap({"sessionKey": "5", "state": "paused"})) == [
        PlayingFrame("5", "", PlayState.PAUSED, None)
    ]


def test_the_transcode_session_is_the_last_part_of_its_key() -> None:
    assert one(transcodeSession="/transcode/sessions/abc")[0].transcode == "abc"


@pytest.mark.parametrize(
    "fields",
    [
        {"sessionKey": "abc-1"},
        {"sessionKey": "١٢"},
        {"key": "/livetv/sessions/0f-1", "ratingKey": ""},
    ],
)
def test_sessions_that_are_none_of_ours_are_left_out_without_a_word(fields: dict[str, Any]) -> None:
    parser = FrameParser()
    assert parser.parse(wrap({**ELEMENT, **fields})) == []
    assert parser.garbage == 0


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "null",
        "[]",
        "17",
        "{",
        "\x00\xff",
        b"\xff\xfe\xfd",
        "[" * 60_000,
        '{"NotificationContainer": []}',
        '{"NotificationContainer": "playing"}',
        wrap("text"),
        wrap(None),
        wrap([ELEMENT]),
        wrap({**ELEMENT, "state": "dancing"}),
        wrap({**ELEMENT, "state": None}),
        wrap({**ELEMENT, "sessionKey": None}),
        wrap({**ELEMENT, "sessionKey": {}}),
        wrap({**ELEMENT, "sessionKey": 10**400}),
    ],
)
def test_garbage_is_counted_and_never_raises(raw: str | bytes) -> None:
    parser = FrameParser()
    assert parser.parse(raw) == []
    assert parser.garbage == 1


def test_garbage_beside_a_good_entry_does_not_cost_the_good_one() -> None:
    parser = FrameParser()
    assert parser.parse(wrap("text", ELEMENT, 7)) == [FRAME]
    assert parser.garbage == 2


@pytest.mark.parametrize("offset", [None, "", "soon", -5, [], {}, True, float("nan"), float("inf"), 10**400])
def test_an_offset_that_is_no_time_is_unknown(offset: Any) -> None:
    assert one(viewOffset=offset)[0].view_offset is None


@pytest.mark.parametrize("key", ["1/../../:/scrobble", "1,2", "a b", "..", "1?x=2", "x" * 65, "\ud800", True])
def test_a_rating_key_that_would_bend_a_url_is_unknown(key: Any) -> None:
    frames = one(ratingKey=key, key="")
    assert [frame.rating_key for frame in frames] == [""]


def test_a_client_s_name_is_made_fit_to_be_stored() -> None:
    assert one(clientIdentifier="tv\ud800")[0].client == "tv?"
    assert len(one(clientIdentifier="x" * 10_000)[0].client) == 256


@pytest.mark.parametrize(
    "raw",
    [
        wrap({"itemID": "1", "sectionID": "2", "state": 5}, kind="timeline", key="TimelineEntry"),
        wrap({"event": "started"}, kind="activity", key="ActivityNotification"),
        wrap({"x": 1}, kind="timeline", key="_children"),
        wrap({"x": 1}, kind="something.new", key="SomethingNew"),
        "{}",
    ],
)
def test_other_frames_say_nothing_about_sessions(raw: str) -> None:
    parser = FrameParser()
    assert parser.parse(raw) == []
    assert parser.garbage == 0


def test_a_very_large_frame_about_the_library_is_not_even_decoded() -> None:
    parser = FrameParser()
    assert parser.parse("{" + " " * 100_000) == []
    assert parser.garbage == 0
    assert parser.parse(wrap(ELEMENT, {"padding": "x" * 100_000})) == [FRAME]
