"""When the sources are read: by the clock, again after a failure, and at once when something happens."""

from __future__ import annotations

import asyncio
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from daemon.errors import PlexUnauthorized, PlexUnavailable, RemoteBusy, RemoteRefused, RemoteUnavailable
from daemon.state import sources
from tests.support.refreshes import NOW, ON_DECK, PINNED, TRENDING, WATCHLIST, Bench, bench, person

HOUR = 3600.0
DAY = 24 * HOUR
DOWN = PlexUnavailable("Plex is starting (503)")


async def test_at_the_start_everything_is_read_and_after_that_nothing_without_a_schedule(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        assert all_of.on_deck.reads == all_of.watchlist.reads == [(0.0, "1"), (0.0, "2")]
        assert all_of.pinned.reads == all_of.trending.reads == [(0.0, "")]
        assert all_of.also == 1
        await all_of.pass_(30 * 24 * HOUR)
        assert (len(all_of.on_deck.reads), len(all_of.trending.reads), all_of.also) == (2, 1, 1)


async def test_everything_is_read_once_in_each_interval(tmp_path: Path) -> None:
    async with bench(tmp_path, schedule={"refresh": "2h"}) as all_of:
        await all_of.pass_(24.5 * HOUR)
        moments = all_of.trending.moments
        assert len(moments) == 13
        assert all(2 * HOUR <= after - before <= 2 * HOUR + 60 for before, after in pairwise(moments))
        assert all_of.also == 13


async def test_everything_is_read_when_cron_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path, schedule={"cron": "30 4 * * *"}) as all_of:
        await all_of.pass_(72 * HOUR)
        walls = [datetime.fromtimestamp(NOW + moment).astimezone() for moment in all_of.trending.moments[1:]]
        assert [(wall.hour, wall.minute) for wall in walls] in ([(4, 30)] * 3, [(4, 31)] * 3)


