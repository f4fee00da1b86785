from __future__ import annotations

from typing import Any

import pytest

from daemon.model import OWNER, UNKNOWN_USER, User
from daemon.plex.frames import Edge, WebhookEvent, parse_webhook

PAYLOAD: dict[str, Any] = {
    "event": "media.play",
    "user": True,
    "owner": True,
    "Account": {"id": 1, "thumb": "", "title": "Hanna"},
    "Server": {"title": "attic", "uuid": "machine-1"},
    "Player": {"local": True, "publicAddress": "192.0.2.1", "title": "Sofa", "uuid": "sofa-tv"},
    "Metadata": {
        "librarySectionType": "show",
        "ratingKey": "77",
        "key": "/library/metadata/77",
        "type": "episode",
        "title": "A day out",
        "viewOffset": 12500,
        "duration": 1_500_000,
    },
}


def changed(part: str, **fields: Any) -> dict[str, Any]:
    return {**PAYLOAD, part: {**PAYLOAD[part], **fields}}


def without(part: str, *names: str) -> dict[str, Any]:
    return {**PAYLOAD, part: {key: value for key, value in PAYLOAD[part].items() if key not in names}}


def test_a_payload_becomes_an_event() -> None:
    assert parse_webhook(PAYLOAD) == WebhookEvent(
        edge=Edge.PLAY,
        server="machine-1",
        user=User(OWNER, "Hanna"),
        client="sofa-tv",
        player="Sofa",
        rating_key="77",
        view_offset=12.5,
        duration=1500.0,
    )


@pytest.mark.parametrize("event", [edge.value for edge in Edge])
def test_each_edge_is_understood(event: str) -> None:
    parsed = parse_webhook({**PAYLOAD, "event": event})
    assert parsed is not None
    assert parsed.edge == event


@pytest.mark.parametrize(
    ("account", "user"),
    [
        ({"id": 1, "title": "Hanna"}, User(OWNER, "Hanna")),
        ({"id": 5512345, "title": "hanna"}, User(OWNER, "hanna")),
        ({"id": "5512345", "title": "Jo"}, User("5512345", "Jo")),
        ({"id": 0, "title": "Jo"}, User(UNKNOWN_USER, "Jo")),
        ({"title": "Jo"}, User(UNKNOWN_USER, "Jo")),
        ({"id": None}, User(UNKNOWN_USER, "")),
        (None, User(UNKNOWN_USER, "")),
    ],
)
def test_the_account_is_the_owner_by_id_or_by_name(account: Any, user: User) -> None:
    parsed = parse_webhook({**PAYLOAD, "Account": account}, owner_names=["Hanna"])
    assert parsed is not None
    assert parsed.user == user


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "media.play",
        {},
        {**PAYLOAD, "event": "library.new"},
        {**PAYLOAD, "event": None},
        {**PAYLOAD, "Metadata": None},
        {**PAYLOAD, "Metadata": []},
        changed("Metadata", type="track"),
        changed("Metadata", type="clip"),
        changed("Metadata", live=1),
        changed("Metadata", key="/livetv/sessions/1-2"),
        changed("Metadata", ratingKey="", key=""),
        changed("Metadata", ratingKey="../1", key=7),
        without("Metadata", "type"),
    ],
)
def test_what_ondeckd_does_not_act_on_is_nothing(payload: object) -> None:
    assert parse_webhook(payload) is None


def test_what_is_missing_is_unknown() -> None:
    parsed = parse_webhook({"event": "media.scrobble", "Metadata": {"type": "movie", "key": "/library/metadata/5"}})
    assert parsed == WebhookEvent(Edge.SCROBBLE, "", User(UNKNOWN_USER, ""), "", "", "5")
