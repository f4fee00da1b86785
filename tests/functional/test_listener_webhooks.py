from __future__ import annotations

from typing import Any

from daemon.demo.server import DemoServer
from tests.support.listener import demo_server, household, landmark


def payload(plex: DemoServer, key: str, event: str = "media.play", user: str = "Ben", **more: Any) -> dict[str, Any]:
    person = plex.people[user]
    return {
        "event": event,
        "Account": {"id": int(person.id), "title": person.title},
        "Server": {"title": "x", "uuid": plex.machine_identifier},
        "Player": {"title": "Sofa", "uuid": "tv"},
        "Metadata": {"type": "movie", "ratingKey": key, "duration": 6_000_000, **more},
    }


async def test_a_webhook_and_a_frame_about_one_play_count_once() -> None:
    async with demo_server() as plex, household(plex) as house:
        await plex.frames.wait_for_listeners()
        await house.marked()
        movie = plex.library.movies[0]
        assert house.listener.enqueue_webhook(payload(plex, movie))
        session = await plex.engine.play("Ben", movie, client="tv")
        assert house.listener.enqueue_webhook(payload(plex, movie))
        await house.hears(f"started {movie} by Ben")
        await plex.engine.stop(session)
        assert house.listener.enqueue_webhook(payload(plex, movie, "media.stop"))
        await house.hears(f"stopped {movie} by Ben")
        await landmark(house, plex.library.movies[1])
        assert house.lines[:2] == [f"started {movie} by Ben", f"stopped {movie} by Ben"]
        assert len(house.lines) == 3


async def test_webhooks_of_another_server_are_none_of_ours() -> None:
    async with demo_server() as plex, household(plex) as house:
        await house.marked()
        foreign = {**payload(plex, plex.library.movies[0]), "Server": {"uuid": "next door"}}
        assert not house.listener.enqueue_webhook(foreign)
        assert not house.listener.enqueue_webhook({**foreign, "Server": None})
        assert not house.listener.enqueue_webhook({"event": "library.new"})
        assert house.listener.plays() == []


async def test_webhooks_that_come_before_plex_is_known_wait_for_it() -> None:
    async with demo_server(speed=60.0) as plex:
        plex.faults.http(status=503, times=9)
        async with household(plex) as house:
            movie = plex.library.movies[0]
            assert house.listener.enqueue_webhook(payload(plex, movie))
            foreign = {**payload(plex, plex.library.movies[1]), "Server": {"uuid": "next door"}}
            assert house.listener.enqueue_webhook(foreign)
            await house.hears(f"started {movie} by Ben")
            assert len(house.lines) == 1


async def test_the_owner_is_known_by_name_where_the_account_s_id_is_a_global_one() -> None:
    async with demo_server() as plex, household(plex) as house:
        await house.marked()
        movie = plex.library.movies[0]
        sent = payload(plex, movie, user="Ann")
        sent["Account"]["id"] = 99_999_999
        assert house.listener.enqueue_webhook(sent)
        await house.hears(f"started {movie} by Ann")
        assert house.listener.plays()[0].user.id == "1"


async def test_a_scrobble_without_a_play_is_told() -> None:
    async with demo_server() as plex, household(plex) as house:
        await house.marked()
        movie = plex.library.movies[0]
        assert house.listener.enqueue_webhook(payload(plex, movie, "media.scrobble"))
        await house.hears(f"watched {movie} by Ben (webhook)")


async def test_without_a_socket_webhooks_alone_tell_a_play() -> None:
    async with demo_server() as plex:
        plex.faults.http("websockets", status=404)
        async with household(plex) as house:
            await house.marked()
            movie = plex.library.movies[0]
            for event in ("media.play", "media.pause", "media.resume", "media.stop"):
                assert house.listener.enqueue_webhook(payload(plex, movie, event))
            await house.hears(f"stopped {movie} by Ben")
            assert house.lines == [f"{word} {movie} by Ben" for word in ("started", "paused", "resumed", "stopped")]
