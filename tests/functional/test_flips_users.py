"""Each key of [users], and of [plex] the addresses of plex.tv's services, at one value and at another."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.model import Role
from tests.support.command_line import config_file, ondeckd
from tests.support.daemon import House, merged
from tests.support.flips import SOON, Flip, Stage, each, each_key, from_the_start, playing, stage, while_it_runs
from tests.support.reloads import change

PIN = "4711"
BOTH, FILMS = {"a1", "b1"}, {"m1", "m2"}
ON_DECK: dict[str, Any] = {"on_deck": {"enabled": True, "episodes": 0, "max_age": "0"}}
WATCHLIST: dict[str, Any] = {"watchlist": {"enabled": True}}


def _two_have_begun(house: Stage) -> None:
    house.began("Ann", "b1", days=10)
    house.began("Ben", "a1", days=10)


def _ben_has_long_been_away(house: Stage) -> None:
    house.began("Ann", "b1")
    house.saw("Ben", "m1", days=10)
    house.began("Ben", "a1", days=9)


def _two_have_listed(house: Stage) -> None:
    house.listed("Ann", "m1", days=10)
    house.listed("Ben", "m2", days=10)


def _bens_token_is_not_given(house: Stage) -> None:
    _two_have_begun(house)
    house.plex.people.change("Ben", listed=False)


def _ben_is_behind_a_pin(house: Stage) -> None:
    _two_have_begun(house)
    house.plex.people.change("Ben", role=Role.MANAGED, pin=PIN, listed=False)


def _others_know_nobody(house: Stage) -> None:
    _two_have_begun(house)
    house.other.people.change("Ben", known=False)


def _bens_token(house: House) -> str:
    return house.plex.people["Ben"].account_token


def _right(house: Stage) -> str:
    return house.plex.url


def _other(house: Stage) -> str:
    return house.other.url


def _with_bens_token(house: Stage) -> dict[str, Any]:
    return {"Ben": {"token": _bens_token(house)}}


FLIPS = [
    Flip("users.exclude", [([], BOTH), (["Ben"], {"b1"}), (["ann", "BEN"], set())], _two_have_begun, ON_DECK),
    Flip("users.inactive_after", {"0": BOTH, "3d": {"b1"}, "30d": BOTH}, _ben_has_long_been_away, ON_DECK),
    Flip("users.Ben.on_deck", {True: BOTH, False: {"b1"}}, _two_have_begun, ON_DECK),
    Flip("users.Ben.watchlist", {True: FILMS, False: {"m1"}}, _two_have_listed, WATCHLIST),
    Flip("users.Ben.on_deck_max_age", {"0": BOTH, "3d": {"b1"}, "30d": BOTH}, _two_have_begun, ON_DECK),
    # Of a friend's list nobody says when something was put on it, of the owner's plex.tv does.
    Flip(
        "users.Ann.watchlist_max_age",
        {"0": FILMS, "3d": {"m2"}, "30d": FILMS},
        _two_have_listed,
        WATCHLIST,
    ),
    # What was read with a token or a PIN stands when it is taken away.
    Flip(
        "users.Ben.token",
        [("", {"b1"}), (_bens_token, BOTH)],
        _bens_token_is_not_given,
        ON_DECK,
        back=False,
    ),
    Flip("users.Ben.pin", {"": {"b1"}, "1234": {"b1"}, PIN: BOTH}, _ben_is_behind_a_pin, ON_DECK, back=False),
    Flip("plex.tv_url", [(_other, {"b1"}), (_right, BOTH)], _others_know_nobody, ON_DECK, back=False),
    Flip(
        "plex.clients_url",
        [(_other, {"b1"}), (_right, BOTH)],
        _bens_token_is_not_given,
        ON_DECK | {"users": _with_bens_token},
        back=False,
    ),
    Flip("plex.discover_url", [(_right, FILMS), (_other, {"m2"})], _two_have_listed, WATCHLIST),
    Flip("plex.community_url", [(_right, FILMS), (_other, {"m1"})], _two_have_listed, WATCHLIST),
    # An entry is dated once, when it is seen first.
    Flip(
        "plex.metadata_url",
        [(_right, {"m2"}), (_other, FILMS)],
        _two_have_listed,
        {"watchlist": {"enabled": True, "max_age": "3d"}},
        live=False,
    ),
]


@each(FLIPS)
async def test_people_count_as_their_keys_say(tmp_path: Path, flip: Flip, step: tuple[Any, set[str]]) -> None:
    await from_the_start(tmp_path, flip, step)


@pytest.mark.long
@each_key(FLIPS)
async def test_a_changed_key_of_people_counts_at_once(tmp_path: Path, flip: Flip) -> None:
    await while_it_runs(tmp_path, flip)


async def test_a_changed_metadata_url_is_asked_about_what_is_listed_from_then_on(tmp_path: Path) -> None:
    settings = SOON | {"watchlist": {"enabled": True, "max_age": "3d"}}
    async with playing(tmp_path, lambda house: house.listed("Ann", "m1", days=10), **settings) as house:
        await house.shows(set())
        house.listed("Ann", "m2", days=10)
        house.listed("Ben", "m3")
        since = house.clock.now()
        await change(house, plex={"metadata_url": house.other.url})
        await house.shows({"m2", "m3"}, since=since)


async def test_somebody_inactive_who_plays_again_counts_at_once(tmp_path: Path) -> None:
    settings = (
        SOON | ON_DECK | {"users": {"inactive_after": "3d"}, "playback": {"next_episodes": 0, "cache_current": False}}
    )
    async with playing(tmp_path, _ben_has_long_been_away, **settings) as house:
        await house.shows({"b1"})
        since = await house.refreshed()
        await house.plex.engine.play("Ben", house.key("m2"))
        await house.shows(BOTH)
        assert await house.refreshed() == since


async def _is_retained(house: Stage, *, expected: bool) -> bool:
    return [row["retained_until"] is not None for row in (await house.get("/api/v1/files"))["items"]] == [expected]


async def test_what_somebody_excluded_has_watched_is_kept_no_longer_till_he_counts_again(tmp_path: Path) -> None:
    plays = {"playback": {"min_play": "0"}, "retention": {"min_stay": "30d", "after_watched": "30d"}}
    async with playing(tmp_path, lambda _: None, **merged(SOON, plays)) as house:
        film = house.key("m1")
        session = await house.plex.engine.play("Ben", film)
        await house.until(lambda: house.is_cached(film))
        await house.quiet()
        await house.plex.engine.advance(session, 0.95 * house.library[film].seconds)
        await house.plex.engine.stop(session)
        await house.until_so(partial(_is_retained, house, expected=True))
        for excluded, retained in (["Ben"], False), ([], True):
            await change(house, users={"exclude": excluded})
            await house.until_so(partial(_is_retained, house, expected=retained))
            assert house.cached() == {"m1"}
        await change(house, retention={"min_stay": "0"})
        await house.calm()
        assert house.cached() == {"m1"}
        since = house.clock.now()
        await change(house, users={"exclude": ["Ben"]})
        await house.shows(set(), since=since)


async def test_a_table_of_a_user_whom_plex_does_not_know_is_a_warning(tmp_path: Path) -> None:
    async with stage(tmp_path, users={"ben": {"on_deck": False}, "1": {"watchlist": False}, "Bern": {}}) as house:
        said = await ondeckd(config_file(tmp_path / "etc", house.settings), "check")
        assert said.code == 0
        assert [line for line in said.out.splitlines() if "users." in line] == [
            "warning users.\"Bern\": Plex knows nobody called 'Bern', so these settings count for nobody"
        ]
