"""A household of every role with every source on, around a whole daemon, and what it knows and keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aiohttp import web

from daemon.clock import Clock
from daemon.demo.files import sidecar_files, write_file
from daemon.demo.library import Library
from daemon.demo.server import DemoServer
from daemon.demo.trakt import DemoTrakt, movie, movie_of
from daemon.model import Demand, DemandKind, Role, SourceState, Task, TaskState
from daemon.refreshing import Refresher
from daemon.state import demands, sources
from tests.support.bad_input import files_below
from tests.support.daemon import PATIENCE, House, at_home, daemon_running, merged, new_app
from tests.support.plex import small_library

HOUR = 3600.0
DAY = 24 * HOUR
SPEED = 300.0
PIN = "4711"
TITLES = ("Ann", "Ben", "Kid", "Cleo", "Dan")
SERVICES = {
    "tv_url": "127.0.0.2",
    "clients_url": "127.0.0.3",
    "discover_url": "127.0.0.4",
    "metadata_url": "127.0.0.5",
    "community_url": "127.0.0.6",
}
_FEEDS = "127.0.0.7"
"""Other addresses of this machine: each is a host of its own, which may be busy while the others are not."""
Key = tuple[DemandKind, str]
"""Kind and user of a source."""


class Ticking(Clock):
    """A fast clock that can be put forward."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


@dataclass
class Round:
    """One refresh: whether of everything, when it began, and what became of each source (empty: it was read)."""

    whole: bool
    began: float
    read: dict[Key, str] = field(default_factory=dict)


class Rounds:
    """Every refresh that has ended, in order. `begun` counts those that were begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.running = 0
        self.most_at_once = 0
        self.done: list[Round] = []
        self._ended = asyncio.Event()

    async def until(self, holds: Callable[[list[Round]], bool], *, after: int = 0) -> list[Round]:
        """Wait until something holds of those that have ended, without the first so many; return these."""
        async with asyncio.timeout(PATIENCE):
            while not holds(self.done[after:]):
                self._ended.clear()
                await self._ended.wait()
        return self.done[after:]

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count those of every daemon of this process meanwhile."""
        refresh, record = Refresher._refresh, Refresher._record
        now: list[Round] = []

        async def _refresh(refresher: Refresher) -> None:
            this = Round(refresher._whole.is_set(), refresher._clock.now())
            now.append(this)
            self.begun += 1
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
            try:
                await refresh(refresher)
            except asyncio.CancelledError:
                this.whole = False  # the daemon ends
                raise
            finally:
                self.running -= 1
                now.remove(this)
                # Each that was begun, so that `begun` tells how many to leave out.
                self.done.append(this)
                self._ended.set()

        async def _record(refresher: Refresher, outcomes: Sequence[Any], *args: Any, **kwargs: Any) -> None:
            now[-1].read |= {one.key: one.problem for one in outcomes}
            await record(refresher, outcomes, *args, **kwargs)

        with patch.object(Refresher, "_refresh", _refresh), patch.object(Refresher, "_record", _record):
            yield


@dataclass(frozen=True)
class Known:
    """Who wants what, and every file of both tiers: bytes and modification time."""

    demands: frozenset[Demand]
    files: dict[str, tuple[bytes, int]]
    tasks: int


