from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.faults import truncated
from daemon.demo.generate import Shape, generate
from daemon.demo.media import Kind, Node
from daemon.demo.render import external_ids
from daemon.demo.server import DemoServer
from daemon.errors import PlexError, PlexUnavailable
from daemon.model import ItemType
from daemon.sources.index import LibraryIndex
from daemon.state import library as rows
from tests.support.bad_input import named
from tests.support.people import NOW
from tests.support.plex import small_library
from tests.support.watchlists import Lists, lists


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Lists]:
    async with lists(tmp_path) as made:
        await made.index.ensure()
        made.plex.requests.clear()
        yield made


def guid(home: Lists, key: str) -> str:
    return home.plex.library[key].guid


async def known(home: Lists) -> dict[str, str]:
    """Return all that is indexed: rating key and section."""
    return dict(await home.store.run(lambda c: c.execute("SELECT rating_key, section FROM library").fetchall()))


def sections_read(home: Lists) -> list[str]:
    """Return the sections of which any list was read since then."""
    found = [re.search(r"/sections/(\d+)/all", one.path) for one in home.plex.requests]
    return sorted({one[1] for one in found if one})


async def again(home: Lists) -> list[str]:
    """Let time pass and look again; return which sections were read for that."""
    home.later()
    home.plex.requests.clear()
    await home.index.ensure()
    return sections_read(home)


async def test_movies_and_shows_are_known_by_each_of_their_ids(home: Lists) -> None:
    for key in (*home.movies, *home.plex.library.shows):
        node = home.plex.library[key]
        kind = ItemType(str(node.kind))
        assert await home.index.find([node.guid]) == [(key, kind)]
        for name in external_ids(node):
            assert (key, kind) in await home.index.find([name], kind)
    assert set(await known(home)) == {*home.movies, *home.plex.library.shows}


async def test_an_id_of_one_kind_is_asked_for_by_kind(home: Lists) -> None:
    name = external_ids(home.plex.library[home.show])[1]
    assert await home.index.find([name], ItemType.MOVIE) == []
    assert await home.index.find([name], ItemType.SHOW) == [(home.show, ItemType.SHOW)]


async def test_nothing_is_found_by_nothing_or_by_a_title(home: Lists) -> None:
    title = home.plex.library[home.movies[0]].title
    for asked in ([], [""], [title], ["local://1"], ["plex://movie/000000000000000000000000"]):
        assert await home.index.find(asked) == []


async def test_ids_of_old_agents_are_understood(home: Lists) -> None:
    home.plex.library[home.movies[0]].guid = "com.plexapp.agents.imdb://tt0133093?lang=en&x=0000abcd"
    home.plex.library[home.show].guid = "com.plexapp.agents.thetvdb://81189?lang=en&x=0000abce"
    for key in (home.movies[0], home.show):
        await home.plex.librarian.refresh(key)
    await again(home)
    assert await home.index.find(["imdb://tt0133093"]) == [(home.movies[0], ItemType.MOVIE)]
    assert await home.index.find(["tvdb://81189"]) == [(home.show, ItemType.SHOW)]


async def test_it_is_built_once_and_outlives_a_restart(home: Lists) -> None:
    assert await again(home) == []
    assert [one.path for one in home.plex.requests] == ["/library/sections"]
    fresh = LibraryIndex(home.library, home.store, home.clock)
    home.plex.requests.clear()
    await fresh.ensure()
    assert sections_read(home) == []
    assert await fresh.find([guid(home, home.movies[0])]) == [(home.movies[0], ItemType.MOVIE)]


async def test_within_a_minute_plex_is_not_even_asked(home: Lists) -> None:
    await home.index.ensure()
    assert list(home.plex.requests) == []
    home.library.libraries = ("Movies",)
    await home.index.ensure()
    assert set((await known(home)).values()) == {"1"}


async def test_a_scan_that_changes_nothing_reads_nothing(home: Lists) -> None:
    await home.plex.librarian.scan("1")
    assert await again(home) == []


async def test_only_the_section_that_changed_is_read_and_of_that_only_what_is_new(home: Lists) -> None:
    node = await home.plex.librarian.add_movie("Fresh", ("/data/Movies/Fresh/Fresh.mkv", 5))
    assert await again(home) == ["1"]
    assert len(home.plex.requests) == 2
    assert "sort=updatedAt" in home.plex.requests[-1].query
    assert await home.index.find([node.guid]) == [(node.key, ItemType.MOVIE)]
    assert await again(home) == []


