"""What each person is in the middle of, read from the simulated server with that person's own token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.demo.generate import Shape, generate
from daemon.demo.server import DemoServer
from daemon.errors import PlexUnauthorized
from daemon.model import DemandKind, Fetched, Item, Person, Role, User
from tests.support.people import NOW, PIN, begin, deck, finish, home, wishes
from tests.support.plex import small_library

EPISODES: dict[str, Any] = {"on_deck": {"episodes": 2}}
WITH_PIN: dict[str, Any] = {"users": {"Kid": {"pin": PIN}}, **EPISODES}


@pytest.mark.parametrize("who", ["Ann", "Ben", "Kid", "Cleo"])
async def test_everybody_of_every_role_is_read_apart(tmp_path: Path, who: str) -> None:
    async with home(tmp_path, **WITH_PIN) as ours:
        episodes = ours.plex.library.episodes(ours.plex.library.shows[0])
        for number, title in enumerate(("Ann", "Ben", "Kid", "Cleo")):
            begin(ours, title, episodes[number])
        number = ("Ann", "Ben", "Kid", "Cleo").index(who)
        fetched = await deck(ours, who)
        assert wishes(fetched) == [(key, place) for place, key in enumerate(episodes[number : number + 3])]
        assert {one.user for one in fetched.demands} == {ours.plex.people[who].id}
        assert {one.kind for one in fetched.demands} == {DemandKind.ON_DECK}
        assert {one.show for one in fetched.demands} == {ours.plex.library.shows[0]}
        assert {one.since for one in fetched.demands} == {NOW}
        assert {one.play for one in fetched.demands} == {""}
        assert [one.rating_key for one in fetched.items] == [one.rating_key for one in fetched.demands]
        assert all(one.files for one in fetched.items)


async def test_what_this_user_has_watched_is_skipped_and_what_others_have_is_not(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        one, two, three, four, five, *_ = ours.plex.library.episodes(ours.plex.library.shows[0])
        finish(ours, "Ann", three, at=NOW - 9_000)
        begin(ours, "Ann", one)
        begin(ours, "Ben", one)
        finish(ours, "Cleo", two, three, four, five)
        assert wishes(await deck(ours, "Ann")) == [(one, 0), (two, 1), (four, 2)]
        assert wishes(await deck(ours, "Ben")) == [(one, 0), (two, 1), (three, 2)]


async def test_the_next_episode_after_a_finished_one_is_wanted_since_that_was_watched(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        one, two, three, four, *_ = ours.plex.library.episodes(ours.plex.library.shows[0])
        finish(ours, "Ben", one, at=NOW - 500)
        fetched = await deck(ours, "Ben")
        assert wishes(fetched) == [(two, 0), (three, 1), (four, 2)]
        assert {wish.since for wish in fetched.demands} == {NOW - 500}


async def test_an_old_view_of_the_next_episode_does_not_make_the_wish_old(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        one, two, *_ = ours.plex.library.episodes(ours.plex.library.shows[0])
        begin(ours, "Ben", two, at=NOW - 90_000_000)
        ours.plex.views.progress(ours.plex.people["Ben"].id, two, 0, NOW - 90_000_000)
        finish(ours, "Ben", one, at=NOW - 5)
        fetched = await deck(ours, "Ben")
        assert (fetched.demands[0].rating_key, fetched.demands[0].since) == (two, NOW - 5)


async def test_a_rewatch_counts_what_has_been_watched_since(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        keys = ours.plex.library.episodes(ours.plex.library.shows[0])
        finish(ours, "Ben", *keys, at=NOW - 90_000)
        begin(ours, "Ben", keys[2])
        assert wishes(await deck(ours, "Ben")) == [(keys[2], 0), (keys[3], 1), (keys[4], 2)]


async def test_movies_in_progress_are_wanted_alone(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        movie = ours.plex.library.movies[1]
        begin(ours, "Cleo", movie)
        fetched = await deck(ours, "Cleo")
        assert wishes(fetched) == [(movie, 0)]
        assert (fetched.demands[0].since, fetched.demands[0].show) == (NOW, "")
        assert fetched.items[0].view_offset == 600.0


async def test_zero_episodes_leave_what_is_in_progress(tmp_path: Path) -> None:
    async with home(tmp_path, on_deck={"episodes": 0}) as ours:
        one = ours.plex.library.episodes(ours.plex.library.shows[0])[0]
        begin(ours, "Ben", one)
        assert wishes(await deck(ours, "Ben")) == [(one, 0)]


async def test_nothing_begun_is_nothing_wanted(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        assert await deck(ours, "Ben") == Fetched()


async def test_an_old_server_has_no_hub_but_on_deck(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        one, two, three, *_ = ours.plex.library.episodes(ours.plex.library.shows[0])
        begin(ours, "Ben", one)
        ours.plex.faults.http("^/hubs/", status=404)
        assert wishes(await deck(ours, "Ben")) == [(one, 0), (two, 1), (three, 2)]


async def test_what_was_taken_off_continue_watching_is_not_wanted(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        movie = ours.plex.library.movies[0]
        begin(ours, "Ben", movie)
        ours.plex.views.hide(ours.plex.people["Ben"].id, movie)
        assert await deck(ours, "Ben") == Fetched()


async def test_libraries_hidden_from_the_home_screen_count(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        movie = ours.plex.library.movies[0]
        one = ours.plex.library.episodes(ours.plex.library.shows[0])[0]
        begin(ours, "Ben", movie)
        begin(ours, "Ben", one)
        ours.plex.library.sections["2"].hidden = True
        assert {key for key, place in wishes(await deck(ours, "Ben")) if not place} == {movie, one}


@pytest.mark.parametrize("name", ["Movies", "movies", "1"])
async def test_what_is_in_no_selected_library_demands_nothing(tmp_path: Path, name: str) -> None:
    async with home(tmp_path, plex={"libraries": [name]}) as ours:
        movie = ours.plex.library.movies[0]
        begin(ours, "Ben", movie)
        begin(ours, "Ben", ours.plex.library.episodes(ours.plex.library.shows[0])[0])
        for hidden in (False, True):
            ours.plex.library.sections["2"].hidden = hidden
            assert wishes(await deck(ours, "Ben")) == [(movie, 0)]


def odd_server() -> DemoServer:
    """Return a server whose shows have specials, and episodes that share a file."""
    return DemoServer(generate(Shape(movies=6, shows=1, seasons=2, episodes=5, specials=3)), users=("Ann", "Ben"))


async def test_a_special_is_followed_by_specials_and_by_nothing_else(tmp_path: Path) -> None:
    plex = odd_server()
    special, *others = plex.library.seasons(plex.library.shows[0])[0].children
    async with home(tmp_path, plex, on_deck={"episodes": 9}) as ours:
        begin(ours, "Ben", special)
        assert wishes(await deck(ours, "Ben")) == [(key, place) for place, key in enumerate([special, *others])]


async def test_regular_episodes_are_followed_across_seasons_without_specials(tmp_path: Path) -> None:
    plex = odd_server()
    keys = plex.library.episodes(plex.library.shows[0])
    async with home(tmp_path, plex, on_deck={"episodes": 9}) as ours:
        begin(ours, "Ben", keys[3])
        assert [key for key, _ in wishes(await deck(ours, "Ben"))] == keys[3:]


async def test_episodes_that_share_a_file_count_once(tmp_path: Path) -> None:
    plex = odd_server()
    _, two, three, four, five, *_ = plex.library.episodes(plex.library.shows[0])
    assert plex.library[three].versions == plex.library[four].versions
    async with home(tmp_path, plex, on_deck={"episodes": 1}) as ours:
        begin(ours, "Ben", two)
        assert wishes(await deck(ours, "Ben")) == [(two, 0), (three, 1), (four, 1)]
        begin(ours, "Ben", three)
        assert wishes(await deck(ours, "Ben")) == [(three, 0), (four, 0), (five, 1)]


async def test_all_versions_and_parts_are_named_and_optimized_ones_are_not(tmp_path: Path) -> None:
    async with home(tmp_path, odd_server()) as ours:
        for movie in ours.plex.library.movies:
            begin(ours, "Ben", movie)
        fetched = await deck(ours, "Ben")
        expected = {
            key: {part.file for one in ours.plex.library[key].versions if not one.optimized for part in one.parts}
            for key in ours.plex.library.movies
        }
        assert {one.rating_key: {file.plex_path for file in one.files} for one in fetched.items} == expected
        assert {len(files) for files in expected.values()} == {1, 2}


async def test_the_nearest_position_counts_where_a_show_is_listed_twice(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        one, two, three, four, *_ = ours.plex.library.episodes(ours.plex.library.shows[0])
        begin(ours, "Ben", one)
        ours.plex.views.on_deck = lambda *_: [ours.plex.library[one], ours.plex.library[two]]  # type: ignore[method-assign]  # no play makes this
        assert wishes(await deck(ours, "Ben")) == [(one, 0), (two, 0), (three, 1), (four, 2)]
        assert ours.asked("/allLeaves") == 1


async def test_without_a_token_it_says_why(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        kid = await ours.person("Kid")
        with pytest.raises(PlexUnauthorized, match=r'a PIN protects this user: set \[users."Kid"\] pin'):
            await ours.on_deck.fetch(kid)
        with pytest.raises(PlexUnauthorized, match="no token"):
            await ours.on_deck.fetch(Person(User("9", "Zoe"), Role.SHARED))


def items_of(fetched: Fetched) -> dict[str, Item]:
    return {one.rating_key: one for one in fetched.items}


async def test_watched_and_position_are_this_users(tmp_path: Path) -> None:
    async with home(tmp_path, **EPISODES) as ours:
        one, two, *_ = ours.plex.library.episodes(ours.plex.library.shows[0])
        begin(ours, "Ben", one)
        finish(ours, "Ann", one)
        begin(ours, "Ann", two)
        begins = items_of(await deck(ours, "Ben"))[one]
        assert (begins.watched, begins.view_offset, begins.last_viewed_at) == (False, 600.0, NOW)
        assert begins.added_at == ours.plex.library[one].added_at


async def test_a_deck_costs_three_requests_however_many_shows_are_on_it(tmp_path: Path) -> None:
    plex = DemoServer(small_library(shows=8))
    async with home(tmp_path, plex) as ours:
        for who in ("Ann", "Ben", "Cleo"):
            for show in plex.library.shows:
                begin(ours, who, plex.library.episodes(show)[1])
            for movie in plex.library.movies:
                begin(ours, who, movie)
        people = await ours.accounts.people()
        before = len(plex.requests)
        for one in people:
            assert len((await ours.on_deck.fetch(one)).demands) > 8
        assert len(plex.requests) - before == 3 * 3
