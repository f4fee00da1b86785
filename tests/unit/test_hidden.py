"""Every secret of the settings is found, so that it can be left out of what is written."""

from __future__ import annotations

from daemon.config import build
from daemon.redaction import Redactor
from daemon.settings.hidden import secrets_of

SETTINGS = {
    "plex": {"token": "token-of-the-owner"},
    "users": {"Alice": {"token": "token-of-alice", "pin": "4711"}, "Bob B": {"pin": "0815"}, "Cleo": {}},
    "watchlist": {"rss": ["https://rss.example.org/secret-feed"]},
    "trending": {"client_id": "client-id-of-trakt"},
}


def test_secrets_are_found_in_all_tables_also_in_those_of_users() -> None:
    assert set(secrets_of(build(SETTINGS))) == {
        "token-of-the-owner",
        "token-of-alice",
        "4711",
        "0815",
        "https://rss.example.org/secret-feed",
        "client-id-of-trakt",
    }


def test_no_secret_of_a_user_is_printed() -> None:
    settings = build(SETTINGS)
    redactor = Redactor(secrets_of(settings))
    for said in (repr(settings), str(settings.users.people), settings.model_dump_json()):
        assert "token-of-alice" not in said
        assert "4711" not in said
    assert redactor.text("sent token-of-alice and 4711") == "sent *** and ***"
