"""A ledger that is already full when the daemon starts."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from daemon.config import Settings
from daemon.model import Changes, Entry, File, Item, ItemType, MediaFile, Retention
from daemon.state import demands, ledger
from daemon.state.store import Connection, Store
from daemon.storage.paths import OWN_FOLDER

_SIZE = 100


def files(settings: Settings, count: int) -> list[File]:
    """Return `count` files of the last mapping, with names as long as real ones are."""
    mapping = settings.mapping[-1]
    names = [
        f"A Show with a Name ({1950 + number % 75})/Season {number % 9:02}/A Show with a Name - S01E{number:05} - "
        f"The Title of an Episode.mkv"
        for number in range(count)
    ]
    return [
        File(f"{mapping.plex}/{name}", f"{mapping.array}/{name}", f"{mapping.cache}/{name}", mapping.name, _SIZE)
        for name in names
    ]


async def fill(directory: Path, settings: Settings, count: int) -> None:
    """Enter so many cached files, each kept for a week by somebody who has stopped half-way."""
    directory.mkdir(parents=True, exist_ok=True)
    for mapping in settings.mapping:  # a cache that holds something of ours has our folder
        Path(mapping.cache, OWN_FOLDER).mkdir(parents=True, exist_ok=True)
    now = time.time()
    held = files(settings, count)
    copies = await asyncio.to_thread(lambda: [_copy(file) for file in held])

    def work(connection: Connection) -> None:
        ledger.put_entries(connection, copies)
        demands.put_items(connection, [_item(number, file) for number, file in enumerate(held)])
        kept = tuple(Retention(_key(number), "1", now + 7 * 86_400, "stopped half-way") for number in range(count))
        demands.apply(connection, Changes(put_retentions=kept))

    async with Store(directory) as store:
        await store.run(work)


def _copy(file: File) -> Entry:
    """Put the copy on the cache, and return what the ledger says of it. Its original is not there to be looked at."""
    path = Path(file.cache_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(_SIZE))
    status = path.stat()
    return Entry(file, status.st_mtime_ns, status.st_mtime, status.st_mtime)


def _key(number: int) -> str:
    return str(1_000_000 + number)


def _item(number: int, file: File) -> Item:
    return Item(
        _key(number),
        ItemType.EPISODE,
        "The Title of an Episode",
        guid=f"plex://episode/{number:024x}",
        library="TV Shows",
        duration=2700.0,
        files=(MediaFile(file.plex_path, file.size, str(number)),),
        show=str(number // 100),
        show_title="A Show with a Name",
        season=1,
        episode=number,
    )
