"""Whatever we, a user and Sonarr do in whatever order: no byte is lost, nothing partial stays."""

from __future__ import annotations

import asyncio
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.errors import StorageError
from daemon.model import Entry
from tests.support.files import LONG_AGO, Tiers

NAMES = ("Show/e1.mkv", "Show/e1.en.srt", "Show/e2.mkv")
VIDEOS = ("Show/e1.mkv", "Show/e2.mkv")

steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["cache in", "cancelled", "evict"]), st.sampled_from(VIDEOS)),
        st.tuples(
            st.sampled_from(["write array", "write cache", "delete array", "delete cache"]),
            st.sampled_from(NAMES),
        ),
    ),
    min_size=4,
    max_size=14,
)


class World:
    """The tiers, a ledger, and everything that was ever written by others."""

    def __init__(self, root: Path, executor: ThreadPoolExecutor) -> None:
        self.tiers = Tiers(root, executor)
        self.tiers.film("always.mkv")
        self.ledger: dict[str, Entry] = {}
        self.written = 0

    async def do(self, action: str, name: str) -> None:
        match action:
            case "cache in":
                await self.cache_in(name, cancel=False)
            case "cancelled":
                await self.cache_in(name, cancel=True)
            case "evict":
                await self.evict(name)
            case "write array":
                self.write(self.tiers.array / name)
            case "write cache":
                self.write(self.tiers.cache / name)
            case "delete array":
                (self.tiers.array / name).unlink(missing_ok=True)
            case _:
                (self.tiers.cache / name).unlink(missing_ok=True)

    def write(self, path: Path) -> None:
        self.written += 1
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%d" % self.written * 1000)
        os.utime(path, ns=(LONG_AGO + self.written, LONG_AGO + self.written))

    async def cache_in(self, name: str, *, cancel: bool) -> None:
        async def publishing(_entry: Entry) -> None:
            if cancel:
                raise asyncio.CancelledError

        file = self.tiers.file(name)
        family = {path: entry for path, entry in self.ledger.items() if file.array_path in (path, entry.parent)}
        try:
            entries = await self.tiers.cache_in(file, known=family, publishing=publishing)
        except (StorageError, asyncio.CancelledError):
            return
        self.ledger |= {entry.file.array_path: entry for entry in entries}

    async def evict(self, name: str) -> None:
        path = f"{self.tiers.array}/{name}"
        for entry in [one for one in self.ledger.values() if path in (one.file.array_path, one.parent)]:
            try:
                await self.tiers.placement.evict(entry)
            except StorageError:
                continue
            del self.ledger[entry.file.array_path]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(steps)
def test_no_content_is_lost_in_any_order(story: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(4) as executor:
        asyncio.run(live(World(Path(folder), executor), story))


async def live(world: World, story: list[tuple[str, str]]) -> None:
    for action, name in story:
        array, cache = world.tiers.on_array(), world.tiers.cached()
        await world.do(action, name)
        now_array, now_cache = world.tiers.on_array(), world.tiers.cached()
        if action in ("cache in", "cancelled", "evict"):
            assert now_array == array
            for path in cache.keys() - now_cache.keys():
                assert array.get(path) == cache[path], "only a copy of what the array has may go"
            for path, content in now_cache.items():
                assert content in (cache.get(path), array.get(path)), "only a copy of what the array has may come"
            assert not any(".ondeckd" in path for path in now_cache)
        if action == "cancelled":
            assert now_cache.items() <= cache.items()
        for entry in world.ledger.values():
            path = str(Path(entry.file.array_path).relative_to(world.tiers.array))
            assert path in now_cache or action == "delete cache" or path not in cache
