"""What is watched again stays: from the rows of plays to the retention."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from daemon.config import build
from daemon.model import Item, PlaybackStopped, User
from daemon.recording import record
from daemon.state import demands
from daemon.state.store import Store
from tests.support.values import ALICE, BOB, NOW, episode, play

DAY = 86_400.0
SETTINGS = build({})


def watch(connection: sqlite3.Connection, item: Item, day: float, user: User = ALICE, *, minutes: float = 10) -> float:
    """Let somebody watch an item to its end on that day; return for how many days it stays then."""
    at = NOW + day * DAY
    began = at - 60 * minutes
    stop = PlaybackStopped(play(item, user, key=f"{item.rating_key} {day} {user.id}", at=began, watched=True), at)
    record(connection, stop, item, [], SETTINGS)
    (keep,) = (one for one in demands.retentions_of_item(connection, item.rating_key) if one.user == user.id)
    return (keep.until - at) / DAY


async def test_what_a_user_watches_again_within_a_month_stays_for_a_month(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        assert await store.run(lambda c: watch(c, episode(1), 0)) == pytest.approx(0.5)
        assert await store.run(lambda c: watch(c, episode(2), 29)) == pytest.approx(0.5)
        assert await store.run(lambda c: watch(c, episode(2), 30, BOB)) == pytest.approx(2)
        assert await store.run(lambda c: watch(c, episode(2), 31)) == pytest.approx(30)
        assert await store.run(lambda c: watch(c, episode(1), 32)) == pytest.approx(0.5)


async def test_who_sees_much_again_keeps_also_what_is_new(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        for day, number in enumerate((1, 1, 2, 3)):
            await store.run(lambda c, day=day, number=number: watch(c, episode(number), day))  # type: ignore[misc]  # default arguments in a lambda
        assert await store.run(lambda c: watch(c, episode(4), 5)) == pytest.approx(30)
        assert await store.run(lambda c: watch(c, episode(5), 5, BOB)) == pytest.approx(0.5)
        assert await store.run(lambda c: watch(c, episode(6), 31)) == pytest.approx(0.5)


async def test_who_comes_back_for_the_last_minutes_has_not_watched_it_again(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        assert await store.run(lambda c: watch(c, episode(1), 0)) == pytest.approx(0.5)
        assert await store.run(lambda c: watch(c, episode(1), 0.1, minutes=2)) == pytest.approx(0.5)
        for number in (2, 3):
            await store.run(lambda c, number=number: watch(c, episode(number), number))  # type: ignore[misc]  # default arguments in a lambda
            await store.run(lambda c, number=number: watch(c, episode(number), number + 0.1, minutes=2))  # type: ignore[misc]  # as above
        assert await store.run(lambda c: watch(c, episode(4), 5)) == pytest.approx(0.5)
        assert await store.run(lambda c: watch(c, episode(1), 6)) == pytest.approx(30)