async def test_what_was_deleted_unnoticed_goes_at_the_next_look(home: Lists) -> None:
    gone = home.movies[1]
    name = guid(home, gone)
    await home.plex.librarian.delete(gone)
    assert await again(home) == ["1"]
    assert await home.index.find([name]) == []
    assert await again(home) == []


async def test_what_was_replaced_unnoticed_is_replaced_at_the_next_look(home: Lists) -> None:
    gone = home.movies[1]
    await home.plex.librarian.delete(gone)
    node = await home.plex.librarian.add_movie("Fresh", ("/data/Movies/Fresh/Fresh.mkv", 5))
    await again(home)
    assert set(await known(home)) == {*home.plex.library.movies, *home.plex.library.shows}
    assert node.key in await known(home)
    assert gone not in await known(home)


async def test_what_is_matched_anew_has_its_new_ids_alone(home: Lists) -> None:
    key = home.movies[0]
    old = [guid(home, key), *external_ids(home.plex.library[key])]
    home.plex.library[key].guid = "plex://movie/0123456789abcdef01234567"
    await home.plex.librarian.refresh(key)
    await again(home)
    assert await home.index.find(old) == []
    assert await home.index.find(["plex://movie/0123456789abcdef01234567"]) == [(key, ItemType.MOVIE)]


async def test_events_keep_it_current_without_a_look(home: Lists) -> None:
    node = await home.plex.librarian.add_movie("Fresh", ("/data/Movies/Fresh/Fresh.mkv", 5))
    await home.index.note_changed(node.key)
    assert await home.index.find([node.guid]) == [(node.key, ItemType.MOVIE)]
    gone = home.movies[1]
    name = guid(home, gone)
    await home.plex.librarian.delete(gone)
    await home.index.note_deleted(gone)
    assert await home.index.find([name]) == []
    assert sections_read(home) == []
    # Only to see that this accounts for all that has changed.
    await again(home)
    assert sum("/all" in one.path for one in home.plex.requests) == 1


async def test_an_event_about_what_is_gone_forgets_it(home: Lists) -> None:
    gone = home.movies[1]
    await home.plex.librarian.delete(gone)
    await home.index.note_changed(gone)
    assert gone not in await known(home)


async def test_an_event_about_an_episode_brings_its_show_if_that_is_new(home: Lists) -> None:
    await home.store.run(lambda c: rows.drop(c, [home.show]))
    await home.index.note_changed(home.episodes[0])
    assert home.show in await known(home)
    home.plex.requests.clear()
    await home.index.note_changed(home.episodes[1])
    assert len(home.plex.requests) == 1
    assert not {*home.episodes} & {*(await known(home))}


async def test_an_event_about_what_does_not_count_brings_nothing(home: Lists) -> None:
    home.library.libraries = ("TV Shows",)
    await home.index.note_changed(home.movies[0])
    assert home.movies[0] not in await known(home)
    transient = home.plex.library.add(Node("", Kind.MOVIE, "Pre-roll", "plex://movie/0000000a", "-2"))
    home.library.libraries = ()
    await home.index.note_changed(transient.key)
    assert transient.key not in await known(home)


async def test_a_section_that_is_gone_or_not_selected_any_more_is_forgotten_and_comes_back(home: Lists) -> None:
    section = home.plex.library.sections.pop("2")
    await again(home)
    assert set((await known(home)).values()) == {"1"}
    home.plex.library.sections["2"] = section
    assert await again(home) == ["2"]
    assert home.show in await known(home)


async def test_an_item_that_moved_to_another_section_is_known_there(home: Lists) -> None:
    library = home.plex.library
    other = library.sections["1"].__class__("3", Kind.MOVIE, "More", "/data/More")
    library.sections["3"] = other
    key = home.movies[0]
    library.sections["1"].keys.remove(key)
    library[key].section = "3"
    other.keys.append(key)
    library.sections["1"].changes += 1
    library.revision += 1
    await again(home)
    assert (await known(home))[key] == "3"
    assert await home.index.find([guid(home, key)]) == [(key, ItemType.MOVIE)]


