from __future__ import annotations

import pytest

from daemon.clock import Clock
from daemon.demo.generate import generate
from daemon.demo.media import Kind, Node
from daemon.demo.server import DemoServer
from daemon.model import OWNER, Item, ItemType, User
from tests.support.plex import small_library, without_media
from tests.support.plex_library import connected

ANN = User(OWNER, "Ann")


def user(plex: DemoServer, name: str) -> User:
    return User(plex.people[name].id, name)


def keys(items: list[Item]) -> list[str]:
    return [item.rating_key for item in items]


async def test_the_server_says_who_it_is() -> None:
    async with DemoServer(small_library(), name="Attic") as plex, connected(plex) as library:
        assert library.problem
        info = await library.connect()
        assert (info.machine_identifier, info.name, info.owner) == (plex.machine_identifier, "Attic", "Ann")
        assert library.problem == ""


async def test_an_item_has_the_files_of_all_versions_and_parts_but_no_optimized_ones() -> None:
    async with DemoServer(generate()) as plex, connected(plex) as library:
        for key in plex.library.movies:
            item = await library.item(key)
            assert item is not None
            versions = [version for version in plex.library[key].versions if not version.optimized]
            expected = {(part.file, part.size) for version in versions for part in version.parts}
            assert {(file.plex_path, file.size) for file in item.files} == expected


async def test_an_episode_says_where_it_stands() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        show = plex.library.shows[0]
        key = plex.library.episodes(show)[5]
        await plex.engine.mark("Ann", key)
        item = await library.item(key)
        assert item is not None
        assert (item.type, item.show, item.season, item.episode) == (ItemType.EPISODE, show, 2, 2)
        assert (item.show_title, item.library) == (plex.library[show].title, "TV Shows")
        assert (item.duration, item.watched) == (2700.0, True)


@pytest.mark.parametrize("kind", [Kind.CLIP, Kind.TRACK, Kind.PHOTO])
async def test_other_types_are_no_items(kind: Kind) -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        node = plex.library.add(Node("", kind, "x", "guid://0000000a", "1"))
        assert await library.item(node.key) is None


async def test_a_transient_item_is_no_item() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        node = plex.library.add(Node("", Kind.MOVIE, "Pre-roll", "guid://0000000a", "-2"))
        assert await library.item(node.key) is None


@pytest.mark.parametrize(
    ("selected", "found"), [((), True), (("tv shows",), False), (("MOVIES",), True), (("1",), True)]
)
async def test_only_selected_libraries_count(selected: tuple[str, ...], found: bool) -> None:
    async with DemoServer(small_library()) as plex, connected(plex, libraries=selected) as library:
        item = await library.item(plex.library.movies[0])
        assert item is not None
        assert item.selected == found


async def test_leaves_are_the_item_itself_or_all_episodes() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        show, movie = plex.library.shows[0], plex.library.movies[0]
        episodes = plex.library.episodes(show)
        assert keys(await library.leaves(show)) == episodes
        assert keys(await library.leaves(plex.library[show].children[0])) == episodes[:4]
        assert keys(await library.leaves(episodes[2])) == [episodes[2]]
        assert keys(await library.leaves(movie)) == [movie]


async def test_a_file_is_found_by_the_path_that_plex_sees() -> None:
    async with DemoServer(generate()) as plex, connected(plex) as library:
        movie, episode = plex.library.movies[1], plex.library.episodes(plex.library.shows[0])[4]
        for key in (movie, episode):
            item = await library.find_by_path(plex.library[key].parts[0].file)
            assert item is not None
            assert item.rating_key == key
        assert await library.find_by_path("/data/Movies/nothing.mkv") is None
        assert await library.find_by_path("/elsewhere/x.mkv") is None


async def test_the_next_episodes_cross_seasons_and_skip_specials() -> None:
    async with DemoServer(generate()) as plex, connected(plex) as library:
        show = plex.library.shows[0]
        episodes = plex.library.episodes(show)
        current = await library.item(episodes[8])
        assert current is not None
        following = await library.next_episodes(current, ANN, count=4)
        assert keys(following) == episodes[9:13]
        assert {item.season for item in following} == {1, 2}


async def test_after_a_special_come_specials_only() -> None:
    async with DemoServer(generate()) as plex, connected(plex) as library:
        (specials,) = [season for season in plex.library.seasons(plex.library.shows[0]) if season.index == 0]
        special = await library.item(specials.children[0])
        assert special is not None
        assert [item.season for item in await library.next_episodes(special, ANN, count=9)] == [0]


