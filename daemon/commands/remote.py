"""The commands that ask a running daemon."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click

from daemon.client import Client, DaemonRefused, DaemonUnreachable
from daemon.commands.context import Context
from daemon.commands.waiting import follow
from daemon.model import TaskState

EXIT_FAULT = 1
EXIT_USAGE = 2
EXIT_UNAVAILABLE = 69
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 130

_REFUSED = {
    HTTPStatus.BAD_REQUEST: EXIT_USAGE,
    HTTPStatus.UNAUTHORIZED: EXIT_CONFIG,
    HTTPStatus.SERVICE_UNAVAILABLE: EXIT_UNAVAILABLE,
}

Work = Callable[[Client], Awaitable[int]]

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@as_json_option
@click.pass_obj
def status(context: Context, as_json: bool) -> None:
    """Say how the daemon is."""
    from daemon.commands import listings  # noqa: PLC0415 - rich stays out of the daemon's memory

    async def work(client: Client) -> int:
        listings.show_status(await client.get("status"), as_json=as_json)
        return 0

    _run(context, work)


@click.command()
@as_json_option
@click.pass_obj
def plan(context: Context, as_json: bool) -> None:
    """Show what would be cached and evicted now. Touches nothing."""
    from daemon.commands import listings  # noqa: PLC0415 - likewise

    async def work(client: Client) -> int:
        listings.show_plan(await client.get("plan"), as_json=as_json)
        return 0

    _run(context, work)


_MOST = 1000
"""Rows that the daemon gives at once."""


def _part_of_a_list(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a command that shows a list."""
    for option in (
        as_json_option,
        click.option("--sort", default="", help="A field to sort by; -FIELD: the largest first."),
        click.option("--query", "-q", "q", default="", help="Show only what contains this."),
        click.option("--offset", type=click.IntRange(0), default=0, help="Leave out so many before."),
        click.option("--limit", type=click.IntRange(1, _MOST), default=100, show_default=True, help="Show so many."),
    ):
        command = option(command)
    return command


_LONGEST_SEARCH = 200
_KEY_IN_URL = re.compile(r"metadata(?:/|%2F)(\d+)", re.IGNORECASE)


@click.command()
@click.argument("target", default="")
@_part_of_a_list
@click.pass_obj
def files(context: Context, /, *, target: str, as_json: bool, **asked: str | int) -> None:
    """Show the files on the cache and on their way: why, for whom, until when.

    TARGET (a rating key, a Plex URL, a path, or some text) shows what it names; few files in full.
    """
    from daemon.commands import listings  # noqa: PLC0415 - likewise

    key = _KEY_IN_URL.search(target)
    wanted = key[1] if key else _absolute(target)
    query = {name: str(value) for name, value in asked.items()}
    if wanted:
        query["q"] = wanted[-_LONGEST_SEARCH:]

    async def work(client: Client) -> int:
        listing = await (_named(client, query, wanted) if wanted.isdigit() else client.get("files", query))
        listings.show_files(listing, wanted, as_json=as_json)
        return 0

    _run(context, work)


async def _named(client: Client, query: Mapping[str, str], key: str) -> dict[str, Any]:
    """Return the files of a movie, an episode or a show, however many others hold its digits somewhere."""
    rows: list[dict[str, Any]] = []
    total = 1
    while len(rows) < total:
        part = await client.get("files", {**query, "offset": str(len(rows)), "limit": str(_MOST)})
        total = part["total"] if part["items"] else 0
        rows += part["items"]
    found = [row for row in rows if key in row["rating_keys"]]
    if not found:
        click.echo(f"no file of the rating key {key} is on the cache or on its way", err=True)
        found = [row for row in rows if key in row["plex_path"]]
    start = int(query["offset"])
    return {"items": found[start : start + int(query["limit"])], "total": len(found)}


def _list_command(name: str, text: str) -> click.Command:
    @click.command(name, help=text)
    @_part_of_a_list
    @click.pass_obj
    def command(context: Context, /, *, as_json: bool, **asked: str | int) -> None:
        from daemon.commands import listings  # noqa: PLC0415 - likewise

        query = {key: str(value) for key, value in asked.items()}

        async def work(client: Client) -> int:
            listings.show_list(name, await client.get(name, query), as_json=as_json)
            return 0

        _run(context, work)

    return command


