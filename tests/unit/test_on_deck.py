"""Which episodes are wanted of what is on deck, whatever has been watched, shared or left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from daemon.config import build
from daemon.model import Item, ItemType, MediaFile, Person, Role, User
from daemon.plex.library import PlexLibrary
from daemon.sources.on_deck import OnDeck

BEN = Person(User("7", "Ben"), Role.SHARED, "token")


@dataclass
class View:
    """A user's view of one show, in memory."""

    deck: Sequence[Item]
    leaves: Sequence[Item]

    def as_user(self, _token: str) -> View:
        return self

    async def on_deck(self) -> list[Item]:
        return list(self.deck)

    async def episodes_of(self, shows: Sequence[str]) -> dict[str, list[Item]]:
        return {show: list(self.leaves) for show in shows}

    async def items(self, keys: Sequence[str]) -> list[Item]:
        return [item for item in self.leaves if item.rating_key in keys]


def episode(number: int, season: int = 1, **more: Any) -> Item:
    files = (MediaFile(f"/tv/{season}/{number}.mkv", 1),)
    made = Item(f"{season}{number:02}", ItemType.EPISODE, "", show="1", season=season, episode=number, files=files)
    return replace(made, **more)


async def wanted(deck: Sequence[Item], leaves: Sequence[Item], count: int) -> list[tuple[str, int]]:
    source = OnDeck(cast("PlexLibrary", View(deck, leaves)), lambda: build({"on_deck": {"episodes": count}}))
    return [(one.rating_key, one.position) for one in (await source.fetch(BEN)).demands]


@st.composite
def shows(draw: st.DrawFn) -> tuple[list[Item], int]:
    """Return the episodes of a show of which any may be watched, and the place of the one in progress."""
    leaves = [
        episode(number, season, watched=draw(st.booleans()), last_viewed_at=1.0)
        for season in range(3)
        for number in range(1, draw(st.integers(1, 4)) + 1)
    ]
    place = draw(st.integers(0, len(leaves) - 1))
    leaves[place] = replace(leaves[place], watched=False, view_offset=5.0)
    return leaves, place


@given(shows(), st.integers(0, 5))
async def test_the_next_unwatched_ones_are_wanted_in_order(drawn: tuple[list[Item], int], count: int) -> None:
    leaves, place = drawn
    current = leaves[place]
    ahead = [one for one in leaves[place + 1 :] if not one.watched and (one.season == 0) == (current.season == 0)]
    expected = [current, *ahead[:count]]
    found = await wanted([current], leaves[::-1], count)
    assert found == [(one.rating_key, position) for position, one in enumerate(expected)]


async def test_files_shared_by_episodes_share_a_position() -> None:
    shared = (MediaFile("/tv/double.mkv", 1),)
    leaves = [episode(1), episode(2, files=shared), episode(3, files=shared), episode(4), episode(5)]
    assert await wanted(leaves[:1], leaves, 2) == [("101", 0), ("102", 1), ("103", 1), ("104", 2)]


async def test_what_lies_in_the_trash_is_not_counted() -> None:
    leaves = [episode(1), episode(2, files=()), episode(3)]
    assert await wanted(leaves[:1], leaves, 1) == [("101", 0), ("103", 1)]


async def test_an_item_of_another_library_demands_nothing() -> None:
    leaves = [episode(1, selected=False), episode(2)]
    assert await wanted(leaves[:1], leaves, 2) == []


async def test_an_episode_that_its_show_does_not_list_is_followed_by_what_comes_after_its_number() -> None:
    leaves = [episode(1), episode(3)]
    assert await wanted([episode(2)], leaves, 2) == [("102", 0), ("103", 1)]
