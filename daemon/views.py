"""What people and programs are shown: model types as JSON rows. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from daemon.model import Demand, Holding, Item, Plan, Play, Task, TaskKind, TaskState, Want
from daemon.planning.scores import score

Row = dict[str, Any]


def iso(moment: float | None) -> str | None:
    """Return a moment as ISO 8601 in UTC, or None."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def demand_row(demand: Demand, users: Mapping[str, str]) -> Row:
    """Return who wants something, why, since when and until when."""
    return {
        "kind": demand.kind,
        "user": users.get(demand.user, demand.user),
        "since": iso(demand.since),
        "until": iso(demand.until),
        "position": demand.position,
    }


def holding_row(holding: Holding, users: Mapping[str, str], min_stay: float, now: float, leaving: Task | None) -> Row:
    """Return a cached file: where it is, who wants it, how long it stays. `leaving`: its eviction, or a failed one."""
    entry = holding.entry
    keep = max(holding.keep_until or 0.0, entry.cached_at + min_stay)
    rating = score(holding.demands, holding.keep_until, now)
    return {
        "plex_path": entry.file.plex_path,
        "array_path": entry.file.array_path,
        "cache_path": entry.file.cache_path,
        "size": entry.file.size,
        "state": "cached" if leaving is None else "failed" if leaving.finished_at else "evicting",
        "error": (leaving.error or None) if leaving else None,
        "score": rating.value,
        "why": rating.why,
        "demands": [demand_row(demand, users) for demand in holding.demands],
        "cached_at": iso(entry.cached_at),
        "keep_until": iso(keep),
        "last_played_at": iso(entry.last_played_at),
        "placement": entry.placement,
    }


def coming_row(task: Task, want: Want | None, users: Mapping[str, str], now: float) -> Row:
    """Return a file that is on its way to the cache, or failed to get there."""
    demands = want.demands if want else ()
    rating = score(demands, None, now)
    return {
        "plex_path": task.file.plex_path,
        "array_path": task.file.array_path,
        "cache_path": task.file.cache_path,
        "size": task.file.size,
        "state": "failed" if task.state is TaskState.FAILED else "caching",
        "error": task.error or None,
        "score": rating.value,
        "why": rating.why,
        "demands": [demand_row(demand, users) for demand in demands],
        "cached_at": None,
        "keep_until": None,
        "last_played_at": None,
        "placement": None,
    }


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


def plan_document(plan: Plan, users: Mapping[str, str]) -> Row:
    """Return what would be cached and evicted, why and for whom, with totals."""
    cache_in = [
        {
            "plex_path": one.file.plex_path,
            "size": one.file.size,
            "score": one.score,
            "why": one.why,
            "waits": one.waits,
            "demands": [demand_row(demand, users) for demand in one.demands],
        }
        for one in plan.cache_ins
    ]
    evict = [
        {"plex_path": one.entry.file.plex_path, "size": one.bytes, "score": one.score, "why": one.why}
        for one in plan.evictions
    ]
    refused = [
        {"plex_path": one.file.plex_path, "size": one.file.size, "score": one.score, "why": one.why}
        for one in plan.refused
    ]
    return {
        "cache_in": cache_in,
        "evict": evict,
        "refused": refused,
        "totals": {
            "cache_in_files": len(cache_in),
            "cache_in_bytes": sum(one.file.size for one in plan.cache_ins),
            "evict_files": len(evict),
            "evict_bytes": sum(one.bytes for one in plan.evictions),
            "refused_files": len(refused),
        },
        "next_change_at": iso(plan.next_due),
    }
