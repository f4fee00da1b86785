"""Pins of what Plex has under another rating key by now: found by guid, and never by title."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.demo.library import Library, make_guid
from daemon.demo.media import Kind
from daemon.model import DemandKind, TaskKind
from daemon.sources.index import LibraryIndex
from daemon.sources.pins import Pins
from daemon.state import pins
from tests.support.daemon import House, at_home
from tests.support.pins import brought_back, pinning, refresh, source_of, wishes
from tests.support.plex import small_library

PINNED = DemandKind.PINNED


async def pinned(house: House) -> set[str]:
    return set(await wishes(house.app.core.store, PINNED))


async def keys(house: House) -> list[str]:
    return [row["rating_key"] for row in await pinning(house).pins()]


def target_of(library: Library, kind: str) -> str:
    season = library.seasons(library.shows[0])[1]
    return {
        "movie": library.movies[0],
        "show": library.shows[0],
        "season": season.key,
        "episode": season.children[1],
    }[kind]


def leaves(library: Library, key: str) -> set[str]:
    return {node.key for node in library.leaves(key)}


@pytest.mark.parametrize("kind", ["movie", "show", "season", "episode"])
async def test_what_comes_back_under_another_key_stays_pinned(tmp_path: Path, kind: str) -> None:
    library = small_library()
    old = target_of(library, kind)
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(old)
        await house.quiet()
        (before,) = await pinning(house).pins()
        new = brought_back(library, old)[old]
        assert new != old

        assert await refresh(house) == ()
        assert await pinned(house) == leaves(library, new)
        assert await pinning(house).pins() == [before | {"rating_key": new}]
        await house.quiet()
        assert house.is_cached(*leaves(library, new))
        assert await refresh(house) == ()
        await pinning(house).unpin(new)
        assert await pinned(house) == set()


@pytest.mark.parametrize("kind", ["season", "episode"])
async def test_a_part_of_a_show_that_came_back_whole_is_found_by_its_number(tmp_path: Path, kind: str) -> None:
    library = small_library()
    old = target_of(library, kind)
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(old)
        new = brought_back(library, library.shows[0])[old]

        assert await refresh(house) == ()
        assert await keys(house) == [new]
        assert await pinned(house) == leaves(library, new)


async def test_it_is_followed_by_an_ordinary_refresh_and_its_file_stays(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(movie)
        await house.quiet()
        new = brought_back(library, movie)[movie]
        since = {entry.cached_at for entry in await house.entries()}

        house.app.core.sourcing.refresher.everything_soon()

        async def followed() -> bool:
            return await pinned(house) == {new}

        await house.until(followed)
        assert await keys(house) == [new]
        assert house.is_cached(new)
        assert {entry.cached_at for entry in await house.entries()} == since


async def test_what_was_followed_stays_though_something_else_is_unpinned_before_that_is_recorded(
    tmp_path: Path,
) -> None:
    library = small_library()
    movie, other = library.movies[:2]
    async with at_home(tmp_path, library, retention={"min_stay": "0"}) as house:
        for key in (movie, other):
            await pinning(house).pin(key)
        await house.quiet()
        new = brought_back(library, movie)[movie]

        await source_of(house).fetch()
        await pinning(house).unpin(other)
        await house.quiet()
        assert await pinned(house) == {new}
        left = {task.file.plex_path for task in await house.tasks() if task.kind is TaskKind.EVICT}
        assert left == {part.file for part in library[other].parts}


async def test_a_pin_from_before_learns_its_guids_at_the_next_refresh(tmp_path: Path) -> None:
    library = small_library()
    movie, show = library.movies[0], library.shows[0]
    async with at_home(tmp_path, library) as house:
        store = house.app.core.store
        for key in (movie, show):
            await pinning(house).pin(key)
        known = await store.run(pins.all_pins)
        assert [library[key].guid in pin.guids for key, pin in zip((movie, show), known, strict=True)] == [True, True]
        await store.run(lambda connection: connection.execute("UPDATE pins SET guids = '[]'"))

        assert await refresh(house) == ()
        assert [bool(pin.guids) for pin in await store.run(pins.all_pins)] == [True, True]
        new = [brought_back(library, key)[key] for key in (movie, show)]
        assert await refresh(house) == ()
        assert await keys(house) == new


async def test_what_has_no_guid_that_is_known_stays_as_it_is(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(movie)
        node = library[movie]
        await house.app.core.store.run(lambda connection: connection.execute("UPDATE pins SET guids = '[]'"))
        brought_back(library, movie)

        why = "Plex has it no longer, and its guid is not known"
        assert await refresh(house) == (f"{node.title} (movie {movie}): {why}",)
        assert await keys(house) == [movie]


async def test_what_has_only_the_same_title_and_file_is_not_followed(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(movie)
        node = library[movie]
        node.guid = make_guid(Kind.MOVIE, "another one of the same name")
        brought_back(library, movie)

        why = "Plex has it no longer, and nothing else with its guid"
        assert await refresh(house) == (f"{node.title} (movie {movie}): {why}",)
        assert await keys(house) == [movie]
        assert await pinned(house) == set()


async def test_of_several_with_its_guid_none_is_guessed(tmp_path: Path) -> None:
    library = small_library()
    movie, other, third = library.movies[:3]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(movie)
        title = library[movie].title
        library[other].guid = library[third].guid = library[movie].guid
        library.remove(movie)

        why = f"Plex has it no longer, and several with its guid: {other}, {third}"
        assert await refresh(house) == (f"{title} (movie {movie}): {why}",)
        assert await keys(house) == [movie]


@pytest.mark.parametrize("kind", ["movie", "show"])
async def test_a_key_that_is_something_elses_by_now_pins_nothing_of_that(tmp_path: Path, kind: str) -> None:
    library = small_library()
    old, other = (library.movies if kind == "movie" else library.shows)[:2]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(old)
        await refresh(house)
        new = brought_back(library, old)[old]
        title = library[new].title
        gone = library.remove(new)
        for node in reversed(library.remove(other)):
            node.children = []
            if node.key == other:
                node.key = old
            elif node.parent == other:
                node.parent = old
            library.add(node)

        why = "Plex has something else under its key, and nothing else with its guid"
        assert await refresh(house) == (f"{title} ({kind} {old}): {why}",)
        assert await pinned(house) == set()
        for node in reversed(gone):
            node.children = []
            library.add(node)
        assert await refresh(house) == ()
        assert await keys(house) == [new]
        assert await pinned(house) == leaves(library, new)


async def test_what_is_matched_anew_under_its_key_stays_and_is_found_by_its_new_guid(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(movie)
        library[movie].guid = make_guid(Kind.MOVIE, "what it really is")
        library.set_versions(movie, library[movie].versions, at=int(house.clock.now()))

        assert await refresh(house) == ()
        assert (await keys(house), await pinned(house)) == ([movie], {movie})
        new = brought_back(library, movie)[movie]
        assert await refresh(house) == ()
        assert await keys(house) == [new]


async def test_two_pins_that_are_one_film_become_one(tmp_path: Path) -> None:
    library = small_library()
    movie, copy = library.movies[:2]
    library[copy].guid = library[movie].guid
    async with at_home(tmp_path, library) as house:
        for key in (movie, copy):
            await pinning(house).pin(key)
        first, _ = await pinning(house).pins()
        library.remove(movie)

        assert await refresh(house) == ()
        (row,) = await pinning(house).pins()
        assert (row["rating_key"], row["since"]) == (copy, first["since"])
        assert await pinned(house) == {copy}


async def test_what_is_unpinned_meanwhile_does_not_come_back_under_its_new_key(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    async with at_home(tmp_path, library) as house:
        await pinning(house).pin(movie)
        brought_back(library, movie)
        core = house.app.core

        class SomebodyIsFaster(LibraryIndex):
            async def ensure(self) -> None:
                await super().ensure()
                await pinning(house).unpin(movie)

        store, source = (
            core.store,
            Pins(core.library, core.store, SomebodyIsFaster(core.library, core.store, house.clock)),
        )
        await source.fetch()
        assert await store.run(pins.all_pins) == []
        assert not await store.run(source.is_current)
