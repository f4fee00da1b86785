"""An answer that is empty all of a sudden, of somebody who wanted little: believed soon, but not at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.errors import PlexUnavailable, RemoteRefused
from daemon.state import demands, sources
from tests.support.refreshes import NOW, ON_DECK, WATCHLIST, Bench, bench

MINUTE = 60.0
FIVE = 5 * MINUTE


async def wants(all_of: Bench, keys: str) -> None:
    """Have everybody's deck and list hold so much, and have it read."""
    all_of.on_deck.wants = all_of.watchlist.wants = keys
    all_of.refresher.everything_soon()
    await all_of.calm()


async def known(all_of: Bench, user: str = "1") -> str:
    """Return what somebody has on deck."""
    found = await all_of.store.run(lambda connection: sources.said(connection, ON_DECK, user))
    return " ".join(sorted(demand.rating_key for demand in found))


async def watched(all_of: Bench, key: str, at: float, user: str = "1") -> None:
    await all_of.store.run(lambda connection: demands.put_watched(connection, key, user, at))


@pytest.mark.parametrize("keys", ["1", "1 2", "1 2 3"])
async def test_it_takes_a_second_answer_some_minutes_later_that_says_the_same(tmp_path: Path, keys: str) -> None:
    async with bench(tmp_path) as all_of:
        await wants(all_of, keys)
        await wants(all_of, "")
        assert await known(all_of) == keys
        await all_of.pass_(FIVE - 1)
        await wants(all_of, "")
        assert await known(all_of) == keys
        before = len(all_of.on_deck.reads)
        await all_of.pass_(2)
        assert await known(all_of) == ""
        assert len(all_of.on_deck.reads) == before + 2, "of each person once more, and nothing else"
        assert all_of.pinned.moments[-1] == FIVE - 1
        await all_of.pass_(24 * 60 * MINUTE)
        assert len(all_of.on_deck.reads) == before + 2


async def test_what_is_back_by_then_was_never_away(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        await wants(all_of, "1 2")
        await wants(all_of, "")
        await all_of.pass_(MINUTE)
        await wants(all_of, "1 2")
        await all_of.pass_(MINUTE)
        await wants(all_of, "")
        await all_of.pass_(FIVE - MINUTE)
        assert await known(all_of) == "1 2", "the minutes count from anew"


async def test_what_was_watched_since_goes_at_once_and_the_rest_of_it_stays(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        await wants(all_of, "1 2")
        await watched(all_of, "2", NOW)
        await watched(all_of, "1", NOW, user="2")
        await wants(all_of, "")
        assert (await known(all_of, "1"), await known(all_of, "2")) == ("1", "2")
        await watched(all_of, "1", NOW)
        await wants(all_of, "")
        assert await known(all_of, "1") == ""


async def test_what_was_watched_before_it_was_wished_for_explains_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        await watched(all_of, "1", 0.5)
        await wants(all_of, "1")
        await wants(all_of, "")
        assert await known(all_of) == "1"


async def test_what_nobody_in_particular_wants_is_explained_by_anybody(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        await watched(all_of, "7", NOW, user="2")
        all_of.pinned.wants = ""
        all_of.refresher.everything_soon()
        await all_of.calm()
        assert ("pinned", "") not in await all_of.wanted()


async def test_an_answer_that_names_something_else_is_believed_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        await wants(all_of, "1 2 3")
        await wants(all_of, "4")
        assert await known(all_of) == "4"


async def test_what_the_settings_leave_out_is_believed_even_if_they_change_while_all_is_read(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        await wants(all_of, "1")
        all_of.on_deck.wants = ""
        all_of.pinned.when_read = lambda: all_of.refresher.everything_soon(sure=True)
        all_of.refresher.soon({ON_DECK}, "1")
        all_of.refresher.everything_soon()
        await all_of.calm()
        all_of.pinned.when_read = lambda: None
        await all_of.calm()
        assert await known(all_of) == ""


@pytest.mark.parametrize(("error", "tries"), [(PlexUnavailable("down"), 8), (RemoteRefused("refused"), 1)])
async def test_where_the_second_answer_fails_it_is_asked_for_as_anything_that_fails(
    tmp_path: Path, error: Exception, tries: int
) -> None:
    async with bench(tmp_path, people=("1",)) as all_of:
        await wants(all_of, "1")
        await wants(all_of, "")
        all_of.on_deck.errors["*"] = error
        before = len(all_of.on_deck.reads)
        await all_of.pass_(FIVE + 60 * MINUTE)
        assert await known(all_of) == "1"
        assert len(all_of.on_deck.reads) == before + tries, "not again and again"
        all_of.on_deck.errors.clear()
        await wants(all_of, "")
        assert await known(all_of) == ""


async def test_what_is_not_read_any_more_is_not_asked_for_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as all_of:
        await wants(all_of, "1")
        await wants(all_of, "")
        all_of.tables |= {"watchlist": {"enabled": False}}
        all_of.set(on_deck={"enabled": False})
        await all_of.calm()
        before = len(all_of.pinned.reads), len(all_of.writes)
        await all_of.pass_(60 * MINUTE)
        assert await known(all_of) == "1"
        assert len(all_of.pinned.reads) == before[0]
        assert len(all_of.writes) <= before[1] + 1, "not again and again"
        assert (WATCHLIST, "1") in await all_of.states()
