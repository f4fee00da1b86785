"""Every key of these tables has its test; and what time or a restart changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.settings.effective import waits
from daemon.settings.tree import ANY, dotted, leaves
from tests.functional import test_flips_schedule as schedule
from tests.functional import test_flips_sources as sources
from tests.functional import test_flips_space as space
from tests.functional import test_flips_users as users
from tests.support.daemon import merged
from tests.support.flips import DAY, SOON, Flip, Prepare, Stage, between_two_runs, playing
from tests.support.turned import TurnedClock

_TABLES = {"on_deck", "watchlist", "recent", "trending", "users", "retention", "space", "schedule"}
_SERVICES = {f"plex.{name}_url" for name in ("tv", "clients", "discover", "metadata", "community")}

FLIPPED = [*sources.FLIPS, *users.FLIPS, *space.FLIPS, *schedule.FLIPS]
"""Each in a test from the start and, where that can be told, in one while the daemon runs."""

ELSEWHERE: dict[str, Callable[..., object]] = {
    "trending.refresh": schedule.test_trakt_is_asked_as_often_as_trending_refresh_says,
    "retention.after_watched": space.test_how_a_play_ended_decides_how_long_its_file_stays,
    "retention.after_stopped": space.test_how_a_play_ended_decides_how_long_its_file_stays,
    "retention.min_stay": space.test_min_stay_decides_whether_what_nobody_wants_stays,
    "retention.until_needed": space.test_until_needed_decides_whether_what_nobody_wants_stays,
    "space.evict_to": space.test_where_a_lower_limit_is_passed_evict_to_says_how_much_stays,
    "schedule.refresh": schedule.test_all_is_read_when_refresh_and_cron_say,
    "schedule.cron": schedule.test_all_is_read_when_refresh_and_cron_say,
}
"""The test of each other key. There or next to it the key is also changed while the daemon runs."""

LIVE_ELSEWHERE = {"plex.metadata_url": users.test_a_changed_metadata_url_is_asked_about_what_is_listed_from_then_on}
"""The test of each key whose change while the daemon runs has another effect than its value at the start."""


def _keys() -> Iterator[str]:
    for key in leaves():
        if key[0] in _TABLES or dotted(key) in _SERVICES:
            yield dotted(key)


def _key_of(flip: Flip) -> str:
    """Return the key as the settings tree names it: any user's for that of one."""
    table, *names = flip.key.split(".")
    return dotted((table, ANY, names[-1])) if table == "users" and len(names) > 1 else flip.key


def test_every_key_of_these_tables_has_its_test() -> None:
    assert sorted({*map(_key_of, FLIPPED), *ELSEWHERE}) == sorted(_keys())


def test_the_values_of_each_key_lead_to_different_things() -> None:
    for flip in FLIPPED:
        found = [expected for _, expected in flip.steps]
        assert len(found) > 1, flip.key
        assert any(one != found[0] for one in found), flip.key


def test_every_key_is_changed_while_a_daemon_runs() -> None:
    assert {_key_of(flip) for flip in FLIPPED if not flip.live} == LIVE_ELSEWHERE.keys()


def test_each_of_these_keys_is_said_to_have_its_effect() -> None:
    assert [key for key in _keys() if waits(tuple(key.split(".")))] == []


_BETWEEN = {"on_deck.enabled", "watchlist.episodes", "recent.max_age", "users.exclude", "space.quota"}


@pytest.mark.parametrize("flip", [pytest.param(one, id=one.key) for one in FLIPPED if one.key in _BETWEEN])
async def test_a_key_that_is_changed_between_two_runs_counts_at_the_next(tmp_path: Path, flip: Flip) -> None:
    await between_two_runs(tmp_path, flip)


def _began(house: Stage) -> None:
    house.began("Ben", "m1", days=9)


def _listed(house: Stage) -> None:
    house.listed("Ann", "m1", days=9)


def _added(house: Stage) -> None:
    house.added("m1", days=9)


def _went_away(house: Stage) -> None:
    house.saw("Ben", "m2", days=9)
    house.began("Ben", "m1", days=9)


@pytest.mark.parametrize(
    ("tables", "prepare"),
    [
        ({"on_deck": {"enabled": True, "max_age": "10d"}}, _began),
        ({"on_deck": {"enabled": True}, "users": {"Ben": {"on_deck_max_age": "10d"}}}, _began),
        ({"watchlist": {"enabled": True, "max_age": "10d"}}, _listed),
        ({"watchlist": {"enabled": True}, "users": {"Ann": {"watchlist_max_age": "10d"}}}, _listed),
        ({"recent": {"enabled": True, "max_age": "10d", "watched_shows_only": False}}, _added),
        ({"on_deck": {"enabled": True}, "users": {"inactive_after": "10d"}}, _went_away),
    ],
    ids=("on_deck", "own_on_deck", "watchlist", "own_watchlist", "recent", "inactive_after"),
)
async def test_what_becomes_too_old_leaves_by_the_clock_alone(
    tmp_path: Path, tables: dict[str, Any], prepare: Prepare
) -> None:
    clock = TurnedClock(1_750_000_000.0)
    settings = merged(SOON, tables | {"schedule": {"refresh": "0"}})
    async with playing(tmp_path, prepare, clock=clock, **settings) as house:
        await house.shows({"m1"})
        clock.turn(clock.now() + DAY - 60)
        await house.calm()
        assert house.cached() == {"m1"}
        clock.turn(clock.now() + 61)
        await house.until(lambda: not house.cached())
        await house.quiet()