async def test_each_user_skips_what_that_user_has_watched() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        episodes = plex.library.episodes(plex.library.shows[0])
        await plex.engine.mark("Ann", episodes[1])
        await plex.engine.mark("Ben", episodes[2])
        current = await library.item(episodes[0])
        assert current is not None
        for who, expected in (("Ann", 2), ("Ben", 1), ("Cleo", 1)):
            following = keys(await library.next_episodes(current, user(plex, who), count=2))
            assert following[0] == episodes[expected]
        nobody = await library.next_episodes(current, User("", ""), count=2, watched={episodes[1]: 1.0})
        assert keys(nobody) == episodes[2:4]


async def test_a_rewatch_takes_nothing_that_was_watched_before_it_for_watched() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        episodes = plex.library.episodes(plex.library.shows[0])
        for who in ("Ann", "Ben", "Cleo"):
            for key in episodes[1 if who == "Cleo" else 0 :]:
                await plex.engine.mark(who, key)
        now = plex.clock.now() + 3600.0
        current = await library.item(episodes[0])
        assert current is not None
        for who, expected in (("Ann", episodes[1:3]), ("Ben", episodes[1:3]), ("Cleo", [])):
            following = await library.next_episodes(current, user(plex, who), count=2, started_at=now)
            assert keys(following) == expected


async def test_the_owner_s_own_word_in_plex_wins_over_what_we_knew_long_ago() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        episodes = plex.library.episodes(plex.library.shows[0])
        current = await library.item(episodes[0])
        assert current is not None
        now = plex.clock.now()
        known = {episodes[1]: now - 601.0, episodes[2]: now - 599.0}
        following = await library.next_episodes(current, ANN, count=2, watched=known, started_at=now)
        assert keys(following) == [episodes[1], episodes[3]]


async def test_an_episode_without_a_file_is_none_that_follows() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        episodes = plex.library.episodes(plex.library.shows[0])
        current = await library.item(episodes[0])
        assert current is not None
        plex.faults.http("metadata", mangle=lambda answer: without_media(answer, episodes[1]))
        assert keys(await library.next_episodes(current, ANN, count=2)) == episodes[2:4]
        plex.faults.clear()
        plex.faults.http(f"metadata/{episodes[1]}", mangle=lambda answer: without_media(answer, episodes[1]))
        following = await library.next_episodes(current, ANN, count=2)
        assert keys(following) == episodes[1:3]
        assert all(one.files for one in following)


async def test_a_history_that_cannot_be_read_costs_no_episodes() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        episodes = plex.library.episodes(plex.library.shows[0])
        current = await library.item(episodes[0])
        assert current is not None
        plex.faults.http("history", status=403)
        assert len(await library.next_episodes(current, user(plex, "Ben"), count=3)) == 3


async def test_a_movie_has_no_next_episodes() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        movie = await library.item(plex.library.movies[0])
        assert movie is not None
        assert await library.next_episodes(movie, ANN, count=5) == []


async def test_long_shows_are_read_in_pages() -> None:
    shape = {"movies": 0, "shows": 1, "seasons": 1, "episodes": 1203}
    async with DemoServer(small_library(**shape)) as plex, connected(plex) as library:
        episodes = plex.library.episodes(plex.library.shows[0])
        current = await library.item(episodes[0])
        assert current is not None
        following = await library.next_episodes(current, ANN, count=250)
        assert keys(following) == episodes[1:251]
        last = await library.item(episodes[1200])
        assert last is not None
        assert keys(await library.next_episodes(last, ANN, count=5)) == episodes[1201:]


async def test_sessions_survive_odd_elements() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        movie = plex.library.movies[0]
        await plex.engine.play("Ann", movie, client="sofa", offset=90.0)
        await plex.engine.play("Ben", plex.library.movies[1], client="phone")
        plex.faults.strip_sessions("User", "Session", "Media", "Player", session_key="2")
        first, second = await library.sessions()
        assert (first.user, first.client, first.rating_key, first.view_offset) == (ANN, "sofa", movie, 90.0)
        assert (second.user.id, second.client, second.video) == ("", "", True)


async def test_the_history_is_everybody_s_and_oldest_first() -> None:
    async with DemoServer(small_library(), clock=Clock(100.0)) as plex, connected(plex) as library:
        movies = plex.library.movies
        for who, key in (("Ann", movies[0]), ("Ben", movies[1])):
            await plex.engine.mark(who, key)
            await plex.clock.sleep(2.0)
        rows = await library.history(0.0)
        assert [(row.user, row.rating_key) for row in rows] == [
            (OWNER, movies[0]),
            (plex.people["Ben"].id, movies[1]),
        ]
        assert await library.latest_history() == rows[-1].at
        assert await library.history(rows[-1].at) == rows[-1:]


async def test_accounts_are_those_with_a_name() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        assert [account.title for account in await library.accounts()] == ["Ann", "Ben", "Cleo"]
