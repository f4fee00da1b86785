"""How long the planner takes for a large household: 25 people with everything they want, and a full cache.

Prints the medians of a whole plan and of one event (a play that starts: its rows, the plan and the tasks), once with
room on the cache and once without. All in the database's own thread, as in the daemon.

    python benchmarks/planning.py [people] [cached files] [rounds]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from daemon.config import Settings, build  # noqa: E402 - only now is the checkout on the path
from daemon.model import (  # noqa: E402
    Changes,
    Demand,
    DemandKind,
    Entry,
    Item,
    ItemType,
    MediaFile,
    Plan,
    Play,
    PlaybackStarted,
    PlayState,
    Retention,
    User,
)
from daemon.planning.planner import is_enough, plan  # noqa: E402
from daemon.recording import record  # noqa: E402
from daemon.situation import Outside, enqueue, look  # noqa: E402
from daemon.state import demands, ledger  # noqa: E402
from daemon.state.store import Connection, Store  # noqa: E402
from daemon.storage.paths import Mappings  # noqa: E402

GB = 10**9
SHOWS, EPISODES = 400, 40
DISK = 4000 * GB


def episode(show: int, number: int) -> Item:
    """Return one episode of a show."""
    path = f"/data/tv/Show {show}/Season {number // 10 + 1}/Show {show} - {number}.mkv"
    return Item(
        f"{show * 1000 + number}",
        ItemType.EPISODE,
        f"Part {number}",
        duration=2700.0,
        files=(MediaFile(path, 2 * GB),),
        show=f"s{show}",
        show_title=f"Show {show}",
        season=number // 10 + 1,
        episode=number % 10 + 1,
    )


def fill(connection: Connection, settings: Settings, people: int, files: int, share: float) -> None:
    """Give everybody eight shows on deck and twenty on the watchlist; that share of it is on the cache."""
    now = time.time()
    dice = Random(1)
    wanted: list[Demand] = []
    items: dict[tuple[int, int], Item] = {}
    for person in range(1, people + 1):
        shows = dice.sample(range(SHOWS), 28)
        for kind, some, count in ((DemandKind.ON_DECK, shows[:8], 6), (DemandKind.WATCHLIST, shows[8:], 3)):
            for show in some:
                first = dice.randrange(EPISODES - count) if kind is DemandKind.ON_DECK else 0
                for position in range(count):
                    item = items.setdefault((show, first + position), episode(show, first + position))
                    since = now - dice.random() * 30 * 86_400
                    wanted.append(Demand(item.rating_key, kind, str(person), since, None, position, item.show))
    more = ((show, number) for number in range(EPISODES) for show in range(SHOWS))
    chosen = list(items)[: int(len(items) * share)]
    while len(chosen) < files:
        if (one := next(more)) not in items:
            items[one] = episode(*one)
            chosen.append(one)
    mappings = Mappings(settings.mapping)
    held = [mappings.locate(items[one].files[0].plex_path, 2 * GB) for one in chosen]
    demands.put_items(connection, items.values())
    demands.apply(connection, Changes(put_demands=tuple(wanted)))
    ledger.put_entries(connection, [Entry(file, 1, now - dice.random() * 9 * 86_400) for file in held])
    kept = [Retention(items[one].rating_key, "1", now + dice.random() * 7 * 86_400, "watched") for one in chosen]
    demands.apply(connection, Changes(put_retentions=tuple(kept)))


def timed(work: Callable[[], object], rounds: int) -> list[float]:
    """Return the milliseconds that each round takes."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1e3)
    return found


def settle(connection: Connection, settings: Settings, free: int, now: float) -> tuple[Plan, Outside]:
    """Carry out plans until one has nothing to do; return it, and the room that is left then."""
    while True:
        outside = Outside({"TV": ("disk", DISK, free)}, {}, sessions_known=True, now=now)
        situation = look(connection, Mappings(settings.mapping), outside, 0.0, everything=True).situation
        made = plan(situation, settings, now)
        if not made.evictions and not [one for one in made.cache_ins if not one.waits]:
            return made, outside
        for gone in made.evictions:
            ledger.drop_entry(connection, gone.entry.file.array_path)
        came = [Entry(one.file, 1, now - 86_400) for one in made.cache_ins if not one.waits]
        ledger.put_entries(connection, came)
        free += sum(one.bytes for one in made.evictions) - sum(one.file.size for one in came)


def measure(connection: Connection, settings: Settings, free: int, rounds: int) -> None:
    """Print what a whole plan and one event take with so much room."""
    mappings, now, dice = Mappings(settings.mapping), time.time(), Random(2)
    made, outside = settle(connection, settings, free, now)

    def whole(*, everything: bool = True) -> object:
        picture = look(connection, mappings, outside, settings.retention.min_stay, everything=everything)
        return picture, plan(picture.situation, settings, now)

    def event() -> None:
        show, number = dice.randrange(SHOWS), dice.randrange(EPISODES - 6)
        item, user = episode(show, number), User("1", "One")
        play = Play(str(dice.random()), "1", item.rating_key, user, "tv", "tv", PlayState.PLAYING, now, now)
        following = [episode(show, number + ahead) for ahead in range(1, 6)]
        connection.execute("SAVEPOINT event")
        record(connection, PlaybackStarted(play, now), item, following, settings)
        picture = look(connection, mappings, outside, settings.retention.min_stay, everything=False, among=next_out)
        made = plan(picture.situation, settings, now)
        if made.pressed and not is_enough(made):
            picture = look(connection, mappings, outside, settings.retention.min_stay, everything=True)
            made = plan(picture.situation, settings, now)
            wholes.append(made)
        enqueue(connection, made, picture.situation, now)
        connection.execute("ROLLBACK TO event")

    leaving = {one.entry.file.array_path for one in made.evictions}
    next_out = frozenset(leaving.union(path for path, _ in made.ranking))
    wholes: list[Plan] = []
    plans, events = timed(whole, rounds), timed(event, rounds)
    print(f"whole plan: median {median(plans):.1f} ms, worst {max(plans):.1f} ms")
    print(f"one event:  median {median(events):.1f} ms, worst {max(events):.1f} ms ({len(wholes)} of {rounds} whole)")


async def main() -> None:
    """Run it."""
    people, files, rounds = (
        int(sys.argv[n]) if len(sys.argv) > n else default for n, default in ((1, 25), (2, 1900), (3, 30))
    )
    paths = {"name": "TV", "plex": "/data/tv", "array": "/mnt/user0/tv", "cache": "/mnt/cache/tv"}
    settings = build({"plex": {"token": "x"}, "mapping": [paths], "users": {"inactive_after": "90d"}})
    print(f"{people} people, {files} files on the cache")
    for text, share, free in (("room for all that is wanted", 1.0, DISK), ("no room for half of it", 0.5, DISK // 10)):
        print(f"-- {text}")
        with tempfile.TemporaryDirectory() as folder:
            async with Store(Path(folder)) as store:
                await store.run(partial(fill, settings=settings, people=people, files=files, share=share))
                await store.run(partial(measure, settings=settings, free=free, rounds=rounds))


if __name__ == "__main__":
    asyncio.run(main())
