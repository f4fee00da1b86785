"""What a copy has written so far counts against the quota before the copy is recorded."""

from __future__ import annotations

from pathlib import Path

from daemon.config import build
from daemon.live import Live
from daemon.model import Entry, TaskKind
from daemon.situation import Outside, look
from daemon.state import ledger, tasks
from daemon.state.store import Connection, Store

NOW = 1_750_000_000.0


async def test_the_written_part_of_a_running_copy_is_ours_and_once_only(tmp_path: Path) -> None:
    mapping = {"name": "tv", "plex": "/data/tv", "array": "/array/tv", "cache": "/cache/tv"}
    mappings = Live(build({"mapping": [mapping]})).mappings
    film = mappings.resolve("/data/tv/film.mkv", 1_000)
    outside = Outside({"tv": ("disk", 5_000, 4_000)}, {film.array_path: 300}, sessions_known=True, now=NOW)

    def own(connection: Connection) -> int:
        picture = look(connection, mappings, outside, 0.0, everything=True)
        room = picture.situation.rooms["tv"]
        return room.own + room.reserved

    async with Store(tmp_path) as store:
        await store.run(lambda c: tasks.put(c, tasks.NewTask(TaskKind.CACHE_IN, film, 1, "asked for"), NOW))
        await store.run(lambda c: tasks.claim(c, TaskKind.CACHE_IN, NOW))
        assert await store.run(own) == 1_000
        await store.run(lambda c: ledger.put_entries(c, [Entry(film, 1, NOW)]))
        assert await store.run(own) == 1_000 + 300  # it is still said to have so much to write
