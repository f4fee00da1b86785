"""Model values with sensible defaults for tests."""

from __future__ import annotations

from daemon.model import (
    Demand,
    DemandKind,
    Entry,
    File,
    Holding,
    Item,
    ItemType,
    MediaFile,
    Play,
    PlayState,
    Room,
    User,
    Want,
)

GB = 1_000_000_000
NOW = 1_800_000_000.0
ALICE = User("1", "Alice")
BOB = User("22", "Bob")


def file(name: str, size: int = GB, mapping: str = "TV") -> File:
    return File(f"/data/tv/{name}", f"/mnt/user0/tv/{name}", f"/mnt/cache/tv/{name}", mapping, size)


def episode(number: int, *, season: int = 1, size: int = GB, show: str = "100") -> Item:
    key = f"{show}{season:02}{number:02}"
    path = f"/data/tv/Show {show}/S{season:02}E{number:02}.mkv"
    return Item(
        key,
        ItemType.EPISODE,
        f"Part {number}",
        duration=1800.0,
        files=(MediaFile(path, size),),
        show=show,
        show_title=f"Show {show}",
        season=season,
        episode=number,
    )


def play(item: Item, user: User = ALICE, *, key: str = "p1", at: float = NOW, watched: bool = False) -> Play:
    return Play(
        key,
        "7",
        item.rating_key,
        user,
        "tv",
        "Living room",
        PlayState.PLAYING,
        at,
        at,
        duration=item.duration,
        watched=watched,
    )


def demand(kind: DemandKind, key: str = "1", user: str = "1", **more: object) -> Demand:
    return Demand(key, kind, user, NOW, **more)  # type: ignore[arg-type]  # keyword values of any field


def want(name: str, *demands: Demand, size: int = GB) -> Want:
    return Want(file(name, size), demands)


def holding(
    name: str, *demands: Demand, size: int = GB, keep: float | None = None, age: float = 30 * 86_400
) -> Holding:
    return Holding(Entry(file(name, size), 1, NOW - age), demands, keep)


def room(total: int = 100 * GB, free: int = 80 * GB, own: int = 0) -> Room:
    return Room("cache", total, free, own)
