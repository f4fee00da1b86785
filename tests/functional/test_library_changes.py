"""What the simulated Plex says of its library reaches whoever acts on it: gathered, once, and only from this server."""

from __future__ import annotations

import asyncio
import json

from daemon.clock import Clock
from daemon.demo.server import DemoServer
from daemon.plex.changes import LIBRARY, LibraryChanged
from tests.support.listener import Household, household
from tests.support.plex import small_library

_FAST = 20.0


class Told:
    """The changes that a listener told of."""

    def __init__(self, house: Household) -> None:
        self.changes: list[LibraryChanged] = []
        self._news = asyncio.Event()
        house.listener.news.on_change = self._take

    def _take(self, changed: LibraryChanged) -> None:
        self.changes.append(changed)
        self._news.set()

    async def next(self) -> LibraryChanged:
        """Return the next change."""
        while not self.changes:
            self._news.clear()
            await self._news.wait()
        return self.changes.pop(0)


async def settled(plex: DemoServer, house: Household) -> Told:
    """Listen, and pass over what a new connection begins with."""
    told = Told(house)
    await plex.frames.wait_for_listeners()
    assert (await told.next()).anything
    return told


def demo() -> DemoServer:
    return DemoServer(small_library(), clock=Clock(_FAST))


async def test_a_new_episode_is_told_of_with_its_show() -> None:
    async with demo() as plex, household(plex) as house:
        told = await settled(plex, house)
        show = plex.library.shows[0]
        last = plex.library[plex.library.episodes(show)[-1]]
        node = await plex.librarian.add_episode(last.parent, 99, "New", ("/data/TV Shows/new.mkv", 5))
        found = await told.next()
        assert found.added == {node.key}
        assert found.shows == {show}
        assert found.changed[node.key] == show


async def test_an_upgrade_a_deletion_and_a_scan_are_one_change() -> None:
    async with demo() as plex, household(plex) as house:
        told = await settled(plex, house)
        first, second, third = plex.library.movies
        section = plex.library[first].section
        await plex.librarian.upgrade(first, ("/data/Movies/new.mkv", 5))
        await plex.librarian.delete(second)
        await plex.librarian.scan(section)
        await plex.librarian.browse(third)
        found = await told.next()
        assert found == LibraryChanged({first: ""}, {second: ""}, sections=frozenset({section, ""}))


async def test_ten_thousand_entries_are_one_change_and_hold_up_no_play() -> None:
    async with demo() as plex, household(plex) as house:
        told = await settled(plex, house)
        for number in range(10_000):
            entry = {"identifier": LIBRARY, "sectionID": "1", "itemID": str(number % 3000), "type": 1, "state": 5}
            body = {"type": "timeline", "size": 1, "TimelineEntry": [entry]}
            plex.frames.send_raw(json.dumps({"NotificationContainer": body}))
        movie = plex.library.movies[0]
        await plex.engine.play("Ben", movie)
        await house.hears(f"started {movie} by Ben")
        keys: set[str] = set()
        while len(keys) < 3000:
            found = await told.next()
            assert not found.anything
            keys |= found.changed.keys()


async def test_after_a_lost_connection_anything_may_have_changed() -> None:
    async with demo() as plex, household(plex) as house:
        told = await settled(plex, house)
        await plex.librarian.refresh(plex.library.movies[0])
        await plex.sockets.drop()
        await plex.librarian.delete(plex.library.movies[1])
        found = await told.next()
        while not found.anything:
            found = await told.next()
        assert told.changes == []


async def test_a_webhook_tells_of_what_is_new_on_this_server_alone() -> None:
    async with demo() as plex, household(plex) as house:
        told = await settled(plex, house)
        show = plex.library.shows[0]
        episode = plex.library.episodes(show)[0]
        payload = plex.webhooks.payload("library.new", plex.people.owner, plex.library[episode], None)
        assert not house.listener.enqueue_webhook({**payload, "Server": {"uuid": "another"}})
        assert house.listener.enqueue_webhook(payload)
        assert await told.next() == LibraryChanged({episode: show}, added=frozenset({episode}))


async def test_what_another_server_at_the_address_says_is_not_told() -> None:
    async with demo() as plex, household(plex, machine_identifier="another") as house:
        told = Told(house)
        await plex.frames.wait_for_listeners()
        await plex.librarian.delete(plex.library.movies[0])
        await house.clock.sleep(60.0)
        assert told.changes == []
