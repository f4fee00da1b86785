"""What sources say, as rows: in place of what they said before, and only what is new of it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from daemon.model import Changes, Demand, DemandKind, Entry, Fetched, File, Item, ItemType, MediaFile, Retention
from daemon.state import demands, ledger, library, retentions, sources
from daemon.state.store import Connection, Store

BEN, NOW = "7", 1_750_000_000.0


def item(key: str, *paths: str) -> Item:
    files = tuple(MediaFile(path, 9, f"part of {path}") for path in paths)
    return Item(key, ItemType.EPISODE, f"Part {key}", "plex://x", "TV", 2700.5, files, "1", "A Show", 1, int(key))


def fetched(*items: Item, since: float = NOW) -> Fetched:
    wishes = [Demand(one.rating_key, DemandKind.ON_DECK, BEN, since, None, place) for place, one in enumerate(items)]
    return Fetched(tuple(wishes), items)


def put(new: Fetched, now: float = NOW) -> Callable[[Connection], int]:
    """Return what records it and says how many rows that changed, but for the one of the source itself."""

    def work(connection: Connection) -> int:
        before = connection.total_changes
        sources.put_fetched(connection, DemandKind.ON_DECK, BEN, new, now)
        return connection.total_changes - before - 1

    return work


async def known(store: Store) -> list[str]:
    return sorted(one.rating_key for one in await store.run(demands.all_demands))


async def test_what_is_as_it_was_is_not_written_again(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        new = fetched(item("1", "/tv/1.mkv"), item("2", "/tv/2.mkv", "/tv/2 - 4k.mkv"))
        assert await store.run(put(new)) > 0
        assert await store.run(put(new, NOW + 60)) == 0
        reordered = replace(new.items[1], files=new.items[1].files[::-1])
        assert await store.run(put(replace(new, items=(new.items[0], reordered)))) == 0


async def test_what_counts_still_counts_after_it_was_said_again(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.run(put(fetched(item("1", "/tv/1.mkv"))))
        await store.run(lambda connection: demands.recount(connection, lambda _: NOW + 60))
        await store.run(put(fetched(item("1", "/tv/1.mkv"), item("2", "/tv/2.mkv"))))
        assert len(await store.run(lambda connection: demands.counted_demands(connection, NOW + 61))) == 1


async def test_what_is_not_said_any_more_goes_and_what_is_new_comes(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        one, two, three = (item(key, f"/tv/{key}.mkv") for key in "123")
        await store.run(put(fetched(one, two)))
        await store.run(put(fetched(two, three)))
        assert await known(store) == ["2", "3"]
        positions = {wish.rating_key: wish.position for wish in await store.run(demands.all_demands)}
        assert positions == {"2": 0, "3": 1}
        await store.run(put(Fetched()))
        assert await known(store) == []


async def test_the_demands_of_plays_and_of_others_stay(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        play = Demand("9", DemandKind.ON_DECK, BEN, NOW, play="a play")
        other = Demand("8", DemandKind.ON_DECK, "8", NOW)
        await store.run(lambda connection: demands.apply(connection, Changes(put_demands=(play, other))))
        await store.run(put(fetched(item("1", "/tv/1.mkv"))))
        await store.run(put(Fetched()))
        assert await known(store) == ["8", "9"]


async def test_what_nobody_dates_counts_from_its_first_sight(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        new = fetched(item("1", "/tv/1.mkv"), since=0.0)
        await store.run(put(new))
        assert await store.run(put(new, NOW + 500)) == 0
        assert [one.since for one in await store.run(demands.all_demands)] == [NOW]


async def test_other_files_take_the_place_of_the_old_ones_and_none_take_no_place(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.run(put(fetched(item("1", "/tv/1.mkv"))))
        await store.run(put(fetched(item("1", "/tv/1 - better.mkv"))))
        assert await store.run(lambda c: demands.files_of(c, ["1"])) == [("1", "/tv/1 - better.mkv", 9)]
        await store.run(put(fetched(replace(item("1"), title="Renamed"))))
        assert await store.run(lambda c: demands.files_of(c, ["1"])) == [("1", "/tv/1 - better.mkv", 9)]
        renamed = await store.run(lambda c: demands.item(c, "1"))
        assert renamed is not None
        assert renamed.title == "Renamed"


async def test_a_retention_that_does_not_count_keeps_nothing_until_it_counts_again(tmp_path: Path) -> None:
    def found(connection: Connection) -> tuple[bool, bool, int]:
        path = one.files[0].plex_path
        kept = demands.wishes_for(connection, [path], NOW)[1] == retentions.retained(connection, NOW) == {path: until}
        return kept, retentions.is_retained(connection, path, NOW), len(ledger.unwanted(connection, NOW, NOW))

    one, until = item("1", "/tv/1.mkv"), NOW + 60
    file = File("/tv/1.mkv", "/array/1.mkv", "/cache/1.mkv", "TV", 9)
    async with Store(tmp_path) as store:
        await store.run(lambda c: demands.put_items(c, [one]))
        await store.run(lambda c: ledger.put_entries(c, [Entry(file, 1, NOW)]))
        kept = (Retention("1", BEN, until, "watched"),)
        await store.run(lambda c: demands.apply(c, Changes(put_retentions=kept)))
        assert await store.run(found) == (True, True, 0)
        await store.run(lambda c: demands.recount(c, lambda _: 0.0))
        assert await store.run(found) == (False, False, 1)
        await store.run(lambda c: demands.recount(c, lambda _: None, user="somebody else"))
        assert await store.run(found) == (False, False, 1)
        await store.run(lambda c: demands.recount(c, lambda _: None, user=BEN))
        assert await store.run(found) == (True, True, 0)


async def test_what_one_source_says_is_found_without_a_look_at_all_others(tmp_path: Path) -> None:
    def work(connection: Connection) -> list[str]:
        asked: list[str] = []
        connection.set_trace_callback(asked.append)
        sources.put_fetched(connection, DemandKind.ON_DECK, BEN, fetched(item("2", "/a")), NOW)
        sources.said(connection, DemandKind.ON_DECK, BEN)
        library.listed_since(connection, BEN)
        sources.forget(connection, DemandKind.ON_DECK, BEN)
        connection.set_trace_callback(None)
        named = [sql for sql in asked if "demands" in sql and "play = ''" in sql]
        return [str(row[-1]) for sql in named for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]

    async with Store(tmp_path) as store:
        steps = await store.run(work)
    assert len(steps) >= 4
    assert [step for step in steps if "demands_by_play" in step] == []
