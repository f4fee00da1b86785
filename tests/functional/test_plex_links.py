"""Plex is asked about the first link of a mapping, and again when it may have been put right."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.clock import Clock
from daemon.config import build
from daemon.errors import PlexUnavailable, Skipped
from daemon.live import Live
from daemon.model import Entry, Item, ItemType, MediaFile
from daemon.plexlinks import PlexLinks
from daemon.state import demands
from daemon.state.store import Store


class _Now(Clock):
    seconds = 0.0

    def now(self) -> float:
        return self.seconds


async def test_what_plex_could_not_open_is_tried_again_after_a_while(tmp_path: Path) -> None:
    roots = {"plex": "/data/tv", "array": f"{tmp_path}/array", "cache": f"{tmp_path}/cache"}
    live = Live(build({"mapping": [{"name": "TV", "serve": "symlink", "original": "backup"} | roots]}))
    file, clock = live.mappings.resolve("/data/tv/e1.mkv", 4), _Now()
    entry = Entry(file, 1, 0.0, placement="symlink+backup", link=file.cache_path)
    answers: list[bool | None] = [None, False, True]
    asked: list[str] = []

    async def can_open(_key: str, path: str) -> bool | None:
        asked.append(path)
        if len(asked) == 1:
            raise PlexUnavailable
        return answers.pop(0)

    item = Item("1", ItemType.EPISODE, "One", files=(MediaFile("/data/tv/e1.mkv", 4),))
    async with Store(tmp_path) as store:
        await store.run(lambda connection: demands.put_items(connection, [item]))
        links = PlexLinks(store, live, clock, can_open)
        for _ in range(2):
            # Neither a Plex that is away nor one that does not say proves anything.
            await links.look(entry)
            links.demand("TV")
        with pytest.raises(Skipped, match="Plex cannot open"):
            await links.look(entry)
        with pytest.raises(Skipped, match="Plex cannot open"):
            links.demand("TV")

        clock.seconds += 601
        links.demand("TV")
        await links.look(entry)
        await links.look(entry)
    assert len(asked) == 4, "once it is proven nobody is asked any more"
