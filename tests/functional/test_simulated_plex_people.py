"""What people watch, and who they are, as plexapi sees it on the simulated server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from operator import methodcaller
from typing import Any

import pytest
import requests
from plexapi.exceptions import BadRequest, Unauthorized

from daemon.demo.generate import Shape, generate
from daemon.demo.server import DemoServer
from tests.support.plexapi_calls import Redirected, ask, queue_of, sign_in


@pytest.fixture
async def plex() -> AsyncIterator[DemoServer]:
    async with DemoServer(generate(Shape(movies=12, shows=3, seasons=2, episodes=5))) as server:
        yield server


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
    rows = await ask(plex, lambda server: [str(row.ratingKey) for row in server.history(accountID=1)], "Ben")
    assert rows == [second], "a guest sees its own history, whatever it asks for"
    rows = await ask(plex, lambda server: [str(row.ratingKey) for row in server.history(ratingKey=int(first))])
    assert rows == [first]
    await plex.librarian.delete(first)
    left = await ask(plex, lambda server: [row.ratingKey for row in server.history()])
    assert left == [int(second), None]


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
        queue = queue_of(server, number)
        return [str(item.ratingKey) for item in queue], str(queue.selectedItem.ratingKey)

    assert await ask(plex, what) == (keys[1:], keys[1])
    shuffled = await plex.engine.play("Ann", keys[3], queue=[keys[0], keys[3], keys[2]], client="phone")
    assert shuffled.queue is not None
    number = shuffled.queue.id
    assert await ask(plex, what) == ([keys[0], keys[3], keys[2]], keys[3])


async def test_accounts_and_scans_are_the_owners_alone(plex: DemoServer) -> None:
    names = await ask(plex, lambda server: [(account.id, account.name) for account in server.systemAccounts()])
    assert names[:2] == [(0, ""), (1, "Ann")]
    for forbidden in ("sessions", "systemAccounts"):
        with pytest.raises(BadRequest, match="403"):
            await ask(plex, methodcaller(forbidden), "Ben")


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


async def test_the_owner_learns_everybodys_token_from_the_account(plex: DemoServer) -> None:
    def what() -> dict[str, str]:
        with Redirected(plex.url) as session:
            account = sign_in(token=plex.token, session=session)
            return {user.title: user.get_token(plex.machine_identifier) for user in account.users()}

    expected = {person.title: person.token for person in plex.people if not person.is_owner}
    assert await asyncio.to_thread(what) == expected
