"""How much comes with a video: remembered once it was placed, and counted when it is wanted again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from daemon.config import build
from daemon.live import Live
from daemon.model import DemandKind, Entry, File, Room, TaskKind, Want
from daemon.planning.planner import Situation, plan
from daemon.situation import Outside, look
from daemon.state import demands, ledger, pins, tasks
from daemon.state.schema import MIGRATIONS
from daemon.state.store import NAME, Connection, Store
from tests.support.daemon import at_home
from tests.support.plex import small_library
from tests.support.values import GB, NOW, demand, file

DAY = 86_400.0


def video(size: int = 1_000) -> Entry:
    return Entry(file("film.mkv", size), 1, NOW)


def subtitles(name: str, size: int) -> Entry:
    return Entry(file(f"film.{name}.srt", size), 1, NOW, parent=file("film.mkv").array_path)


def remembered(connection: Connection) -> int | None:
    path = file("film.mkv").array_path
    return ledger.remembered_sidecars(connection, ["/another.mkv", path]).get(path)


async def test_what_came_with_a_video_is_remembered_when_all_of_it_has_left(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        family = [video(), subtitles("de", 30), subtitles("en", 40)]
        await store.run(lambda c: ledger.put_entries(c, family))
        for one in family:
            await store.run(partial(ledger.drop_entry, array_path=one.file.array_path))
        assert await store.run(remembered) == 70
        await store.run(lambda c: ledger.put_entries(c, [video()]))
        assert await store.run(remembered) is None
        # What a recovery records one by one adds up.
        for one in family:
            await store.run(partial(ledger.put_entries, entries=[one]))
        assert await store.run(remembered) == 70


async def test_it_is_forgotten_with_all_else_that_is_old_but_not_while_the_video_is_there(tmp_path: Path) -> None:
    async with Store(tmp_path) as store:
        await store.run(lambda c: ledger.put_entries(c, [video(), subtitles("de", 30)]))
        await store.run(lambda c: demands.forget_idle(c, NOW + DAY))
        assert await store.run(remembered) == 30
        for one in (video(), subtitles("de", 30)):
            await store.run(partial(ledger.drop_entry, array_path=one.file.array_path))
        await store.run(lambda c: demands.forget_idle(c, NOW))
        assert await store.run(remembered) == 30
        await store.run(lambda c: demands.forget_idle(c, NOW + 1))
        assert await store.run(remembered) is None


async def test_a_database_from_before_learns_it_from_what_is_cached(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        for number, migration in enumerate(MIGRATIONS[:4], 1):
            connection.executescript(f"{migration} PRAGMA user_version = {number};")
        for one in (video(), subtitles("de", 30), subtitles("en", 40)):
            new = (one.file.array_path, one.file.plex_path, one.file.cache_path, "TV", one.file.size, NOW, one.parent)
            connection.execute(
                "INSERT INTO entries (array_path, plex_path, cache_path, mapping, size, cached_at, parent, mtime_ns, "
                "checksum, placement, waived) VALUES (?, ?, ?, ?, ?, ?, ?, 1, '', 'union+keep', 0)",
                new,
            )
        connection.execute("INSERT INTO pins VALUES ('7', 'movie', 'Film', 1.0)")
        connection.commit()
    async with Store(tmp_path) as store:
        assert await store.run(remembered) == 70
        (pin,) = await store.run(pins.all_pins)
        assert (pin.rating_key, pin.guids, pin.season) == ("7", (), 0)


@pytest.mark.parametrize(("sidecars", "fits"), [("subtitles", False), ("all", False), ("none", True)])
def test_they_count_only_if_they_would_be_brought(sidecars: str, fits: bool) -> None:
    settings = build({"transfer": {"sidecars": sidecars}, "space": {"limit": "100%", "min_free": "0", "quota": "0"}})
    want = Want(file("film.mkv", 10 * GB), (demand(DemandKind.ON_DECK),), 1)
    made = plan(Situation([want], [], {"TV": Room("cache", 100 * GB, 10 * GB)}), settings, NOW)

    assert (bool(made.cache_ins), bool(made.refused)) == (fits, not fits)


def test_what_has_been_copied_of_a_whole_family_counts_once() -> None:
    mapping = {"name": "TV", "plex": "/data/tv", "array": "/mnt/user0/tv", "cache": "/mnt/cache/tv"}
    mappings = Live(build({"mapping": [mapping]})).mappings
    film: File = video().file

    def own(left: int) -> int:
        outside = Outside({"TV": ("disk", 5_000, 4_000)}, {film.array_path: left}, sessions_known=True, now=NOW)
        room = look(connection, mappings, outside, 0.0, everything=True).situation.rooms["TV"]
        return room.own + room.reserved

    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            connection.executescript(migration)
        ledger.put_entries(connection, [video(), subtitles("de", 30)])
        for one in (video(), subtitles("de", 30)):
            ledger.drop_entry(connection, one.file.array_path)
        tasks.put(connection, tasks.NewTask(TaskKind.CACHE_IN, film, 1, "asked for"), NOW)
        tasks.claim(connection, TaskKind.CACHE_IN, NOW)
        assert {own(left) for left in (1_030, 500, 20, 0)} == {1_030}


async def test_a_video_that_comes_again_has_the_room_of_its_subtitles_from_its_first_byte_on(tmp_path: Path) -> None:
    library = small_library()
    film = library.movies[0]
    async with at_home(tmp_path, library) as house:
        (original,) = house.array(film)
        original.with_suffix(".de.srt").write_bytes(b"x" * 777)
        totals = []
        for _ in range(2):
            async with house.app.core.feed.subscribe() as notices:
                await house.post("/api/v1/cache", {"target": film})
                said: list[int] = []
                async for notice in notices:
                    if notice.kind == "progress":
                        said.append(notice.data["bytes_total"])
                    if notice.kind == "entry":
                        break
            totals.append(set(said))
            await house.quiet()
            await house.post("/api/v1/evict", {"target": film})
            await house.until(lambda: not house.is_cached(film))
            await house.quiet()
        size = original.stat().st_size
        assert totals == [{size, size + 777}, {size + 777}]
