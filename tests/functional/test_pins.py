"""Pins on a whole daemon: real files, real rows, the simulated Plex."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from daemon.demo.files import write
from daemon.demo.generate import Shape, generate
from daemon.demo.library import Library
from daemon.errors import PlexError, PlexUnavailable, TargetNotFound, UnmappedPath
from daemon.model import DemandKind, TaskKind
from daemon.state import pins
from tests.support.daemon import House, at_home
from tests.support.pins import FAULTS, pinning, refresh, source_of, wishes
from tests.support.plex import small_library

PINNED = DemandKind.PINNED
LEAVE = {"min_stay": "0", "after_watched": "0", "after_stopped": "0"}


async def pinned(house: House) -> set[str]:
    return set(await wishes(house.app.core.store, PINNED))


def leaves(library: Library, key: str) -> set[str]:
    return {node.key for node in library.leaves(key)}


async def test_a_pinned_movie_comes_onto_the_cache_at_once(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        ids, note = await pinning(house).pin(movie)

        assert note == ""
        assert [task.id for task in await house.tasks() if task.kind is TaskKind.CACHE_IN] == ids
        assert len(ids) == 1
        await house.until(lambda: house.is_cached(movie))
        await house.quiet()
        (row,) = await pinning(house).pins()
        assert (row["rating_key"], row["type"], row["title"]) == (movie, "movie", library[movie].title)
        assert (row["files"], row["size"], row["cached_files"]) == (1, library[movie].parts[0].size, 1)
        assert house.damaged() == []


async def test_a_pinned_show_means_all_its_episodes_and_specials(tmp_path: Path) -> None:
    library = generate(Shape(movies=1, shows=1, seasons=2, episodes=4, specials=2))
    show = library.shows[0]
    special = library.seasons(show)[0]
    assert special.index == 0
    async with at_home(tmp_path, library) as house:
        ids, _ = await pinning(house).pin(show)

        assert await pinned(house) == leaves(library, show)
        assert leaves(library, special.key) <= await pinned(house)
        files = {part.file for key in leaves(library, show) for part in library[key].parts if part.exists}
        assert len(ids) == len(files)  # of which one holds two episodes
        await house.quiet()
        assert house.is_cached(*leaves(library, show))


async def test_a_pinned_season_means_its_own_episodes(tmp_path: Path) -> None:
    library = small_library()
    season = library.seasons(library.shows[0])[1]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(season.key)

        assert await pinned(house) == set(season.children)
        (row,) = await pinning(house).pins()
        assert (row["type"], row["title"], row["files"]) == ("season", "Show 1 - Season 2", 4)
        assert await refresh(house) == ()
        assert await pinned(house) == set(season.children)


@pytest.mark.parametrize("level", ["show", "season"])
async def test_a_new_episode_of_what_is_pinned_follows(tmp_path: Path, level: str) -> None:
    library = small_library()
    show = library.shows[0]
    season = library.seasons(show)[1]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(show if level == "show" else season.key)
        await house.quiet()
        folder = library[season.children[0]].parts[0].file.rpartition("/")[0]
        node = await house.plex.librarian.add_episode(season.key, 5, "New", (f"{folder}/new.mkv", 30_000))
        await asyncio.to_thread(write, library, tmp_path / "array")

        await refresh(house)
        await house.until(lambda: house.is_cached(node.key))
        await house.quiet()
        assert node.key in await pinned(house)


@pytest.mark.parametrize("form", ["array", "cache", "plex", "url", "known"])
async def test_a_target_is_a_path_on_any_tier_or_a_url(tmp_path: Path, form: str) -> None:
    library = small_library()
    episode = library.episodes(library.shows[1])[2]
    async with at_home(tmp_path, library) as house:
        if form == "known":
            await house.plex.engine.play("Ann", episode)
            await house.until(lambda: house.is_cached(episode))
        target = {
            "array": str(house.array(episode)[0]),
            "known": str(house.array(episode)[0]),
            "cache": str(house.cache(episode)[0]),
            "plex": library[episode].parts[0].file,
            "url": f"https://app.plex.tv/desktop/#!/server/x/details?key=%2Flibrary%2Fmetadata%2F{episode}",
        }[form]
        before = len(house.plex.requests)
        await pinning(house).pin(target)

        assert await pinned(house) == {episode}
        (row,) = await pinning(house).pins()
        assert row["title"] == "Show 2 - S01E03 - Episode 3"
        sections = [one for one in list(house.plex.requests)[before:] if one.path.startswith("/library/sections/")]
        assert bool(sections) == (form in {"array", "cache", "plex"})  # what is in the rows needs no search
        await pinning(house).unpin(target)
        assert await pinned(house) == set()


async def test_to_pin_twice_changes_nothing(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library, transfer={"rate_limit": "20KB"}) as house:
        pinner = pinning(house)
        first = await pinner.pin(library.shows[0])
        rows, demands = await pinner.pins(), await wishes(house.app.core.store, PINNED)

        assert await pinner.pin(library.shows[0]) == first
        assert [row["since"] for row in await pinner.pins()] == [row["since"] for row in rows]
        assert await wishes(house.app.core.store, PINNED) == demands


async def test_pins_outlive_a_refresh_with_their_time(tmp_path: Path) -> None:
    library = small_library()
    show = library.shows[0]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(show)
        before = await wishes(house.app.core.store, PINNED)

        assert await refresh(house) == ()
        assert await wishes(house.app.core.store, PINNED) == before
        assert {one.show for one in before.values()} == {show}
        assert {one.position for one in before.values()} == {0}


async def test_what_is_unpinned_leaves_by_the_rules_for_all(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library, retention=LEAVE) as house:
        pinner = pinning(house)
        await pinner.pin(movie)
        await house.quiet()

        ids, note = await pinner.unpin(movie)
        assert note == ""
        assert len(ids) == 1
        await house.until(lambda: not house.is_cached(movie))
        await house.quiet()
        assert await pinner.pins() == []
        assert house.damaged() == []


async def test_what_is_unpinned_stays_for_min_stay(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(movie)
        await house.quiet()

        assert await pinning(house).unpin(movie) == ([], "")
        assert await pinned(house) == set()
        assert house.is_cached(movie)


async def test_an_unpinned_season_stays_pinned_with_its_show(tmp_path: Path) -> None:
    library = small_library()
    show = library.shows[0]
    first, second = library.seasons(show)
    async with at_home(tmp_path, library) as house:
        pinner = pinning(house)
        for key in (show, first.key, second.children[0]):
            await pinner.pin(key)

        await pinner.unpin(first.key)
        assert await pinned(house) == leaves(library, show)
        await pinner.pin(first.key)
        await pinner.unpin(show)
        assert await pinned(house) == {*first.children, second.children[0]}
        await pinner.unpin(first.key)
        assert await pinned(house) == {second.children[0]}


async def test_to_unpin_what_only_its_show_pins_says_so(tmp_path: Path) -> None:
    library = small_library()
    show = library.shows[0]
    episode = library.episodes(show)[0]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(show)

        said = (f"{episode} is not pinned itself, but by Show 1 (unpin {show})",)
        assert (await pinning(house).unpin(episode))[1:] == said
        assert await pinned(house) == leaves(library, show)
        assert await pinning(house).unpin(library.movies[0]) == ([], f"{library.movies[0]} is not pinned")


async def test_to_unpin_needs_no_plex(tmp_path: Path) -> None:
    library = small_library()
    first, second = library.seasons(library.shows[0])
    async with at_home(tmp_path, library) as house:
        for key in (first.key, second.key):
            await pinning(house).pin(key)
        house.plex.faults.http(reset=True)

        await pinning(house).unpin(first.key)
        assert await pinned(house) == set(second.children)


async def test_what_plex_does_not_know_any_more_stays_pinned_and_is_named(tmp_path: Path) -> None:
    library = small_library()
    movie, other = library.movies[:2]
    async with at_home(tmp_path, library) as house:
        for key in (movie, other):
            await pinning(house).pin(key)
        node = library[movie]
        library.remove(movie)

        why = "Plex has it no longer, and nothing else with its guid"
        assert await refresh(house) == (f"{node.title} (movie {movie}): {why}",)
        assert await pinned(house) == {other}
        assert {row["rating_key"] for row in await pinning(house).pins()} == {movie, other}
        library.add(node)
        assert await refresh(house) == ()
        assert await pinned(house) == {movie, other}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_failed_read_changes_no_pin(tmp_path: Path, name: str) -> None:
    library = small_library()
    async with at_home(tmp_path, library) as house:
        for key in (library.movies[0], library.shows[0]):
            await pinning(house).pin(key)
        before = await wishes(house.app.core.store, PINNED)
        house.plex.faults.http("allLeaves", **FAULTS[name])

        with pytest.raises(PlexError):
            await refresh(house)
        assert await wishes(house.app.core.store, PINNED) == before


async def test_a_server_that_knows_nothing_at_all_is_not_believed(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(library.movies[0])
        house.plex.faults.http("/library/metadata/", status=404)
        house.plex.faults.http("/library/sections", body=b'<MediaContainer size="0"/>', content_type="text/xml")

        with pytest.raises(PlexUnavailable, match="no libraries"):
            await refresh(house)
        assert await pinned(house) == {library.movies[0]}


async def test_what_was_read_while_somebody_pinned_is_out_of_date(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library) as house:
        core = house.app.core
        source = source_of(house)
        await source.fetch()
        assert await core.store.run(source.is_current)
        await pinning(house).pin(library.movies[0])
        assert not await core.store.run(source.is_current)
        await source.fetch()
        assert await core.store.run(source.is_current)


@pytest.mark.parametrize("space", [{"limit": "20KB"}, {"quota": "20KB"}, {"min_free": "100%"}], ids=str)
async def test_pins_that_the_limits_never_allow_are_kept_and_said(tmp_path: Path, space: dict[str, str]) -> None:
    library = small_library(sizes=(30_000, 30_000))
    async with at_home(tmp_path, library, space=space) as house:
        ids, note = await pinning(house).pin(library.movies[0])

        assert ids == []
        assert note.startswith("all pins together are 30.0 kB, and the limits of")
        assert note.endswith("1 of 1 files stay on the array for now: no room")
        assert await pinned(house) == {library.movies[0]}


@pytest.mark.parametrize("target", ["99999", "relative/path.mkv", "no such thing", "/data/Movies/none.mkv"])
async def test_what_names_nothing_is_refused(tmp_path: Path, target: str) -> None:
    async with at_home(tmp_path, small_library()) as house:
        with pytest.raises(TargetNotFound):
            await pinning(house).pin(target)
        assert await house.app.core.store.run(pins.all_pins) == []


async def test_what_no_mapping_covers_is_refused(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library) as house:
        with pytest.raises(UnmappedPath):
            await pinning(house).pin("/somewhere/else.mkv")
        key = library.movies[0]
        library.set_versions(key, (library.new_version(("/elsewhere/film.mkv", 5)),), at=1)
        with pytest.raises(UnmappedPath):
            await pinning(house).pin(key)
        assert await house.app.core.store.run(pins.all_pins) == []


async def test_a_show_without_episodes_can_be_pinned_in_advance(tmp_path: Path) -> None:
    library = small_library()
    season = library.seasons(library.shows[0])[1]
    season.children.clear()
    async with at_home(tmp_path, library) as house:
        ids, note = await pinning(house).pin(season.key)

        assert (ids, note) == ([], "Plex lists no file of Season 2 yet; what comes will be cached")
        assert len(await pinning(house).pins()) == 1


async def test_of_several_pins_of_an_episode_the_oldest_counts(tmp_path: Path) -> None:
    library = small_library()
    show = library.shows[0]
    async with at_home(tmp_path, library) as house:
        for key in (show, library.seasons(show)[0].key):
            await pinning(house).pin(key)
        first, second = (row["since"] for row in await pinning(house).pins())
        assert first < second

        await refresh(house)
        assert len({one.since for one in (await wishes(house.app.core.store, PINNED)).values()}) == 1
