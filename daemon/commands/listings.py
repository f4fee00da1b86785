"""The daemon's answers as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from daemon.commands import output
from daemon.web.figures import counted, length, moment, size, source

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
    failing = [
        (f"{one['kind']} of {one['user']}" if one["user"] else one["kind"], f"{moment(one['since'])} UTC", one["why"])
        for one in status["failing_sources"]
    ]
    if failing:
        output.print_line()
        output.print_table(("source that fails", "since", ""), failing)


def show_plan(plan: Row, *, as_json: bool) -> None:
    """Print what would be done, why and for whom."""
    if as_json:
        output.print_json(plan)
        return
    rows = [
        (
            verb,
            one["plex_path"],
            size(one["size"]),
            one["score"],
            one["why"],
            one["text"],
            one.get("when", ""),
        )
        for key, verb in (("evict", "evict"), ("cache_in", "cache"), ("refused", "leave"))
        for one in plan[key]
    ]
    if rows:
        output.print_table(("do", "file", "size", "score", "why", "for", "when"), rows)
    for cache in plan["caches"]:
        output.print_line(_cache(cache))
    totals = plan["totals"]
    output.print_line(
        f"cache {totals['cache_in_files']} files ({size(totals['cache_in_bytes'])}),",
        f"evict {totals['evict_files']} ({size(totals['evict_bytes'])}),",
        f"leave {totals['refused_files']} on the array",
    )
    if totals["waiting_files"]:
        output.print_line(f"{counted(totals['waiting_files'])} of these wait until the array is awake")


def _cache(row: Row) -> str:
    """Return what becomes of one cache, in a line."""
    moves = ", ".join(
        f"{counted(row[f'{way}_files'])} {word} ({size(row[f'{way}_bytes'])})"
        for way, word in (("cache_in", "in"), ("evict", "out"))
    )
    after = "" if row["free_after"] is None else f", {size(row['free_after'])} of {size(row['total'])} free afterwards"
    return f"cache of {', '.join(row['mappings'])}: {moves}{after}"


_IN_FULL = 3


def show_files(listing: Row, target: str, *, as_json: bool) -> None:
    """Print a list of files; the one that `target` names (a rating key, a path, or a part of one) in full."""
    found = [row for row in listing["items"] if _is_named(row, target)]
    if not found:
        found = [row for row in listing["items"] if target.casefold() in row["plex_path"].casefold()]
        found = found if len(found) == 1 else []
    if as_json or not target or not 0 < len(found) <= _IN_FULL:
        show_list("files", listing, as_json=as_json)
        return
    for row in found:
        show_file(row)


def _is_named(row: Row, target: str) -> bool:
    return target in {row["plex_path"], row["array_path"], row["cache_path"], *row["rating_keys"]}


def show_file(row: Row) -> None:
    """Print all that is known of one file: why it is here, for whom, and until when."""
    task = row["task"]
    doing = f"{task['kind']} {task['state']}: {task['error'] or task['why']}" if task else ""
    facts = [
        ("", row["text"]),
        ("state", row["error"] or row["state"]),
        ("size", size(row["size"])),
        ("score", f"{row['score']}: {row['why']}"),
        ("on the array", row["array_path"]),
        ("on the cache", row["cache_path"] if row["cached_at"] else ""),
        ("cached", _utc(row["cached_at"])),
        ("placement", row["placement"] or ""),
        ("last played", _utc(row["last_played_at"])),
        ("retained until", _utc(row["retained_until"])),
        ("stays in any case until", _utc(row["min_stay_until"])),
        ("task", doing),
    ]
    output.print_table((row["plex_path"], ""), [(name, value) for name, value in facts if value])
    wants = [(one["text"], one["source"], _utc(one["since"]), _utc(one["until"])) for one in row["demands"]]
    if wants:
        output.print_line()
        output.print_table(("wanted", "by", "since", "until"), wants)
    output.print_line()


def _utc(text: str | None) -> str:
    return f"{moment(text)} UTC" if text else ""


def _file(row: Row) -> tuple[object, ...]:
    return (
        row["plex_path"],
        size(row["size"]),
        row["state"],
        row["score"],
        row["error"] or row["text"],
    )


def _task(row: Row) -> tuple[object, ...]:
    done = f"{size(row['bytes_done'])} of {size(row['bytes_total'])}" if row["bytes_total"] else ""
    return (row["id"], row["kind"], row["file"], row["state"], done, row["error"] or row["why"])


def _session(row: Row) -> tuple[object, ...]:
    at = f"{length(row['view_offset'])} of {length(row['duration'])}"
    return (row["title"], row["user"], row["player"], row["state"], row["tier"], at)


def _pin(row: Row) -> tuple[object, ...]:
    files = f"{row['cached_files']} of {row['files']}"
    return (row["rating_key"], row["type"], row["title"], moment(row["since"]), files, size(row["size"]))


def _user(row: Row) -> tuple[object, ...]:
    sources = {one["kind"]: source(one) for one in row["sources"]}
    decks = [sources.pop(kind, "") for kind in ("on_deck", "watchlist")]
    others = "; ".join(f"{kind}: {text}" for kind, text in sources.items())
    standing = f"{row['state']}: {row['why']}" if row["why"] else row["state"]
    return (row["title"], row["role"], standing, moment(row["last_played_at"]), *decks, others)


_LISTS: dict[str, tuple[Sequence[str], Callable[[Row], tuple[object, ...]]]] = {
    "files": (("file", "size", "state", "score", "why, for whom, until when"), _file),
    "tasks": (("id", "task", "file", "state", "done", "why"), _task),
    "pins": (("key", "what", "title", "since (UTC)", "cached files", "size"), _pin),
    "users": (("who", "role", "state", "last played (UTC)", "on deck", "watchlist", "others"), _user),
    "sessions": (("what", "who", "where", "state", "read from", "at"), _session),
}
