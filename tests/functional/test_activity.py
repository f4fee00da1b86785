"""When people last played anything, as Plex's history says: with as few requests as that can be had."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.activity import Activity
from daemon.state import sources
from daemon.state.store import Store
from tests.support.people import NOW, Home, home

HISTORY = "/status/sessions/history/all"
DAY = 86_400.0


@dataclass
class Known:
    """A household, and when its people played last as far as that is known."""

    home: Home
    store: Store
    activity: Activity

    async def learn(self) -> dict[str, float]:
        """Learn of everybody; return days ago by title."""
        people = await self.home.accounts.people()
        await self.activity.learn(people)
        titles = {person.user.id: person.user.title for person in people}
        plays = await self.store.run(sources.last_plays)
        return {titles[user]: (NOW - at) / DAY for user, at in plays.items()}

    def asked(self) -> int:
        """Return how often the history was asked for since the last look."""
        found = sum(one.path == HISTORY for one in self.home.plex.requests)
        self.home.plex.requests.clear()
        return found


@asynccontextmanager
async def played(folder: Path, **tables: Any) -> AsyncIterator[Known]:
    """Ann played yesterday, Ben the day before; of the others the history says nothing."""
    async with home(folder, **tables) as ours, Store(folder) as store:
        movies = ours.plex.library.movies
        for days, (who, key) in enumerate([("Ann", movies[0]), ("Ben", movies[1]), ("Ben", movies[2])], 1):
            ours.plex.views.watched(ours.plex.people[who].id, key, NOW - days * DAY)
        yield Known(ours, store, Activity(store, ours.library, lambda: ours.settings))


async def test_it_is_learnt_of_all_by_one_request_and_asked_no_more(tmp_path: Path) -> None:
    async with played(tmp_path) as known:
        assert await known.learn() == {"Ann": 1.0, "Ben": 2.0}
        assert known.asked() == 1
        assert await known.learn() == {"Ann": 1.0, "Ben": 2.0}
        assert known.asked() == 0


async def test_where_it_decides_who_counts_those_who_are_not_found_are_asked_about_once(tmp_path: Path) -> None:
    async with played(tmp_path, users={"inactive_after": "30d"}) as known:
        kid = known.home.plex.people["Kid"].id
        known.home.plex.faults.http(f"{HISTORY}.*accountID={kid}", status=503)
        await known.learn()
        known.home.plex.faults.clear()
        known.asked()
        assert await known.learn() == {"Ann": 1.0, "Ben": 2.0}
        assert known.asked() == 3
        await known.learn()
        assert known.asked() == 0


async def test_what_cannot_be_read_now_is_learnt_at_the_next_refresh(tmp_path: Path) -> None:
    async with played(tmp_path) as known:
        known.home.plex.faults.http(HISTORY, status=503)
        assert await known.learn() == {}
        known.home.plex.faults.clear()
        assert await known.learn() == {"Ann": 1.0, "Ben": 2.0}
