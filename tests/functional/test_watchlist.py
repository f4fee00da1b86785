from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from daemon.demo.discover import Wish
from daemon.demo.media import Kind
from daemon.demo.server import DemoServer
from daemon.errors import RemoteUnavailable
from daemon.model import DemandKind
from tests.support.people import NOW
from tests.support.plex import small_library
from tests.support.watchlists import LISTED, files, lists, wanted


async def test_a_list_demands_its_movies_and_the_first_episodes_of_its_shows(tmp_path: Path) -> None:
    async with lists(tmp_path, watchlist={"episodes": 2}) as home:
        home.plex.watchlists.add("Ann", home.movies[1], LISTED + 5)
        home.plex.watchlists.add("Ann", home.show, LISTED)
        fetched = await home.read()
        assert wanted(fetched) == {home.movies[1]: [home.movies[1]], home.show: home.episodes[:2]}
        assert {(one.kind, one.user, one.until, one.play) for one in fetched.demands} == {
            (DemandKind.WATCHLIST, "1", None, "")
        }
        assert [one.position for one in fetched.demands] == [0, 0, 1]
        assert [one.show for one in fetched.demands] == ["", home.show, home.show]
        assert files(fetched.items) == dict.fromkeys([home.movies[1], *home.episodes[:2]], 1)
        assert fetched.unmatched == ()


