"""What people are shown of everybody who uses the server."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.config import build
from daemon.model import OWNER, DemandKind, Person, Role, SourceState, User
from daemon.users import user_rows
from daemon.web.figures import source

NOW = 1_750_000_000.0
DAY = 86_400.0
ANN = Person(User(OWNER, "Ann"), Role.OWNER, "secret-of-ann", "secret-of-ann")
BEN = Person(User("7", "Ben"), Role.HOME, "secret-of-ben")
KID = Person(User("8", "Kid"), Role.MANAGED, problem="a PIN protects this user")


def rows(*people: Person, states: tuple[SourceState, ...] = (), plays: Any = None, **tables: Any) -> list[Any]:
    return user_rows(people, states, plays or {}, build(tables), NOW)


def standing(person: Person, **more: Any) -> tuple[str, str]:
    (row,) = rows(person, **more)
    return row["state"], row["why"]


def test_a_row_names_the_person_the_role_and_the_last_play() -> None:
    ann, ben = rows(ANN, BEN, plays={"7": NOW})
    assert (ann["id"], ann["title"], ann["role"], ann["last_played_at"]) == (OWNER, "Ann", "owner", None)
    assert (ben["title"], ben["role"], ben["last_played_at"]) == ("Ben", "home", "2025-06-15T15:06:40.000Z")
    assert [ann["place"], ben["place"]] == [0, 1]


def test_no_row_holds_a_token() -> None:
    assert "secret" not in str(rows(ANN, BEN, states=(SourceState(DemandKind.ON_DECK, OWNER),)))


@pytest.mark.parametrize("name", ["Ben", "ben", "7"])
def test_somebody_excluded_is_called_so_and_read_by_no_source(name: str) -> None:
    (row,) = rows(BEN, users={"exclude": [name]})
    assert row["state"] == "excluded"
    assert [one["on"] for one in row["sources"]] == [False, False]


def test_somebody_counts_until_the_last_play_is_too_old() -> None:
    inactive = {"users": {"inactive_after": "30d"}}
    assert standing(BEN, plays={"7": NOW - 29 * DAY}, **inactive)[0] == "counts"
    assert standing(BEN, plays={"7": NOW - 30 * DAY}, **inactive)[0] == "inactive"
    assert standing(BEN, **inactive)[0] == "counts", "somebody of whom no play is known may be new"
    assert standing(BEN, plays={"7": 1.0})[0] == "counts"


def test_without_a_token_the_reason_is_told() -> None:
    assert standing(KID) == ("no token", "a PIN protects this user")
    assert standing(BEN) == ("counts", "")


def test_switches_for_all_and_for_one_show() -> None:
    def on(**tables: Any) -> dict[str, bool]:
        (row,) = rows(BEN, **tables)
        return {one["kind"]: one["on"] for one in row["sources"]}

    assert on() == {"on_deck": True, "watchlist": True}
    assert on(on_deck={"enabled": False}) == {"on_deck": False, "watchlist": True}
    assert on(users={"Ben": {"watchlist": False}}) == {"on_deck": True, "watchlist": False}


def test_each_source_says_how_it_is() -> None:
    failing = SourceState(DemandKind.ON_DECK, "7", NOW - DAY, NOW, "Plex refuses the token (401)", 12)
    listed = SourceState(DemandKind.WATCHLIST, "7", NOW, None, "", 3, ("A Film (2020)",))
    ann, ben = rows(ANN, BEN, states=(failing, listed))
    assert [source(one) for one in ann["sources"]] == ["not read yet", "not read yet"]
    assert [source(one) for one in ben["sources"]] == [
        "fails since 2025-06-15 15:06: Plex refuses the token (401); 12 read 2025-06-14 15:06",
        "3 read 2025-06-15 15:06, not in the library: A Film (2020)",
    ]
    many = SourceState(DemandKind.WATCHLIST, "7", NOW, None, "", 3, ("A", "B", "C", "D", "E"))
    (row,) = rows(BEN, states=(many,))
    assert source(row["sources"][1]) == "3 read 2025-06-15 15:06, not in the library: A, B, C and 2 more"
    (row,) = rows(BEN, on_deck={"enabled": False})
    assert source(row["sources"][0]) == "off"


def test_what_people_should_know_of_a_source_is_no_problem_of_it() -> None:
    (row,) = rows(BEN, states=(SourceState(DemandKind.WATCHLIST, "7", NOW, None, "read from a feed"),))
    shown = row["sources"][1]
    assert (shown["problem"], shown["note"], shown["failing_since"]) == ("", "read from a feed", None)
    assert source(shown) == "read from a feed; 0 read 2025-06-15 15:06"


def test_sources_that_speak_for_nobody_have_a_row_of_their_own() -> None:
    ann, everybody = rows(ANN, states=(SourceState(DemandKind.RECENT, "", NOW, found=5),), recent={"enabled": True})
    assert (everybody["id"], everybody["title"], everybody["role"]) == ("", "everybody", "")
    assert [(one["kind"], one["on"], one["found"]) for one in everybody["sources"]] == [("recent", True, 5)]
    assert len(ann["sources"]) == 2
