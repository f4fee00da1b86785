"""plexapi, unpatched, against the simulated server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from plexapi.exceptions import NotFound

from daemon.demo.generate import Shape, generate
from daemon.demo.server import DemoServer
from tests.support.plexapi_calls import ask


@pytest.fixture
async def plex() -> AsyncIterator[DemoServer]:
    async with DemoServer(generate(Shape(movies=12, shows=3, seasons=2, episodes=5))) as server:
        yield server


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

    parts = len(plex.library[plex.library.movies[0]].parts)
    assert await ask(plex, what) == (["intro", "credits"], parts, 3)