async def test_a_server_that_lists_no_libraries_for_a_moment_takes_nothing_away(home: Lists) -> None:
    before = await known(home)
    home.later()
    home.plex.faults.http("/library/sections$", body='<MediaContainer size="0"/>', content_type="text/xml")
    with pytest.raises(PlexUnavailable, match="no libraries"):
        await home.index.ensure()
    assert await known(home) == before


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 401},
        {"mangle": truncated},
        {"body": ""},
        {"body": '<MediaContainer size="0" totalSize="900"/>', "content_type": "text/xml"},
    ],
    ids=named,
)
async def test_a_reading_that_breaks_off_takes_nothing_away_and_is_done_again(
    tmp_path: Path, fault: dict[str, Any]
) -> None:
    async with lists(tmp_path, DemoServer(small_library(movies=1200))) as home:
        await home.index.ensure()
        before = await known(home)
        for key in home.movies[:600]:
            home.plex.library.remove(key)
        home.later()
        home.plex.faults.http("/sections/1/all.*", times=2)  # what is new, and the first part, are answered
        home.plex.faults.http("/sections/1/all.*", **fault)
        with pytest.raises(PlexError):
            await home.index.ensure()
        assert await known(home) == before
        home.plex.faults.clear()
        await home.index.ensure()
        assert set(await known(home)) == {*home.movies, *home.plex.library.shows}


async def test_who_waits_for_a_reading_shares_how_it_ends(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        await home.library.connect()
        home.plex.requests.clear()
        home.plex.faults.http("/sections/1/all", status=503)
        ends = await asyncio.gather(*(home.index.ensure() for _ in range(4)), return_exceptions=True)
        assert [type(end) for end in ends] == [PlexUnavailable] * 4
        assert home.asked("/sections/1/all") == 3  # one reading, tried three times
        home.plex.faults.clear()
        home.plex.requests.clear()
        await asyncio.gather(*(home.index.ensure() for _ in range(4)))
        assert home.asked("/all") == 2


async def test_a_library_that_changes_while_it_is_read_loses_nothing(tmp_path: Path) -> None:
    """What slips from one part into the one before is listed nowhere, yet there."""
    async with lists(tmp_path, DemoServer(small_library(movies=1200))) as home:
        await home.index.ensure()
        first = home.movies[0]
        await home.store.run(lambda c: c.execute("DELETE FROM meta"))
        home.later()
        seen: list[str] = []

        def shift(body: bytes) -> bytes:
            seen.append("page")
            if len(seen) == 1:
                home.plex.library.remove(first)
            return body

        home.plex.faults.http("/sections/1/all", mangle=shift)
        await home.index.ensure()
        assert set(await known(home)) == {first, *home.movies, *home.plex.library.shows}
        await again(home)  # what was listed, and deleted after that
        assert set(await known(home)) == {*home.movies, *home.plex.library.shows}


async def test_what_changed_while_the_library_was_read_is_looked_at_again(home: Lists) -> None:
    """The reading had passed it already, and something later was read after that."""
    key, last = home.movies[0], home.movies[-1]
    home.plex.library[last].updated_at = int(NOW) + 9
    home.plex.library[key].guid = "plex://movie/0123456789abcdef01234567"
    home.plex.library.set_versions(key, home.plex.library[key].versions, at=int(NOW) + 1)
    await home.store.run(lambda c: rows.put_reading(c, "1", rows.Reading("old", 0)))
    home.plex.faults.http("/sections/1/all", times=1, mangle=lambda body: body.replace(b"0123456789abcdef", b"0" * 16))
    await again(home)
    home.plex.library.sections["1"].changes += 1
    await again(home)
    assert await home.index.find(["plex://movie/0123456789abcdef01234567"]) == [(key, ItemType.MOVIE)]


@pytest.mark.long
async def test_a_library_of_100_000_items_costs_a_few_hundred_requests_once(tmp_path: Path) -> None:
    shape = Shape(movies=60_000, shows=10_000, seasons=1, episodes=3, specials=0, awkward=False)
    async with lists(tmp_path, DemoServer(generate(shape))) as home:
        await home.index.ensure()
        assert len(home.plex.requests) <= 150
        assert len(await known(home)) == 70_000
        for number, one in enumerate(home.plex.library.items.values()):
            one.updated_at = int(NOW) - 1_000_000 + number  # not in the future
        await home.store.run(lambda c: rows.put_reading(c, "1", rows.Reading("old", int(NOW) - 10_000)))
        node = await home.plex.librarian.add_movie("Fresh", ("/data/Movies/Fresh/Fresh.mkv", 5))
        assert await again(home) == ["1"]
        assert len(home.plex.requests) == 2
        assert await home.index.find([node.guid]) == [(node.key, ItemType.MOVIE)]
