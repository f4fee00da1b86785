"""``ondeckd audit``: what is not as it should be, and its fixes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import click

from daemon.client import Client, DaemonRefused, DaemonUnreachable
from daemon.commands.context import Context
from daemon.config import LogSettings, Settings, state_directory
from daemon.storage.findings import ADOPT, ALL, FIXES, KINDS, UNFIXED

EXIT_FAULT = 1
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 130

Row = dict[str, Any]


def _table() -> str:
    """Return the table of all findings, as click prints it: the lines after a backspace are left as they are."""
    lines = [f"{name}\n    {kind.means}; fix: {kind.fix or 'none'}" for name, kind in KINDS.items()]
    return "\b\n" + "\n".join(lines)


_HELP = f"""Compare the ledger with the cache, and with --array also with the array.

Without --array nothing on the array is touched. With it, copies with a recorded checksum are read to their end too.

A fix looks again before it acts, deletes nothing that is not proven to be elsewhere, and leaves alone what is being
worked on. The code is 0 if nothing is found, or all of it was fixed, 78 if there is no [[mapping]], else 1.

What can be found, and its fix:

{_table()}

--fix {ADOPT} is foreign-copy, unentered-link, and duplicate where ondeckd did not place the copy; --fix {ALL} is
everything that has a fix.
"""


def _fixes(_context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what is none of `FIXES`; for what is only reported, say what it is."""
    for name in names:
        if name not in FIXES:
            raise click.BadParameter(UNFIXED.get(name) or f"{name} is none of {', '.join(FIXES)}.")
    return names


@click.command(help=_HELP)
@click.option("--array", is_flag=True, help="Look at the array too. This wakes its disks.")
@click.option("--fix", "fixes", multiple=True, callback=_fixes, metavar="NAME", help="Fix these findings.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def audit(context: Context, array: bool, fixes: tuple[str, ...], as_json: bool) -> None:
    """Compare, print, and end with the exit code."""
    from daemon.commands import output  # noqa: PLC0415 - rich stays out of the daemon's memory

    settings = context.settings()
    if not settings.mapping:
        click.echo("ondeckd: no [[mapping]] is configured, so there is nothing to audit", err=True)
        sys.exit(EXIT_CONFIG)
    try:
        found = asyncio.run(_audit(settings, os.environ, fixes, array=array))
    except (DaemonRefused, DaemonUnreachable) as error:
        click.echo(f"ondeckd: {error}", err=True)
        refused = isinstance(error, DaemonRefused) and error.status == HTTPStatus.UNAUTHORIZED
        sys.exit(EXIT_CONFIG if refused else EXIT_FAULT)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    if as_json:
        output.print_json(found)
    else:
        _print(found, fixing=bool(fixes))
    sys.exit(0 if all(row["fixed"] for row in found["items"]) else EXIT_FAULT)


async def _audit(settings: Settings, env: Mapping[str, str], fixes: Sequence[str], *, array: bool) -> Row:
    """Ask the daemon; where none answers, do it here, with none beside."""
    async with Client(settings) as client:
        try:
            if fixes:
                return await client.post("audit/fix", {"fix": list(fixes), "array": array}, slow=True)
            return await client.get("audit", {"array": str(int(array)), "all": "1"}, slow=True)
        except DaemonUnreachable:
            pass
    async with _alone(settings, env, recover=array and bool(fixes)) as auditing:
        rows, tasks = (await auditing.repair(fixes, array=array)) if fixes else (await auditing.report(array=array), [])
    return {"items": rows, "total": len(rows)} | ({"tasks": tasks} if fixes else {})


@asynccontextmanager
async def _alone(settings: Settings, env: Mapping[str, str], *, recover: bool) -> AsyncIterator[Any]:
    from daemon.auditing import alone  # noqa: PLC0415 - likewise
    from daemon.logs import configure  # noqa: PLC0415 - the other commands log nothing

    configure(LogSettings(level="warning", format="console"), sys.stderr, env=env)
    async with alone(settings, state_directory(settings, env), recover=recover) as auditing:
        yield auditing


def _print(found: Row, *, fixing: bool) -> None:
    from daemon.commands import output  # noqa: PLC0415 - rich stays out of the daemon's memory

    rows = found["items"]
    if not rows:
        output.print_line("nothing is found: all is as it should be")
        return
    if fixing:
        heads: tuple[str, ...] = ("finding", "file", "fixed", "what was done")
        cells = [
            (row["name"], row["path"], "yes" if row["fixed"] else "no", row["said"] or row["text"]) for row in rows
        ]
    else:
        heads = ("finding", "file", "what it means", "fix")
        means = {name.value: kind.means for name, kind in KINDS.items()}
        cells = [
            (row["name"], row["path"], f"{means[row['name']]}: {row['text']}", row["fix"] or "none") for row in rows
        ]
    fixed = f", {sum(row['fixed'] for row in rows)} fixed" if fixing else ""
    output.print_table(heads, cells, f"{len(rows)} {'finding' if len(rows) == 1 else 'findings'}{fixed}")
