"""plexapi, unpatched, against the simulated server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest
import requests
from plexapi.exceptions import BadRequest, NotFound, Unauthorized
from plexapi.myplex import MyPlexAccount
from plexapi.playqueue import PlayQueue
from plexapi.server import PlexServer

from daemon.demo.generate import Shape, generate
from daemon.demo.server import DemoServer

T = TypeVar("T")


@pytest.fixture
async def plex() -> AsyncIterator[DemoServer]:
    async with DemoServer(generate(Shape(movies=12, shows=3, seasons=2, episodes=5))) as server:
        yield server


async def ask(plex: DemoServer, what: Callable[[Any], T], who: str = "Ann") -> T:
    """Run some plexapi calls as one of the users."""

    def run() -> T:
        with requests.Session() as session:
            return what(PlexServer(plex.url, plex.people[who].token, session=session))

    return await asyncio.to_thread(run)


async def test_plexapi_connects_and_sees_who_the_server_is(plex: DemoServer) -> None:
    seen = await ask(plex, lambda server: (server.machineIdentifier, server.friendlyName, server.identity()))
    assert seen[0] == plex.machine_identifier
    assert seen[1] == "Demo Plex"
    assert seen[2].machineIdentifier == plex.machine_identifier


async def test_plexapi_lists_sections_and_everything_in_them(plex: DemoServer) -> None:
    def what(server: Any) -> Any:
        movies, shows = server.library.sections()
        return (
            movies.locations,
            [str(movie.ratingKey) for movie in movies.all()],
            [str(show.ratingKey) for show in shows.all()],
            len(shows.all(libtype="episode")),
        )

    locations, movies, shows, episodes = await ask(plex, what)
    assert locations == ["/data/Movies"]
    assert movies == plex.library.movies
    assert shows == plex.library.shows
    assert episodes == sum(1 for show in plex.library.shows for _ in plex.library.leaves(show))


async def test_plexapi_pages_through_lists_longer_than_a_page(plex: DemoServer) -> None:
    def what(server: Any) -> Any:
        section = server.library.sectionByID(1)
        return [str(item.ratingKey) for item in section.all(container_size=5)]

    assert await ask(plex, what) == plex.library.movies
    pages = [request.path for request in plex.requests if request.path.endswith("/all")]
    assert len(pages) == 3


async def test_every_path_arrives_as_it_was_made(plex: DemoServer) -> None:
    def what(server: Any) -> Any:
        items = [
            *server.library.section("Movies").all(),
            *server.library.section("TV Shows").searchEpisodes(),
        ]
        return {str(item.ratingKey): (item.title, item.locations) for item in items}

    seen = await ask(plex, what)
    for key, (title, locations) in seen.items():
        node = plex.library[key]
        assert title == node.title
        assert locations == [part.file for part in node.parts]
    assert len(seen) > 30


async def test_versions_parts_and_optimized_versions_are_told_apart(plex: DemoServer) -> None:
    def what(server: Any) -> Any:
        return [
            (
                len(item.media),
                max(len(media.parts) for media in item.media),
                any(media.isOptimizedVersion for media in item.media),
            )
            for item in server.library.section("Movies").all()
        ]

    shapes = set(await ask(plex, what))
    assert {(2, 1, False), (1, 2, False), (2, 1, True)} <= shapes


async def test_checked_files_that_are_gone_are_said_to_be_gone(plex: DemoServer) -> None:
    gone = next(node for node in plex.library.items.values() if any(not part.exists for part in node.parts))

    def what(server: Any) -> Any:
        item = server.fetchItem(int(gone.key)).reload(checkFiles=True)
        return [(part.exists, part.accessible) for media in item.media for part in media.parts]

    assert await ask(plex, what) == [(True, True), (False, False)]


async def test_plexapi_searches_filters_and_sorts(plex: DemoServer) -> None:
    first, second = plex.library.movies[:2]
    await plex.engine.mark("Ann", first)

    def what(server: Any) -> Any:
        movies, shows = server.library.sections()
        return (
            [item.title for item in movies.search(title="tom")],
            len(movies.search(unwatched=True)),
            [str(item.ratingKey) for item in movies.search(sort="lastViewedAt:desc", maxresults=1)],
            [item.addedAt for item in shows.search(libtype="episode", sort="addedAt:desc", maxresults=3)],
            [str(item.ratingKey) for item in movies.search(filters={"year>>": plex.library[second].year})],
        )

    titled, unwatched, latest, added, younger = await ask(plex, what)
    assert titled == ["Tom & Jerry: The <Lost> Reel"]
    assert unwatched == len(plex.library.movies) - 1
    assert latest == [first]
    assert added == sorted(added, reverse=True)
    year = plex.library[second].year
    assert younger == [key for key in plex.library.movies if plex.library[key].year > year]


async def test_items_are_found_by_their_guids(plex: DemoServer) -> None:
    node = plex.library[plex.library.movies[3]]

    def what(server: Any) -> Any:
        section = server.library.section("Movies")
        (found,) = server.library.search(guid=node.guid, libtype="movie")
        own = section.getGuid(node.guid)
        return [str(item.ratingKey) for item in (found, own, section.getGuid(own.guids[0].id))]

    assert await ask(plex, what) == [node.key] * 3


async def test_shows_give_seasons_episodes_and_what_is_on_deck(plex: DemoServer) -> None:
    show = next(key for key in plex.library.shows if not plex.library[key].skip_parent)
    episodes = plex.library.episodes(show)
    await plex.engine.mark("Ann", episodes[0])

    def what(server: Any) -> Any:
        item = server.fetchItem(int(show))
        season = item.season(1)
        return (
            [season.index for season in item.seasons()],
            [str(episode.ratingKey) for episode in item.episodes()],
            [str(episode.ratingKey) for episode in season.episodes()],
            str(item.onDeck().ratingKey),
            (item.leafCount, item.viewedLeafCount, item.childCount),
        )

    seasons, leaves, first_season, deck, counts = await ask(plex, what)
    assert seasons == [0, 1, 2]
    assert leaves == [node.key for node in plex.library.leaves(show)]
    assert first_season == episodes[:5]
    assert deck == episodes[1]
    assert counts == (12, 1, 3)


async def test_several_items_at_once_leave_out_the_missing_and_one_missing_is_not_found(
    plex: DemoServer,
) -> None:
    keys = [int(key) for key in plex.library.movies[:2]]
    found = await ask(plex, lambda server: [item.ratingKey for item in server.fetchItems([*keys, 99999])])
    assert sorted(found) == sorted(keys)
    with pytest.raises(NotFound):
        await ask(plex, lambda server: server.fetchItem(99999))


async def test_markers_and_streams_come_with_the_whole_item(plex: DemoServer) -> None:
    def what(server: Any) -> Any:
        item = server.fetchItem(int(plex.library.movies[0])).reload()
        return [marker.type for marker in item.markers], len(item.videoStreams()), len(item.guids)

    assert await ask(plex, what) == (["intro", "credits"], 1, 3)


async def test_sessions_history_and_decks_through_plexapi(plex: DemoServer) -> None:
    key = plex.library.episodes(plex.library.shows[0])[0]
    session = await plex.engine.play("Ben", key)

    def what(server: Any) -> Any:
        (one,) = server.sessions()
        return str(one.ratingKey), one.sessionKey, one.usernames, one.player.machineIdentifier, one.session.id

    assert await ask(plex, what) == (key, 1, ["Ben"], "tv", session.id)
    await plex.engine.advance(session, session.node.seconds * 0.95)

    def after(server: Any) -> Any:
        return (
            [(str(row.ratingKey), row.accountID) for row in server.history()],
            [str(item.ratingKey) for item in server.library.onDeck()],
            [str(item.ratingKey) for item in server.continueWatching()],
            [str(item.ratingKey) for item in server.library.section("TV Shows").continueWatching()],
        )

    following = plex.library.following(plex.library[key])[0]
    ben = int(plex.people["Ben"].id)
    assert await ask(plex, after, "Ben") == ([(key, ben)], [following], [following], [following])
    assert await ask(plex, after) == ([(key, ben)], [], [], [])


async def test_the_history_can_be_narrowed_and_survives_its_items(plex: DemoServer) -> None:
    first, second = plex.library.movies[:2]
    await plex.engine.mark("Ann", first)
    await plex.engine.mark("Ben", second)
    ben = int(plex.people["Ben"].id)
    rows = await ask(plex, lambda server: [str(row.ratingKey) for row in server.history(accountID=ben)])
    assert rows == [second]
    rows = await ask(
        plex, lambda server: [str(row.ratingKey) for row in server.history(ratingKey=int(first))]
    )
    assert rows == [first]
    await plex.librarian.delete(first)
    rows = await ask(plex, lambda server: [row.ratingKey for row in server.history()])
    assert rows == [int(second), None]


async def test_marking_by_plexapi_changes_only_the_askers_view(plex: DemoServer) -> None:
    key = int(plex.library.movies[0])
    await ask(plex, lambda server: server.fetchItem(key).markPlayed(), "Ben")
    assert await ask(plex, lambda server: server.fetchItem(key).isPlayed, "Ben")
    assert not await ask(plex, lambda server: server.fetchItem(key).isPlayed)
    await ask(plex, lambda server: server.fetchItem(key).markUnplayed(), "Ben")
    assert not await ask(plex, lambda server: server.fetchItem(key).isPlayed, "Ben")


async def test_a_play_queue_names_what_comes_next(plex: DemoServer) -> None:
    keys = plex.library.episodes(plex.library.shows[0])
    session = await plex.engine.play("Ann", keys[1])
    assert session.queue is not None
    number = session.queue.id

    def what(server: Any) -> Any:
        queue = PlayQueue.get(server, number)
        return [str(item.ratingKey) for item in queue], str(queue.selectedItem.ratingKey)

    assert await ask(plex, what) == (keys[1:], keys[1])
    shuffled = await plex.engine.play("Ann", keys[3], queue=[keys[0], keys[3], keys[2]], client="phone")
    assert shuffled.queue is not None
    number = shuffled.queue.id
    assert await ask(plex, what) == ([keys[0], keys[3], keys[2]], keys[3])


async def test_accounts_and_scans_are_the_owners_alone(plex: DemoServer) -> None:
    names = await ask(
        plex, lambda server: [(account.id, account.name) for account in server.systemAccounts()]
    )
    assert names[:2] == [(0, ""), (1, "Ann")]
    for forbidden in ("sessions", "systemAccounts"):
        with pytest.raises(BadRequest, match="403"):
            await ask(plex, lambda server, name=forbidden: getattr(server, name)(), "Ben")


async def test_plexapi_can_end_a_session(plex: DemoServer) -> None:
    await plex.engine.play("Ben", plex.library.movies[0])
    await ask(plex, lambda server: server.sessions()[0].stop("enough"))
    assert plex.engine.listed() == []


async def test_a_revoked_token_is_refused_until_it_is_granted_again(plex: DemoServer) -> None:
    plex.people.revoke("Ben")
    with pytest.raises(Unauthorized):
        await ask(plex, lambda server: server, "Ben")
    plex.people.grant("Ben")
    await ask(plex, lambda server: server, "Ben")


async def test_without_a_token_only_the_identity_is_told(plex: DemoServer) -> None:
    def statuses() -> list[int]:
        paths = ("/identity", "/", "/library/sections", "/nonsense")
        return [requests.get(plex.url + path, timeout=5).status_code for path in paths]

    assert await asyncio.to_thread(statuses) == [200, 401, 401, 401]


class Redirected(requests.Session):
    """Sends what is meant for plex.tv to the simulated server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.base = url

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **more: Any) -> requests.Response:
        return super().request(method, str(url).replace("https://plex.tv", self.base), *args, **more)


async def test_the_owner_learns_everybodys_token_from_the_account(plex: DemoServer) -> None:
    def what() -> dict[str, str]:
        with Redirected(plex.url) as session:
            account = MyPlexAccount(token=plex.token, session=session)
            return {user.title: user.get_token(plex.machine_identifier) for user in account.users()}

    expected = {person.title: person.token for person in plex.people if not person.is_owner}
    assert await asyncio.to_thread(what) == expected