async def test_what_fails_is_tried_again_after_a_minute_and_ever_less_often(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        all_of.trending.errors["*"] = RemoteUnavailable("Trakt answers with an error (500)")
        all_of.refresher.everything_soon()
        await all_of.pass_(2 * HOUR)
        tried = all_of.trending.moments[1:]
        assert [after - before for before, after in pairwise(tried)][:7] == [60, 120, 240, 480, 900, 900, 900]
        assert all_of.pinned.moments == [0, 0], "what works is left alone"
        assert len(all_of.said()) == 1

        all_of.trending.errors.clear()
        await all_of.pass_(900)
        assert all_of.said() == ["trending: can be read again"]
        assert (await all_of.states())[TRENDING, ""].failed_since is None
        before = len(all_of.trending.reads)
        await all_of.pass_(24 * HOUR)
        assert len(all_of.trending.reads) == before

        # Another day, the waiting begins anew.
        all_of.trending.errors["*"] = RemoteUnavailable("again")
        all_of.refresher.everything_soon()
        await all_of.pass_(61)
        assert len(all_of.trending.reads) == before + 2


async def test_one_who_never_works_does_not_make_the_others_wait_longer(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        all_of.watchlist.errors["2"] = RemoteRefused("private")
        all_of.on_deck.errors["*"] = DOWN
        all_of.refresher.everything_soon()
        await all_of.pass_(2 * HOUR)
        all_of.on_deck.errors.clear()
        await all_of.pass_(HOUR)

        all_of.on_deck.errors["*"] = DOWN
        before = len(all_of.on_deck.reads)
        all_of.refresher.everything_soon()
        await all_of.pass_(61)
        assert len(all_of.on_deck.reads) == before + 4  # two people, at once and after a minute


async def test_who_asks_for_fewer_requests_is_left_alone_and_nobody_else_is(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        all_of.trending.errors["*"] = RemoteBusy("busy", after=5 * HOUR)
        all_of.on_deck.errors["1"] = DOWN
        all_of.refresher.everything_soon()
        await all_of.pass_(5 * HOUR - 1)
        assert all_of.trending.moments == [0, 0]
        assert [moment for moment, user in all_of.on_deck.reads if user == "1"][:5] == [0, 0, 60, 180, 420]
        await all_of.pass_(1)
        assert all_of.trending.moments == [0, 0, 5 * HOUR]


async def test_a_short_retry_after_is_no_reason_to_ask_sooner_than_usual(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        all_of.trending.errors["*"] = RemoteBusy("busy", after=7)
        all_of.refresher.everything_soon()
        await all_of.pass_(60)
        assert all_of.trending.moments == [0, 0, 60]


@pytest.mark.parametrize("error", [PlexUnauthorized("refused"), RemoteRefused("refused")], ids=["Plex", "plex.tv"])
async def test_a_token_that_is_refused_is_tried_again_by_the_schedule_alone(tmp_path: Path, error: Exception) -> None:
    async with bench(tmp_path, schedule={"refresh": "2h"}) as all_of:
        all_of.watchlist.errors["2"] = error
        all_of.trending.errors["*"] = RemoteUnavailable("down")  # what else fails does not take it along
        all_of.refresher.everything_soon()
        await all_of.pass_(119 * 60)
        assert [moment for moment, user in all_of.watchlist.reads if user == "2"] == [0, 0]
        assert all_of.refused == ["2"]
        await all_of.pass_(5 * 60)
        assert len([user for _, user in all_of.watchlist.reads if user == "2"]) == 3


async def test_a_private_list_is_nobodys_token_that_does_not_do(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        all_of.people[1] = person("2", account=False)
        all_of.watchlist.errors["2"] = RemoteRefused("private")
        all_of.refresher.everything_soon()
        await all_of.calm()
        assert all_of.refused == []


async def test_what_is_switched_off_while_it_fails_is_not_tried_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        all_of.trending.errors["*"] = RemoteUnavailable("down")
        all_of.on_deck.errors["2"] = DOWN
        all_of.refresher.everything_soon()
        await all_of.pass_(61)
        all_of.set(trending={"enabled": False}, users={"2": {"on_deck": False}})
        before = len(all_of.trending.reads), len(all_of.on_deck.reads)
        await all_of.pass_(24 * HOUR)
        assert (len(all_of.trending.reads), len(all_of.on_deck.reads)) == (before[0], before[1] + 1)
        assert await all_of.wanted() >= {("trending", ""), ("on_deck", "2")}, "what was known stands"


async def test_one_refresh_runs_at_a_time_and_what_is_asked_for_meanwhile_comes_next(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        all_of.pinned.blocks = asyncio.Event()
        all_of.refresher.soon({PINNED}, "")
        await all_of.pass_(2)
        for _ in range(5):
            all_of.refresher.soon({ON_DECK}, "1")
            all_of.refresher.soon({WATCHLIST}, "2")
            all_of.refresher.soon({PINNED}, "")
            await all_of.pass_(1)
        assert all_of.pinned.moments == [0, 2]
        assert all_of.on_deck.moments == [0, 0]
        all_of.pinned.blocks.set()
        await all_of.calm()
        await all_of.pass_(60)
        assert all_of.pinned.moments == [0, 2, 9]
        assert all_of.on_deck.reads[2:] == [(9.0, "1")]
        assert all_of.watchlist.reads[2:] == [(9.0, "2")]
        assert all_of.trending.moments == [0]


async def test_what_happens_within_two_seconds_is_read_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        await all_of.pass_(100)
        for _ in range(4):
            all_of.refresher.soon({ON_DECK}, "1")
            await all_of.pass_(0.4)
        assert all_of.on_deck.moments == [0, 0]
        await all_of.pass_(60)
        assert all_of.on_deck.reads[2:] == [(102.0, "1")]


async def test_a_person_who_asks_does_not_wait_for_things_to_settle(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        await all_of.pass_(100)
        all_of.refresher.everything_soon()
        await all_of.calm()
        assert all_of.trending.moments == [0, 100]


async def test_events_without_end_do_not_put_off_the_schedule_nor_what_is_tried_again(tmp_path: Path) -> None:
    async with bench(tmp_path, schedule={"refresh": "5m"}) as all_of:
        all_of.pinned.errors["*"] = DOWN
        all_of.refresher.everything_soon()
        await all_of.calm()
        all_of.on_deck.when_read = lambda: all_of.refresher.soon({ON_DECK}, "1")
        all_of.refresher.soon({ON_DECK}, "1")
        await all_of.pass_(400)
        assert len(all_of.on_deck.reads) > 150
        assert len(all_of.trending.reads) == 3
        assert len(all_of.pinned.reads) >= 5


async def test_whoever_is_new_is_read_at_once_and_not_only_by_the_schedule(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        all_of.people.append(person("3"))
        all_of.refresher.soon({PINNED}, "")
        await all_of.pass_(2)
        assert all_of.on_deck.reads[2:] == all_of.watchlist.reads[2:] == [(2.0, "3")]


async def test_while_the_list_of_users_is_not_whole_it_is_asked_for_again_and_said_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        all_of.problem = "plex.tv cannot be reached"
        all_of.refresher.everything_soon()
        await all_of.pass_(HOUR)
        assert all_of.said() == ["the list of users: plex.tv cannot be reached; what was known stands"]
        all_of.people.append(person("3"))
        all_of.problem = ""
        await all_of.pass_(900)
        assert all_of.said() == ["the list of users: can be read again"]
        assert ("on_deck", "3") in await all_of.wanted()

        all_of.problem, all_of.may_pass = "plex.tv refuses the token", False
        all_of.refresher.everything_soon()
        await all_of.pass_(24 * HOUR)
        before = await all_of.states()
        all_of.people.append(person("4"))
        await all_of.pass_(24 * HOUR)
        assert await all_of.states() == before, "nobody was asked again"


async def test_who_is_gone_is_forgotten_only_once_plex_tv_has_said_it_all_for_a_day(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        gone = all_of.people.pop()
        all_of.problem = "plex.tv cannot be reached"
        all_of.refresher.everything_soon()
        await all_of.calm()
        everything = {("on_deck", "1"), ("on_deck", "2"), ("watchlist", "1"), ("watchlist", "2")}
        assert await all_of.wanted() >= everything
        # Nobody's own wishes are read: then nobody says who there is.
        all_of.set(on_deck={"enabled": False}, watchlist={"enabled": False})
        all_of.problem = ""
        await all_of.calm()
        assert await all_of.wanted() >= everything
        all_of.set(on_deck={"enabled": True}, watchlist={"enabled": True})
        await all_of.calm()
        for hours in (23, 2):
            assert await all_of.wanted() >= everything
            await all_of.pass_(hours * HOUR)
            all_of.refresher.everything_soon()
            await all_of.calm()
        assert await all_of.wanted() == everything - {("on_deck", "2"), ("watchlist", "2")} | {
            ("pinned", ""),
            ("trending", ""),
        }
        assert (ON_DECK, gone.user.id) not in await all_of.states()


async def test_what_is_left_out_all_of_a_sudden_stands_until_it_has_been_left_out_for_an_hour(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        before = await _deck(all_of, "1 2 3 4 5 6")
        for wants in ("", "1 2", "9"):
            all_of.on_deck.wants = wants
            all_of.refresher.everything_soon()
            await all_of.calm()
            assert await _keys(all_of) == before | set(wants.split())
        await all_of.pass_(HOUR + 120)
        assert await _keys(all_of) == {"9"}


async def test_what_comes_back_within_the_hour_was_never_away(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        before = await _deck(all_of, "1 2 3 4 5 6")
        for wants in ("", "1 2 3 4 5 6", ""):
            all_of.on_deck.wants = wants
            all_of.refresher.everything_soon()
            await all_of.calm()
            await all_of.pass_(HOUR / 2)
        assert await _keys(all_of) == before


async def test_what_people_change_bit_by_bit_and_what_the_settings_change_is_believed_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        await _deck(all_of, "1 2 3 4 5 6")
        all_of.on_deck.wants = "1 2 3"
        all_of.refresher.everything_soon()
        await all_of.calm()
        assert await _keys(all_of) == {"1", "2", "3"}
        await _deck(all_of, "1 2 3 4 5 6")
        all_of.on_deck.wants = ""
        all_of.refresher.everything_soon(sure=True)
        await all_of.calm()
        assert await _keys(all_of) == set()


async def _deck(all_of: Bench, wants: str) -> set[str]:
    """Put so much on everybody's deck; return it."""
    all_of.on_deck.wants = wants
    all_of.refresher.everything_soon()
    await all_of.calm()
    assert await _keys(all_of) >= set(wants.split())
    return set(wants.split())


async def _keys(all_of: Bench) -> set[str]:
    """Return what the owner has on deck."""
    found = await all_of.store.run(lambda connection: sources.said(connection, ON_DECK, "1"))
    return {demand.rating_key for demand in found}


async def test_a_failure_of_one_says_since_when_and_takes_nothing_from_anybody(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        before = await all_of.wanted()
        await all_of.pass_(500)
        all_of.on_deck.errors["2"] = DOWN
        all_of.on_deck.wants = "8"
        all_of.refresher.everything_soon()
        await all_of.pass_(HOUR)
        assert await all_of.wanted() == before
        state = (await all_of.states())[ON_DECK, "2"]
        assert (state.failed_since, state.problem, state.read_at) == (NOW + 500, str(DOWN), NOW)
        assert (await all_of.states())[ON_DECK, "1"].read_at == NOW + 500
        assert all_of.said() == [f"on_deck of User 2: {DOWN}; what was known stands"]


async def test_a_pin_made_while_the_pins_were_read_is_not_overwritten(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        all_of.pinned.blocks = asyncio.Event()
        all_of.pinned.wants = "old"
        all_of.refresher.soon({PINNED}, "")
        await all_of.pass_(2)
        all_of.current = False
        all_of.pinned.blocks.set()
        await all_of.calm()
        assert (await all_of.states())[PINNED, ""].read_at == NOW