@dataclass
class Home:
    """The whole household."""

    house: House
    trakt: DemoTrakt
    clock: Ticking
    rounds: Rounds

    @property
    def plex(self) -> DemoServer:
        return self.house.plex

    @property
    def library(self) -> Library:
        return self.house.library

    @property
    def refresher(self) -> Refresher:
        return self.house.app.core.sourcing.refresher

    def user(self, title: str) -> str:
        """Return somebody's id; that of nobody in particular for an empty title."""
        return self.plex.people[title].id if title else ""

    def keys(self, kind: DemandKind, *titles: str) -> set[Key]:
        """Return the sources of these people by this kind."""
        return {(kind, self.user(title)) for title in titles}

    def begin(self, who: str, key: str, at: float | None = None) -> None:
        """Have somebody stop in the middle of an item, without a word to anybody."""
        self.plex.views.progress(self.user(who), key, 600_000, self.clock.now() if at is None else at)

    def finish(self, who: str, *keys: str, at: float | None = None) -> None:
        """Have somebody watch items to their ends, without a word to anybody."""
        for key in keys:
            self.plex.views.watched(self.user(who), key, self.clock.now() if at is None else at)

    def later(self, hours: float) -> None:
        """Let time pass. Whoever waits does not notice."""
        self.clock.ahead += hours * HOUR

    async def refresh(self) -> Round:
        """Have everything read through the API; return what became of it."""
        before = self.rounds.begun
        status, _ = await self.house.post("/api/v1/refresh")
        assert status == 202, status
        found = await self.rounds.until(lambda done: any(one.whole for one in done), after=before)
        await self.house.quiet()
        return next(one for one in found if one.whole)

    async def refresh_later(self, hours: float = 7.0) -> Round:
        """Have everything read when nobody asks to be left alone any more, and plex.tv is asked again too."""
        self.later(hours)
        return await self.refresh()

    async def known(self) -> Known:
        """Return what is known and kept now."""
        store, folder = self.house.app.core.store, self.house.folder
        return Known(
            frozenset(await store.run(demands.all_demands)),
            await asyncio.to_thread(_files, folder / "array") | await asyncio.to_thread(_files, folder / "cache"),
            len(await self.house.tasks()),
        )

    async def waiting(self) -> list[Task]:
        """Return what is still to be copied or evicted."""
        return await self.house.tasks(TaskState.QUEUED, TaskState.RUNNING)

    async def states(self) -> dict[Key, SourceState]:
        """Return how each source is."""
        found = await self.house.app.core.store.run(sources.states)
        return {(one.kind, one.user): one for one in found}

    async def failing(self) -> dict[Key, SourceState]:
        """Return the sources that cannot be read."""
        return {key: one for key, one in (await self.states()).items() if one.failed_since is not None}

    async def wanted(self, kind: DemandKind, title: str = "") -> set[str]:
        """Return what somebody (empty: everybody) wants by this kind."""
        return {key for key, one in await self.wishes() if (one.kind, one.user) == (kind, self.user(title))}

    async def wishes(self) -> list[tuple[str, Demand]]:
        """Return every demand with its key."""
        return [(one.rating_key, one) for one in await self.house.app.core.store.run(demands.all_demands)]

    async def rows(self) -> dict[str, dict[str, Any]]:
        """Return what the API says of each user, and of nobody in particular, by title."""
        return {row["title"]: row for row in (await self.house.get("/api/v1/users"))["items"]}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the daemon, as after a restart, until everything has been read once and all is done that follows."""
        new_app(self.house)
        before = self.rounds.begun
        async with daemon_running(self.house):
            await self.rounds.until(bool, after=before)
            await self.house.quiet()
            yield


def _files(root: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files_below(root)}


def furnish(home: Home) -> None:
    """Have everybody want something of their own by every kind that there is."""
    library, plex = home.library, home.plex
    movies, shows = library.movies, library.shows
    for who, key in zip(TITLES, (movies[0], library.episodes(shows[0])[0], movies[1], movies[2]), strict=False):
        home.begin(who, key, home.clock.now() - DAY)
    home.finish("Dan", library.episodes(shows[1])[0], at=home.clock.now() - DAY)
    for number, who in enumerate(("Ann", "Ben", "Kid", "Cleo", "Dan"), 3):
        plex.watchlists.add(who, movies[number])
    plex.watchlists.add("Ann", shows[2])
    library[movies[8]].added_at = int(home.clock.now() - DAY)
    library.revision += 1


async def new_episode(home: Home, show: str) -> str:
    """Have the next episode of a show's first season appear; return its key."""
    library = home.library
    season = library.seasons(show)[0]
    number = len(season.children) + 1
    path = f"{library[season.children[0]].parts[0].file.rpartition('/')[0]}/e{number}.mkv"
    for each, size in [(path, 2_000), *sidecar_files(path)]:
        write_file(library, home.house.folder / "array", each, size)
    node = await home.plex.librarian.add_episode(season.key, number, f"Episode {number}", (path, 2_000))
    return node.key


@asynccontextmanager
async def household(
    folder: Path, *, start: bool = True, furnished: bool = True, **settings: Any
) -> AsyncIterator[Home]:
    """Ann owns the server, Ben lives with her, Kid is managed behind a PIN, Cleo and Dan are friends.

    Dan shows his watchlist to nobody, but there is a feed of it, and one of Cleo's. The tenth movie trends, on the
    second page. The first show is pinned. Everything is read and cached. The schedule is off unless it is set.
    Where it is not `furnished`, nobody wants anything yet.
    """
    clock, rounds = Ticking(SPEED), Rounds()
    library = small_library(movies=90, shows=3, seasons=1, sizes=(1_000, 5_000))
    strangers = [movie("Nowhere", 2020, imdb=f"tt99{number:05}") for number in range(100)]
    async with (
        DemoTrakt([*strangers, movie_of(library[library.movies[9]])]) as trakt,
        at_home(folder, library, clock=clock, start=False, titles=TITLES) as house,
    ):
        plex = house.plex
        plex.people.change("Ben", role=Role.HOME)
        plex.people.change("Kid", role=Role.MANAGED, pin=PIN, listed=False)
        plex.watchlists.private.add(plex.people["Dan"].id)
        for host in (*SERVICES.values(), _FEEDS):
            await web.TCPSite(plex._runner, host, plex.port).start()
        house.settings = merged(house.settings, merged(_everything(trakt, plex), settings))
        home = Home(house, trakt, clock, rounds)
        if furnished:
            furnish(home)
        with rounds.counted():
            if not start:
                yield home
                return
            async with home.running():
                await plex.frames.wait_for_listeners()
                if furnished:
                    await house.post("/api/v1/pin", {"target": library.shows[0]})
                await house.quiet()
                yield home


def _everything(trakt: DemoTrakt, plex: DemoServer) -> dict[str, Any]:
    services = {name: f"http://{host}:{plex.port}" for name, host in SERVICES.items()}
    feeds = [f"http://{_FEEDS}:{plex.port}{plex.watchlists.feed(who)}" for who in ("Dan", "Cleo")]
    return {
        "plex": services,
        "on_deck": {"enabled": True, "episodes": 2},
        "watchlist": {"enabled": True, "episodes": 2, "rss": feeds},
        "recent": {"enabled": True, "watched_shows_only": False, "max_age": "60d"},
        "trending": {"enabled": True, "url": trakt.url, "client_id": trakt.client, "movies": 100, "refresh": "0"},
        "users": {"Kid": {"pin": PIN}},
        "schedule": {"refresh": "0"},
        "log": {"level": "info"},
    }