async def test_everybody_has_a_list_of_their_own(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ann", home.movies[0])
        home.plex.watchlists.add("Ben", home.movies[1])
        assert wanted(await home.read("Ann")) == {home.movies[0]: [home.movies[0]]}
        assert wanted(await home.read("Ben")) == {home.movies[1]: [home.movies[1]]}
        assert wanted(await home.read("Cleo")) == {}
        assert {one.user for one in (await home.read("Ben")).demands} == {home.plex.people["Ben"].id}


async def test_specials_are_no_beginning(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        season = home.plex.library.seasons(home.show)[0]
        season.index = 0
        home.plex.library.revision += 1
        home.plex.watchlists.add("Ann", home.show)
        assert wanted(await home.read())[home.show] == home.plex.library.seasons(home.show)[1].children[:3]


async def test_the_first_unseen_episodes_are_those_that_this_user_has_not_seen(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        for one in ("Ann", "Ben", "Cleo"):
            home.plex.watchlists.add(one, home.show)
        await home.plex.engine.mark("Ben", home.episodes[0])
        await home.plex.engine.mark("Ben", home.episodes[2])
        assert wanted(await home.read("Ann"))[home.show] == home.episodes[:3]
        assert wanted(await home.read("Ben"))[home.show] == [home.episodes[1], home.episodes[3], home.episodes[4]]
        for key in home.episodes:
            await home.plex.engine.mark("Cleo", key)
        assert wanted(await home.read("Cleo")) == {}


async def test_a_movie_is_wanted_until_this_user_has_seen_it(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        for one in ("Ann", "Ben"):
            home.plex.watchlists.add(one, home.movies[0])
        await home.plex.engine.mark("Ben", home.movies[0])
        assert wanted(await home.read("Ann")) != {}
        fetched = await home.read("Ben")
        assert (wanted(fetched), fetched.unmatched) == ({}, ())


async def test_without_a_token_of_this_server_the_history_says_what_was_seen(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.movies[0])
        home.plex.watchlists.add("Ben", home.movies[1])
        home.plex.watchlists.add("Ben", home.show)
        await home.plex.engine.mark("Ben", home.movies[0])
        await home.plex.engine.mark("Ben", home.episodes[0])
        await home.plex.engine.mark("Ann", home.movies[1])
        fetched = await home.watchlist.fetch(home.person("Ben", server_token=""))
        assert wanted(fetched) == {home.movies[1]: [home.movies[1]], home.show: home.episodes[1:4]}


async def test_what_he_watches_moves_the_demands_on_though_the_list_is_the_same(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ben", home.show)
        assert wanted(await home.read("Ben"))[home.show] == home.episodes[:3]
        await home.plex.engine.mark("Ben", home.episodes[0])
        assert wanted(await home.read("Ben"))[home.show] == home.episodes[1:4]


async def test_a_show_that_nobody_has_begun_is_read_once_for_all(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        for one in ("Ann", "Ben", "Cleo"):
            home.plex.watchlists.add(one, home.show)
            await home.read(one)
        assert home.asked("allLeaves") == 1
        home.later()
        async with asyncio.TaskGroup() as group:
            for one in ("Ann", "Ben", "Cleo"):
                group.create_task(home.read(one))
        assert home.asked("allLeaves") == 2


async def test_how_many_episodes_is_a_setting_and_none_leaves_the_movies(tmp_path: Path) -> None:
    async with lists(tmp_path, watchlist={"episodes": 0}) as home:
        home.plex.watchlists.add("Ann", home.movies[0])
        home.plex.watchlists.add("Ann", home.show)
        assert list(wanted(await home.read())) == [home.movies[0]]
        home.tables["watchlist"] = {"episodes": 5}
        assert len(wanted(await home.read())[home.show]) == 5


async def test_what_the_library_does_not_have_is_named_and_never_matched_by_title(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        title = home.plex.library[home.movies[0]].title
        wish = home.plex.watchlists.add_other("Ann", title)
        home.plex.watchlists.add_other("Ann", "Somewhere Else", Kind.SHOW)
        fetched = await home.read()
        assert fetched.demands == ()
        assert sorted(fetched.unmatched) == sorted([title, "Somewhere Else"])
        assert home.asked("/userState") == 0
        # Every item here has Plex's own id, so plex.tv's others would say nothing new.
        assert home.asked(wish.id) == 0


async def test_an_item_of_an_old_agent_is_found_by_what_plex_tv_says_of_its_ids_asked_once(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.library[home.movies[0]].guid = "com.plexapp.agents.none://0000abcd"
        wish = home.plex.watchlists.add("Ann", home.movies[0])
        assert list(wanted(await home.read())) == [home.movies[0]]
        assert list(wanted(await home.read())) == [home.movies[0]]
        assert sum(one.path == f"/library/metadata/{wish.id}" for one in home.plex.requests) == 1


async def test_an_id_of_a_show_is_none_of_a_movie(tmp_path: Path) -> None:
    """TMDB numbers movies and shows apart: the same number is another thing."""
    async with lists(tmp_path) as home:
        home.plex.library[home.show].guid = "com.plexapp.agents.none://0000abcd"
        home.plex.library[home.movies[0]].guid = "com.plexapp.agents.none://0000abce"
        home.plex.watchlists.put("Ann", Wish("5d" * 12, Kind.MOVIE, "Other", 2020, (f"tmdb://{0xABCD}",), LISTED))
        assert wanted(await home.read()) == {}


async def test_the_same_movie_in_two_libraries_is_wanted_in_both(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        other = home.plex.library[home.movies[1]]
        other.guid = home.plex.library[home.movies[0]].guid
        home.plex.watchlists.add("Ann", home.movies[0])
        assert sorted(wanted(await home.read())) == sorted(home.movies[:2])


async def test_a_movie_of_a_library_that_is_not_selected_is_not_wanted(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ann", home.movies[0])
        home.plex.watchlists.add("Ann", home.show)
        home.library.libraries = ("TV Shows",)
        assert list(wanted(await home.read())) == [home.show]
        home.library.libraries = ()
        assert len(wanted(await home.read())) == 2


async def test_what_was_deleted_since_the_index_was_read_is_unmatched(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        for key in (home.movies[0], home.movies[1], home.show):
            home.plex.watchlists.add("Ann", key)
        await home.read()
        await home.plex.librarian.delete(home.movies[0])
        await home.plex.librarian.delete(home.show)
        assert len((await home.read()).unmatched) == 2
        assert len((await home.read()).demands) == 1


async def test_since_is_when_it_was_listed_and_is_asked_once(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ann", home.movies[0], LISTED + 9)
        home.plex.watchlists.add("Ann", home.show, LISTED)
        for _ in range(2):
            fetched = await home.read()
            assert {one.show or one.rating_key: one.since for one in fetched.demands} == {
                home.movies[0]: LISTED + 9,
                home.show: LISTED,
            }
        assert home.asked("/userState") == 2
        home.plex.watchlists.add("Ann", home.movies[1], LISTED + 20)
        await home.read()
        assert home.asked("/userState") == 3


async def test_since_is_the_first_sight_where_plex_tv_does_not_say(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.silent = True
        home.plex.watchlists.add("Ann", home.movies[0])
        assert [one.since for one in (await home.read()).demands] == [NOW]
        home.later()
        assert [one.since for one in (await home.read()).demands] == [NOW]


async def test_a_long_list_is_asked_about_a_few_entries_at_a_time(tmp_path: Path) -> None:
    async with lists(tmp_path, _many()) as home:
        for number, key in enumerate(home.movies):
            home.plex.watchlists.add("Ann", key, LISTED - number)
        first = {one.rating_key: one.since for one in (await home.read()).demands}
        assert home.asked("/userState") == 10
        # No younger than the one before them, for the list is sorted.
        assert first[home.movies[24]] == LISTED - 9
        for _ in range(2):
            moments = {one.rating_key: one.since for one in (await home.read()).demands}
        assert moments == {key: LISTED - number for number, key in enumerate(home.movies)}
        await home.read()
        assert home.asked("/userState") == 25


async def test_a_moment_that_cannot_be_asked_for_now_costs_nothing_and_is_asked_for_again(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.add("Ann", home.movies[0])
        home.plex.faults.http("/userState", status=500)
        assert [one.since for one in (await home.read()).demands] == [NOW]
        home.plex.faults.clear()
        home.later()
        assert [one.since for one in (await home.read()).demands] == [LISTED]


async def test_an_unchanged_list_is_not_sent_again_page_by_page(tmp_path: Path) -> None:
    async with lists(tmp_path, _many()) as home:
        home.plex.watchlists.page_limit = 10
        for number, key in enumerate(home.movies):
            home.plex.watchlists.add("Ann", key, LISTED - number)
        first = await home.read()
        home.plex.watchlists.sent.clear()
        again = await home.read()
        assert sorted(wanted(again)) == sorted(wanted(first)) == sorted(home.movies)
        assert home.asked("/watchlist/all") == 6
        assert home.plex.watchlists.sent == [0, 0, 0]
        home.plex.watchlists.remove("Ann", home.plex.watchlists.of("Ann")[24])
        assert len((await home.read()).demands) == 24


async def test_a_list_that_changes_between_two_pages_is_read_again(tmp_path: Path) -> None:
    async with lists(tmp_path, _many()) as home:
        lists_ = home.plex.watchlists
        lists_.page_limit = 10
        for number, key in enumerate(home.movies[:20]):
            lists_.add("Ann", key, LISTED - number)
        lists_.after_page.append(lambda: lists_.remove("Ann", lists_.of("Ann")[0]))
        assert sorted(wanted(await home.read())) == sorted(home.movies[1:20])

        def shifted() -> None:  # as many as before, but each at another place
            lists_.remove("Ann", lists_.of("Ann")[-1])
            lists_.add("Ann", home.movies[24], LISTED + 9)

        lists_.after_page.append(shifted)
        assert sorted(wanted(await home.read())) == sorted([*home.movies[1:19], home.movies[24]])


async def test_a_list_that_never_stands_still_is_given_up(tmp_path: Path) -> None:
    async with lists(tmp_path, _many()) as home:
        lists_ = home.plex.watchlists
        lists_.page_limit = 10
        for number, key in enumerate(home.movies):
            lists_.add("Ann", key, LISTED - number)
        lists_.after_page += [lambda: lists_.remove("Ann", lists_.of("Ann")[0])] * 5
        with pytest.raises(RemoteUnavailable, match="changes while it is read"):
            await home.read()


async def test_other_kinds_on_a_list_are_left_out_and_spoil_nothing(tmp_path: Path) -> None:
    async with lists(tmp_path) as home:
        home.plex.watchlists.put("Ann", Wish("ab" * 12, Kind.EPISODE, "Odd", 2020, (), LISTED))
        home.plex.watchlists.add("Ann", home.movies[0])
        fetched = await home.read()
        assert (list(wanted(fetched)), fetched.unmatched) == ([home.movies[0]], ())


def _many() -> DemoServer:
    return DemoServer(small_library(movies=25))


async def test_a_household_of_25_costs_a_few_requests_each(tmp_path: Path) -> None:
    people = [f"User{number}" for number in range(25)]
    plex = DemoServer(small_library(movies=40, shows=20), users=people)
    async with lists(tmp_path, plex) as home:
        for number, one in enumerate(people):
            for place in range(8):
                home.plex.watchlists.add(one, home.movies[(number + place) % 40], LISTED - place)
                home.plex.watchlists.add_other(one, f"Elsewhere {number} {place}", Kind.SHOW)
            for place in range(4):
                home.plex.watchlists.add(one, home.plex.library.shows[(number + place) % 20], LISTED - place)
            await home.plex.engine.mark(one, home.plex.library.episodes(home.plex.library.shows[number % 20])[0])
        for _ in range(2):
            for one in people:
                await home.read(one)
        home.later()
        home.plex.requests.clear()
        for one in people:
            assert len(wanted(await home.read(one))) == 12
        # For each their list, their items and the show they are in; once for all the sections, and how the shows begin
        # of which nobody before had any: three of the first one, one of each of the next 17.
        assert len(home.plex.requests) == 25 * 3 + 1 + 18
