"""What people and programs are shown: model types as JSON rows. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from daemon.model import (
    Demand,
    DemandKind,
    File,
    Holding,
    Item,
    Plan,
    PlannedCacheIn,
    PlannedEviction,
    Play,
    Refusal,
    Task,
    TaskKind,
    TaskState,
    Want,
)
from daemon.planning.scores import score, score_held
from daemon.web import figures
from daemon.web.figures import wish, wishes

Row = dict[str, Any]


def iso(moment: float | None) -> str | None:
    """Return a moment as ISO 8601 in UTC, or None."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SOURCES: Mapping[DemandKind, str] = MappingProxyType(
    {
        DemandKind.PLAYING: "a play",
        DemandKind.NEXT_UP: "a play",
        DemandKind.ON_DECK: "Continue Watching",
        DemandKind.WATCHLIST: "the watchlist",
        DemandKind.PINNED: "a pin",
        DemandKind.RECENT: "Recently Added",
        DemandKind.TRENDING: "Trakt",
    }
)
"""Where each kind of demand comes from, as people know it."""

_ORDER = tuple(DemandKind)


def demand_row(demand: Demand, users: Mapping[str, str]) -> Row:
    """Return who wants something, why, since when and until when."""
    row = {
        "rating_key": demand.rating_key,
        "kind": demand.kind,
        "user": users.get(demand.user, demand.user),
        "since": iso(demand.since),
        "until": iso(demand.until),
        "position": demand.position,
        "source": _SOURCES[demand.kind],
    }
    return row | {"text": wish(row)}


def demand_rows(demands: Iterable[Demand], users: Mapping[str, str]) -> list[Row]:
    """Return who wants a file, the strongest kind and what is nearest first."""
    ordered = sorted(demands, key=lambda demand: (_ORDER.index(demand.kind), demand.position, demand.since))
    return [demand_row(demand, users) for demand in ordered]


def _wanted(demands: Iterable[Demand], users: Mapping[str, str]) -> Row:
    """Return what every row about a file says of those who want it."""
    rows = demand_rows(demands, users)
    return {"demands": rows, "users": list(dict.fromkeys(row["user"] for row in rows if row["user"]))}


def _stay(demands: Sequence[Demand], keep: float, now: float) -> str:
    """Return until when a cached file stays, in words. `keep`: until when it does, wanted or not."""
    at_least = f"until {figures.moment(iso(keep))} UTC" if keep > now else ""
    ends = [demand.until for demand in demands]
    if any(demand.kind is DemandKind.PINNED for demand in demands):
        return "stays for good"
    if None in ends:
        return "stays as long as that holds" + (f", and {at_least} at least" if at_least else "")
    if ends:
        return f"stays until {figures.moment(iso(max(keep, *(end or 0.0 for end in ends))))} UTC"
    return f"stays {at_least}" if at_least else "leaves when its room is needed, or the array is awake"


def holding_row(holding: Holding, users: Mapping[str, str], min_stay: float, now: float, leaving: Task | None) -> Row:
    """Return a cached file: where it is, who wants it, how long it stays. `leaving`: its eviction, or a failed one."""
    entry = holding.entry
    fresh = None if entry.waived else entry.cached_at + min_stay
    keep = max(holding.keep_until or 0.0, fresh or 0.0)
    rating = score_held(holding, now)
    state = "cached" if leaving is None else "failed" if leaving.finished_at else "evicting"
    stay = {"cached": _stay(holding.demands, keep, now), "evicting": "is about to leave"}
    wanted = _wanted(holding.demands, users)
    return {
        "plex_path": entry.file.plex_path,
        "array_path": entry.file.array_path,
        "cache_path": entry.file.cache_path,
        "size": entry.file.size,
        "state": state,
        "error": (leaving.error or None) if leaving else None,
        "score": rating.value,
        "why": rating.why,
        "text": f"{wishes(wanted['demands']) or 'nobody wants it'}; {stay.get(state, 'could not be taken off')}",
        **wanted,
        "cached_at": iso(entry.cached_at),
        "keep_until": iso(keep or None),
        "retained_until": iso(holding.keep_until),
        "min_stay_until": iso(fresh),
        "last_played_at": iso(entry.last_played_at),
        "placement": entry.placement,
        "task": task_row(leaving, None) if leaving else None,
    }


def coming_row(task: Task, want: Want | None, users: Mapping[str, str], now: float) -> Row:
    """Return a file that is on its way to the cache, or failed to get there."""
    demands = want.demands if want else ()
    rating = score(demands, now)
    failed = task.state is TaskState.FAILED
    wanted = _wanted(demands, users)
    return {
        "plex_path": task.file.plex_path,
        "array_path": task.file.array_path,
        "cache_path": task.file.cache_path,
        "size": task.file.size,
        "state": "failed" if failed else "caching",
        "error": task.error or None,
        "score": rating.value,
        "why": rating.why,
        "text": f"{wishes(wanted['demands']) or task.why}; {'could not be copied' if failed else _way(task)}",
        **wanted,
        "cached_at": None,
        "keep_until": None,
        "retained_until": None,
        "min_stay_until": None,
        "last_played_at": None,
        "placement": None,
        "task": task_row(task, None),
    }


def _way(task: Task) -> str:
    if task.state is TaskState.RUNNING:
        return "is being copied"
    return "waits to be copied" if task.urgent else "waits to be copied until the array is awake"


