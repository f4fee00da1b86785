"""What was added lately: the simulated Plex, real rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daemon.clock import Clock
from daemon.config import build
from daemon.demo.library import Library
from daemon.demo.server import DemoServer
from daemon.errors import PlexError, PlexUnavailable
from daemon.model import Changes, Demand, DemandKind, Item, ItemType, Play, PlayState, User
from daemon.plex.library import PlexLibrary
from daemon.sources.recent import MOST, Recent
from daemon.state import demands, plays
from daemon.state.store import Store
from tests.support.pins import FAULTS, read, wishes
from tests.support.plex import small_library
from tests.support.plex_library import connected

DAY = 86_400.0
NOW = 1_700_000_000.0
ANN, BEN = User("1", "Ann"), User("10000002", "Ben")


class At(Clock):
    """A clock that stands still but for waiting."""

    def now(self) -> float:
        return NOW


@dataclass
class Shelf:
    """A library, and what is read of it."""

    library: Library
    plex: DemoServer
    client: PlexLibrary
    store: Store
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> Recent:
        return Recent(self.client, self.store, lambda: build(self.settings | {"plex": {"token": "t"}}), At(1000))

    async def found(self) -> set[str]:
        """Read it, and return what is demanded then."""
        await read(self.store, self.source)
        return set(await wishes(self.store, DemandKind.RECENT))

    async def watches(self, user: User, episode: str, at: float = NOW) -> None:
        """Have somebody play an episode, and stop."""
        await self.knows(episode)
        play = Play("p" + episode, "1", episode, user, "tv", "TV", PlayState.STOPPED, at, at)
        await self.store.run(lambda c: plays.put_play(c, play, stopped_at=at))

    async def knows(self, episode: str) -> None:
        node = self.library[episode]
        show = self.library[node.parent].parent
        item = Item(episode, ItemType.EPISODE, node.title, show=show)
        await self.store.run(lambda c: demands.put_items(c, [item]))


@asynccontextmanager
async def shelf(folder: Path, *, libraries: tuple[str, ...] = (), **recent: Any) -> AsyncIterator[Shelf]:
    library = small_library()
    for number, node in enumerate(library.items.values()):
        node.added_at = int(NOW - (100 + number) * DAY)
    folder.mkdir(exist_ok=True)
    async with (
        DemoServer(library) as plex,
        connected(plex, libraries=libraries) as client,
        Store(folder) as store,
    ):
        settings = {"recent": {"enabled": True, "watched_shows_only": False, **recent}}
        yield Shelf(library, plex, client, store, settings)


def age(library: Library, key: str, days: float) -> str:
    """Let an item have been added so many days ago."""
    library[key].added_at = int(NOW - days * DAY)
    library.revision += 1
    return key


async def test_what_was_added_within_the_age_is_wanted_since_then(tmp_path: Path) -> None:
    async with shelf(tmp_path) as home:
        library = home.library
        movie, old = age(library, library.movies[0], 1), age(library, library.movies[1], 8)
        episode = age(library, library.episodes(library.shows[0])[2], 6.9)

        assert await home.found() == {movie, episode}
        found = await wishes(home.store, DemandKind.RECENT)
        assert found[movie].since == library[movie].added_at
        assert (found[episode].show, found[episode].user, found[episode].position) == (library.shows[0], "", 0)
        home.settings["recent"]["max_age"] = "9d"
        assert await home.found() == {movie, episode, old}
        known = await home.store.run(lambda c: demands.item(c, episode))
        assert known is not None
        assert [file.plex_path for file in known.files] == [part.file for part in library[episode].parts]


async def test_without_an_age_nothing_is_too_old(tmp_path: Path) -> None:
    async with shelf(tmp_path, max_age="0") as home:
        every = {*home.library.movies, *(key for show in home.library.shows for key in home.library.episodes(show))}
        assert await home.found() == every


async def test_only_selected_libraries_count(tmp_path: Path) -> None:
    async with shelf(tmp_path, libraries=("movies",)) as home:
        movie = age(home.library, home.library.movies[0], 1)
        age(home.library, home.library.episodes(home.library.shows[0])[0], 1)
        assert await home.found() == {movie}


async def test_only_episodes_of_shows_that_somebody_watches(tmp_path: Path) -> None:
    async with shelf(tmp_path, watched_shows_only=True) as home:
        library = home.library
        age(library, library.movies[0], 1)
        ours, others = (library.episodes(show) for show in library.shows)
        new = age(library, ours[3], 1)
        age(library, others[3], 1)
        assert await home.found() == set()
        await home.watches(ANN, ours[0])
        assert await home.found() == {new}


@pytest.mark.parametrize("kind", ["on_deck", "next_up", "playing", "watchlist", "pinned"])
async def test_a_wish_of_one_who_goes_on_with_a_show_is_watching_it(tmp_path: Path, kind: str) -> None:
    async with shelf(tmp_path, watched_shows_only=True) as home:
        show = home.library.shows[0]
        episodes = home.library.episodes(show)
        new = age(home.library, episodes[3], 1)
        wish = Demand(episodes[1], DemandKind(kind), "" if kind == "pinned" else ANN.id, NOW - DAY, show=show)
        await home.store.run(lambda c: demands.apply(c, Changes(put_demands=(wish,))))
        assert await home.found() == (set() if kind in {"watchlist", "pinned"} else {new})


async def test_who_left_off_long_ago_or_is_excluded_watches_nothing(tmp_path: Path) -> None:
    async with shelf(tmp_path, watched_shows_only=True) as home:
        episodes = home.library.episodes(home.library.shows[0])
        new = age(home.library, episodes[3], 1)
        await home.watches(ANN, episodes[0], NOW - 40 * DAY)
        assert await home.found() == {new}
        home.settings["on_deck"] = {"max_age": "30d"}
        assert await home.found() == set()
        home.settings["on_deck"] = {"max_age": "0"}
        assert await home.found() == {new}
        await home.store.run(lambda c: demands.put_user(c, ANN))
        home.settings["users"] = {"exclude": ["ann"]}
        assert await home.found() == set()


async def test_what_everybody_who_follows_the_show_has_seen_is_no_news(tmp_path: Path) -> None:
    async with shelf(tmp_path, watched_shows_only=True) as home:
        episodes = home.library.episodes(home.library.shows[0])
        new = age(home.library, episodes[3], 1)
        await home.knows(new)
        await home.watches(ANN, episodes[0])
        await home.watches(BEN, episodes[1])
        await home.store.run(lambda c: demands.put_watched(c, new, ANN.id, NOW))
        assert await home.found() == {new}
        await home.store.run(lambda c: demands.put_watched(c, new, BEN.id, NOW))
        assert await home.found() == set()


async def test_a_bulk_import_makes_only_so_many_wishes_and_the_newest_count(tmp_path: Path) -> None:
    async with shelf(tmp_path) as home:
        library = home.library
        season = library.seasons(library.shows[0])[0]
        node = library[season.children[0]]
        many = [library.new_key() for _ in range(5_000)]
        for number, key in enumerate(many):
            copy = type(node)(key, node.kind, f"E{number}", f"guid://{number:08x}", node.section, season.key)
            copy.index, copy.added_at = 100 + number, int(NOW - number)
            library.items[key] = copy
            season.children.append(key)
        library.revision += 1
        before = len(home.plex.requests)

        fetched = await home.source.fetch()
        assert [one.rating_key for one in fetched.demands] == many[:MOST]
        assert fetched.unmatched == (f"{5_000 - MOST} more, added before the newest {MOST}",)
        assert len(home.plex.requests) - before < 40


async def test_what_was_added_in_the_future_does_not_count_and_hides_nothing(tmp_path: Path) -> None:
    async with shelf(tmp_path) as home:
        age(home.library, home.library.movies[0], -400)
        movie = age(home.library, home.library.movies[1], 1)
        assert await home.found() == {movie}


@pytest.mark.parametrize("where", ["sections$", "type=4"])
@pytest.mark.parametrize("name", FAULTS)
async def test_a_failed_read_leaves_all_as_it_was(tmp_path: Path, name: str, where: str) -> None:
    async with shelf(tmp_path) as home:
        movie = age(home.library, home.library.movies[0], 1)
        assert await home.found() == {movie}
        age(home.library, home.library.movies[0], 50)
        home.plex.faults.http(where, **FAULTS[name])
        with pytest.raises(PlexError):
            await home.found()
        assert set(await wishes(home.store, DemandKind.RECENT)) == {movie}


async def test_a_server_without_libraries_is_not_believed(tmp_path: Path) -> None:
    async with shelf(tmp_path) as home:
        home.plex.faults.http("sections$", body=b'<MediaContainer size="0"/>', content_type="text/xml")
        with pytest.raises(PlexUnavailable, match="no libraries"):
            await home.found()
