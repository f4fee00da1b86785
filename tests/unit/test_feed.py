from __future__ import annotations

import asyncio

from daemon.feed import RESYNC, Feed, Notice


async def test_every_subscriber_hears_everything_in_order() -> None:
    feed = Feed()
    async with feed.subscribe() as one, feed.subscribe() as two:
        feed.publish("task", {"id": 1})
        feed.publish("entry", {"id": 2})
        for reader in (one, two):
            assert await anext(reader) == Notice(1, "task", {"id": 1})
            assert await anext(reader) == Notice(2, "entry", {"id": 2})


async def test_a_waiting_reader_is_woken() -> None:
    feed = Feed()
    async with feed.subscribe() as reader, asyncio.TaskGroup() as group:
        waiting = group.create_task(anext(reader))
        await asyncio.sleep(0)
        feed.publish("session", {})
        assert (await waiting).kind == "session"


async def test_a_slow_reader_gets_one_resync_in_place_of_what_was_dropped() -> None:
    feed = Feed(size=3)
    async with feed.subscribe() as slow, feed.subscribe() as quick:
        heard = []
        for number in range(1, 6):
            feed.publish("task", {"id": number})
            heard.append((await anext(quick)).data["id"])
        assert heard == [1, 2, 3, 4, 5]
        assert [(await anext(slow)).kind, (await anext(slow)).data] == [RESYNC, {"id": 5}]


async def test_a_reader_that_never_reads_holds_no_more_than_its_share() -> None:
    feed = Feed(size=4)
    async with feed.subscribe() as reader:
        for number in range(10_000):
            feed.publish("progress", {"id": number})
        assert len(reader._waiting) <= 4


async def test_nothing_is_kept_of_a_reader_that_has_gone() -> None:
    feed = Feed()
    async with feed.subscribe():
        assert feed.readers == 1
    assert feed.readers == 0
    feed.publish("task", {})


async def test_a_reader_whose_task_is_cancelled_is_forgotten() -> None:
    feed = Feed()
    subscribed = asyncio.Event()

    async def read() -> None:
        async with feed.subscribe() as reader:
            subscribed.set()
            await anext(reader)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(read())
        await subscribed.wait()
        task.cancel()
    assert feed.readers == 0


async def test_closing_ends_the_iteration_even_while_it_waits() -> None:
    feed = Feed()
    async with feed.subscribe() as reader, asyncio.TaskGroup() as group:
        waiting = group.create_task(anext(reader, None))
        await asyncio.sleep(0)
        reader.close()
        assert await waiting is None


async def test_a_waiting_reader_survives_a_timeout_without_losing_anything() -> None:
    feed = Feed()
    async with feed.subscribe() as reader:
        try:
            async with asyncio.timeout(0):
                await anext(reader)
        except TimeoutError:
            feed.publish("task", {"id": 1})
        assert (await anext(reader)).data == {"id": 1}