def _moment_of_end(task: Task) -> float:
    """Return when a task ended, so that one that goes on comes last."""
    return math.inf if task.finished_at is None else task.finished_at


def file_rows(
    holdings: Iterable[Holding],
    wants: Iterable[Want],
    tasks: Sequence[Task],
    users: Mapping[str, str],
    min_stay: float,
    now: float,
) -> Iterator[Row]:
    """Yield all files that are on the cache, on their way there or back, or failed to get there."""
    leaving = {task.file.array_path: task for task in sorted(tasks, key=_moment_of_end) if task.kind is TaskKind.EVICT}
    wanted = {want.file.array_path: want for want in wants}
    coming = {task.file.array_path: task for task in tasks if task.kind is TaskKind.CACHE_IN}
    for holding in holdings:
        path = holding.entry.file.array_path
        coming.pop(path, None)
        yield holding_row(holding, users, min_stay, now, leaving.get(path))
    for path, task in coming.items():
        yield coming_row(task, wanted.get(path), users, now)


def task_row(task: Task, progress: tuple[int, int] | None) -> Row:
    """Return a task as it is now."""
    done, total = progress or (task.bytes_done, task.bytes_total)
    return {
        "id": task.id,
        "kind": task.kind,
        "file": task.file.plex_path,
        "state": task.state,
        "priority": task.priority,
        "why": task.why,
        "attempts": task.attempts,
        "error": task.error or None,
        "bytes_done": done,
        "bytes_total": total,
        "created_at": iso(task.created_at),
        "started_at": iso(task.started_at),
        "finished_at": iso(task.finished_at),
    }


def session_row(play: Play, item: Item | None, tier: str) -> Row:
    """Return a play as it is now; `tier` says where its files are read from."""
    return {
        "id": play.id,
        "session_key": play.session_key,
        "rating_key": play.rating_key,
        "title": item.label if item else play.rating_key,
        "user": play.user.title,
        "player": play.player,
        "state": play.state,
        "tier": tier,
        "view_offset": play.view_offset,
        "duration": play.duration,
        "started_at": iso(play.started_at),
        "files": [file.plex_path for file in item.files] if item else [],
    }


def plan_document(plan: Plan, users: Mapping[str, str], *, awake: Collection[str] = ()) -> Row:
    """Return what would be cached and evicted, why, for whom and when, with totals for each cache and in all.

    What is not urgent waits until the array is awake; `awake` names the mappings for which nothing waits.
    """
    cache_in = [
        _planned(one.file, one.file.size, one, users)
        | {"waits": one.waits, "when": "once there is room" if one.waits else _when(one.urgent, one.file, awake)}
        for one in plan.cache_ins
    ]
    evict = [
        _planned(one.entry.file, one.bytes, one, users) | {"when": _when(one.urgent, one.entry.file, awake)}
        for one in plan.evictions
    ]
    refused = [_planned(one.file, one.file.size, one, users) for one in plan.refused]
    waiting = sum(one["when"] == _WHEN_AWAKE for one in (*cache_in, *evict))
    return {
        "cache_in": cache_in,
        "evict": evict,
        "refused": refused,
        "caches": _caches(plan),
        "totals": {
            "cache_in_files": len(cache_in),
            "cache_in_bytes": sum(one.file.size for one in plan.cache_ins),
            "evict_files": len(evict),
            "evict_bytes": sum(one.bytes for one in plan.evictions),
            "refused_files": len(refused),
            "refused_bytes": sum(one.file.size for one in plan.refused),
            "waiting_files": waiting,
        },
        "next_change_at": iso(plan.next_due),
    }


_WHEN_AWAKE = "when the array is awake"


def _when(urgent: bool, file: File, awake: Collection[str]) -> str:
    return "now" if urgent or file.mapping in awake else _WHEN_AWAKE


def _planned(file: File, size: int, one: PlannedCacheIn | PlannedEviction | Refusal, users: Mapping[str, str]) -> Row:
    wanted = _wanted(one.demands, users)
    text = wishes(wanted["demands"])
    return {"plex_path": file.plex_path, "size": size, "score": one.score, "why": one.why, "text": text, **wanted}


def _caches(plan: Plan) -> list[Row]:
    """Return what the plan does to each cache file system; where its space is unknown, for each mapping."""
    coming, leaving = defaultdict(list), defaultdict(list)
    names: dict[str, list[str]] = {}
    for name, room in plan.rooms.items():
        names.setdefault(room.id, []).append(name)
    rooms = {room.id: room for room in plan.rooms.values()}

    def cache_of(file: File) -> str:
        room = plan.rooms.get(file.mapping)
        return room.id if room else names.setdefault(file.mapping, [file.mapping])[0]

    for one in plan.cache_ins:
        coming[cache_of(one.file)].append(one.file.size)
    for gone in plan.evictions:
        leaving[cache_of(gone.entry.file)].append(gone.bytes)
    return [
        {
            "mappings": mappings,
            "cache_in_files": len(coming[key]),
            "cache_in_bytes": sum(coming[key]),
            "evict_files": len(leaving[key]),
            "evict_bytes": sum(leaving[key]),
            "total": rooms[key].total if key in rooms else None,
            "free": rooms[key].free if key in rooms else None,
            "free_after": rooms[key].free - rooms[key].reserved - sum(coming[key]) + sum(leaving[key])
            if key in rooms
            else None,
        }
        for key, mappings in names.items()
    ]
