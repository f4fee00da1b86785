"""The daemon's answers as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from daemon.commands import output
from daemon.web.figures import length, moment, size, wishes

Row = dict[str, Any]


def show_list(name: str, listing: Row, *, as_json: bool) -> None:
    """Print a list of `files`, `tasks` or `sessions`."""
    if as_json:
        output.print_json(listing)
        return
    heads, cells = _LISTS[name]
    rows, total = listing["items"], listing["total"]
    note = f"{len(rows)} of {total}" if len(rows) < total else ""
    if rows:
        output.print_table(heads, map(cells, rows), note)
    else:
        output.print_line(f"no {name}" + (f" here, {total} in all" if total else ""))


def show_status(status: Row, *, as_json: bool) -> None:
    """Print how the daemon is."""
    if as_json:
        output.print_json(status)
        return
    tasks = status["tasks"]
    counts = ", ".join(f"{tasks[state]} {state}" for state in ("running", "queued", "failed"))
    output.print_table(
        ("ondeckd", status["version"]),
        [
            ("state", status["state"]),
            ("since", f"{moment(status['started_at'])} UTC"),
            ("cached", f"{status['cached_files']} files, {size(status['cached_bytes'])}"),
            ("playing", status["sessions"]),
            ("tasks", counts),
        ],
    )
    output.print_line()
    checks = [(check["name"], "ok" if check["ok"] else "failed", check["text"]) for check in status["checks"]]
    output.print_table(("check", "", ""), checks)


def show_plan(plan: Row, *, as_json: bool) -> None:
    """Print what would be done, why and for whom."""
    if as_json:
        output.print_json(plan)
        return
    rows = [
        (verb, one["plex_path"], size(one["size"]), one["score"], one["why"], wishes(one.get("demands", [])))
        for key, verb in (("evict", "evict"), ("cache_in", "cache"), ("refused", "leave"))
        for one in plan[key]
    ]
    if rows:
        output.print_table(("do", "file", "size", "score", "why", "for"), rows)
    totals = plan["totals"]
    output.print_line(
        f"cache {totals['cache_in_files']} files ({size(totals['cache_in_bytes'])}),",
        f"evict {totals['evict_files']} ({size(totals['evict_bytes'])}),",
        f"leave {totals['refused_files']} on the array",
    )


def _file(row: Row) -> tuple[object, ...]:
    return (
        row["plex_path"],
        size(row["size"]),
        row["state"],
        row["score"],
        row["error"] or wishes(row["demands"]),
        moment(row["keep_until"]),
    )


def _task(row: Row) -> tuple[object, ...]:
    done = f"{size(row['bytes_done'])} of {size(row['bytes_total'])}" if row["bytes_total"] else ""
    return (row["id"], row["kind"], row["file"], row["state"], done, row["error"] or row["why"])


def _session(row: Row) -> tuple[object, ...]:
    at = f"{length(row['view_offset'])} of {length(row['duration'])}"
    return (row["title"], row["user"], row["player"], row["state"], row["tier"], at)


_LISTS: dict[str, tuple[Sequence[str], Callable[[Row], tuple[object, ...]]]] = {
    "files": (("file", "size", "state", "score", "wanted", "stays until (UTC)"), _file),
    "tasks": (("id", "task", "file", "state", "done", "why"), _task),
    "sessions": (("what", "who", "where", "state", "read from", "at"), _session),
}
