"""Secrets stay secret, and everything else stays readable."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from daemon.redaction import Redactor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /library?X-Plex-Token=abc123&limit=5", "GET /library?X-Plex-Token=***&limit=5"),
        ("{'X-Plex-Token': 'abc123', 'Accept': 'json'}", "{'X-Plex-Token': '***', 'Accept': 'json'}"),
        ("X-Plex-Token: abc123", "X-Plex-Token: ***"),
        ("POST /webhook/plex?secret=hush HTTP/1.1", "POST /webhook/plex?secret=*** HTTP/1.1"),
        ("%3FX-Plex-Token%3Dabc", "%3FX-Plex-Token%3D***"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ('{"Authorization": "Basic dXNlcg=="}', '{"Authorization": "Basic ***"}'),
        ("X-Api-Key: 99", "X-Api-Key: ***"),
        ("mailto://me:hunter2@example.org", "mailto://me:***@example.org"),
        ("Plex refuses the token: set plex.token", "Plex refuses the token: set plex.token"),
        ("http://127.0.0.1:32400/library", "http://127.0.0.1:32400/library"),
        ("The Secret Garden (1993).mkv", "The Secret Garden (1993).mkv"),
    ],
)
def test_what_looks_like_a_secret_by_its_name_is_blotted_out(text: str, expected: str) -> None:
    assert Redactor().text(text) == expected


def test_a_known_secret_is_found_in_every_spelling() -> None:
    redactor = Redactor(["p&ss word", "p&ss word and more"])

    assert redactor.text("p&ss word and more|p%26ss%20word|p%26ss+word") == "***|***|***"


def test_a_very_short_secret_does_not_make_logs_unreadable() -> None:
    assert Redactor(["a", ""]).text("a banana") == "a banana"


def test_fields_named_like_secrets_are_blotted_out_whatever_they_hold() -> None:
    value = {"token": "abc", "API_KEY": 5, "secret": "", "tokens": 3, "deep": [{"password_hash": "x"}]}

    assert Redactor().value(value) == {
        "token": "***",
        "API_KEY": "***",
        "secret": "",
        "tokens": 3,
        "deep": [{"password_hash": "***"}],
    }


def test_any_value_becomes_something_that_json_can_carry() -> None:
    assert Redactor().value([Path("/a"), 1, 2.5, True, None, {"b"}, SecretStr("x")]) == [
        "/a",
        1,
        2.5,
        True,
        None,
        ["b"],
        "**********",
    ]