def _target_command(name: str, text: str, done: str = "") -> click.Command:
    @click.command(name, help=text)
    @click.argument("target")
    @click.option("--wait", is_flag=True, help="Wait until it is done, with a progress bar.")
    @as_json_option
    @click.pass_obj
    def command(context: Context, target: str, wait: bool, as_json: bool) -> None:
        body = {"target": _absolute(target)}

        async def work(client: Client) -> int:
            async def ask() -> list[int]:
                answer = await client.post(name, body)
                if said := answer.get("note") or done:
                    click.echo(said, err=True)
                ids: list[int] = answer["tasks"]
                return ids

            return await (_ask_and_wait(client, ask, as_json=as_json) if wait else _ask(ask, as_json=as_json))

        _run(context, work)

    return command


async def _ask(ask: Callable[[], Awaitable[list[int]]], *, as_json: bool) -> int:
    from daemon.commands import output  # noqa: PLC0415 - likewise

    ids = await ask()
    if as_json:
        output.print_json({"tasks": ids})
    else:
        output.print_line("tasks", ", ".join(map(str, ids)) if ids else "none: there is nothing to do")
    return 0


async def _ask_and_wait(client: Client, ask: Callable[[], Awaitable[list[int]]], *, as_json: bool) -> int:
    from daemon.commands import listings, output  # noqa: PLC0415 - likewise

    with output.progress_bars() as bars:
        rows = await follow(client, ask, bars.show)
    listings.show_list("tasks", {"items": rows, "total": len(rows)}, as_json=as_json)
    return 0 if all(row["state"] == TaskState.SUCCEEDED for row in rows) else EXIT_FAULT


def _plain_command(name: str, text: str, done: str) -> click.Command:
    @click.command(name, help=text)
    @as_json_option
    @click.pass_obj
    def command(context: Context, as_json: bool) -> None:
        from daemon.commands import output  # noqa: PLC0415 - likewise

        async def work(client: Client) -> int:
            answer = await client.post(name)
            if as_json:
                output.print_json(answer)
            else:
                output.print_line(done)
            return 0

        _run(context, work)

    return command


def _absolute(target: str) -> str:
    """Return a path as the daemon can take it: it stands in another folder than the one who types."""
    if target.isdigit() or not os.path.lexists(target):
        return target
    return str(Path(target).absolute())


def _run(context: Context, work: Work) -> None:
    """Do `work` with a client and end with its exit code, or with the one that its failure stands for."""
    try:
        code = asyncio.run(_with_client(context, work))
    except DaemonUnreachable as error:
        _complain(str(error))
        code = EXIT_UNAVAILABLE
    except DaemonRefused as error:
        _complain(_explain(error))
        code = _REFUSED.get(HTTPStatus(error.status), EXIT_FAULT)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read this has seen enough.
        code = 0
    sys.exit(code)


async def _with_client(context: Context, work: Work) -> int:
    async with Client(context.settings()) as client:
        return await work(client)


def _explain(error: DaemonRefused) -> str:
    details: Any = error.details
    lines = [str(error)]
    if isinstance(details, dict):
        lines += [f"  {name}: {text}" for name, text in details.items()]
    if error.status == HTTPStatus.UNAUTHORIZED:
        lines.append("  Commands use web.api_key where a password is set.")
    return "\n".join(lines)


def _complain(message: str) -> None:
    click.echo(f"ondeckd: {message}", err=True)


commands: tuple[click.Command, ...] = (
    status,
    files,
    _list_command("tasks", "Show the tasks, the newest first."),
    _list_command("sessions", "Show what plays now."),
    plan,
    _target_command("cache", "Bring TARGET onto the cache: a rating key, a Plex URL, or a path on any tier."),
    _target_command("evict", "Take TARGET off the cache: a rating key, a Plex URL, or a path on any tier."),
    _target_command(
        "pin", "Keep TARGET on the cache for good, and every new episode of it; named as for `cache`.", "pinned"
    ),
    _target_command("unpin", "Take the pin of TARGET back: its files leave as all others do.", "unpinned"),
    _list_command("users", "Show who uses the server, whether they count, and how what they want is read."),
    _list_command("pins", "Show what is pinned."),
    _plain_command("pause", "Start no new tasks.", "paused: no new task starts"),
    _plain_command("resume", "Start tasks again.", "tasks start again"),
    _plain_command("stop", "End running copies cleanly.", "what runs is being ended"),
)
"""All of them, for the command line's group."""
