"""``ondeckd restore``: the way out."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path

import click

from daemon.client import Client, DaemonRefused, DaemonUnreachable
from daemon.commands.context import Context
from daemon.config import Loaded, LogSettings, Settings, state_directory
from daemon.errors import StateError
from daemon.executor import executor_for
from daemon.lock import single_instance
from daemon.restoring import AGAIN, Report, Tally, Way, amount

EXIT_FAULT = 1
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 130


@click.command()
@click.option("--offline", is_flag=True, help="Go by the folders alone, without daemon, Plex and database.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def restore(context: Context, offline: bool, yes: bool, as_json: bool) -> None:
    """Bring every file back to the array: the way out.

    Without a daemon nobody asks Plex what plays; who has a file open reads on.
    """
    try:
        code = asyncio.run(_restore(context.load(), os.environ, offline=offline, yes=yes, as_json=as_json))
    except (DaemonUnreachable, DaemonRefused) as error:
        click.echo(f"ondeckd: {error}", err=True)
        refused = isinstance(error, DaemonRefused) and error.status == HTTPStatus.UNAUTHORIZED
        code = EXIT_CONFIG if refused else EXIT_FAULT
    except KeyboardInterrupt:
        click.echo(f"ondeckd: interrupted; {AGAIN}", err=True)
        code = EXIT_INTERRUPTED
    except _Interrupted as error:
        click.echo(f"ondeckd: interrupted; {error}", err=True)
        code = EXIT_INTERRUPTED
    sys.exit(code)


class _Interrupted(Exception):
    """A person has ended it; with what to do now."""


async def _restore(loaded: Loaded, env: Mapping[str, str], *, offline: bool, yes: bool, as_json: bool) -> int:
    from daemon.commands.bar import bar  # noqa: PLC0415 - rich stays out of the daemon's memory
    from daemon.logs import configure  # noqa: PLC0415 - the other commands log nothing

    if not loaded.settings.mapping:
        click.echo("ondeckd: no [[mapping]] is configured, so nothing says what to bring back, and where", err=True)
        return EXIT_CONFIG
    # What matters is reported at the end, with the file that it is about.
    configure(LogSettings(level="error", format="console"), sys.stderr, env=env)
    async with _way(loaded.settings, env, offline=offline) as way:
        try:
            tally = await way.survey()
            if tally.files and not yes and sys.stdin.isatty():
                _confirm(tally)
            with bar() as show:
                report = await way.run(tally, show)
        except asyncio.CancelledError:
            raise _Interrupted(way.interrupted) from None
    _print(report, offline=offline, as_json=as_json)
    return EXIT_FAULT if report.left else 0


@asynccontextmanager
async def _way(settings: Settings, env: Mapping[str, str], *, offline: bool) -> AsyncIterator[Way]:
    """Choose: a daemon that runs does it itself; beside one, nobody else may."""
    from daemon.commands.leaving import ThroughDaemon  # noqa: PLC0415 - likewise
    from daemon.restoring import Alone, Offline  # noqa: PLC0415 - likewise
    from daemon.state.store import Store  # noqa: PLC0415 - likewise

    async with Client(settings) as client:
        if offline:
            await _demand_silence(client)
        elif await _answers(client):
            yield ThroughDaemon(client, settings.mapping)
            return
    directory, executor = state_directory(settings, env), executor_for(settings)
    try:
        with _alone(directory, needed=not offline):
            if offline:
                yield Offline(settings, executor)
                return
            async with Store(directory) as store:
                yield Alone(settings, store, executor)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


async def _answers(client: Client) -> bool:
    try:
        await client.get("status")
    except DaemonUnreachable:
        return False
    return True


async def _demand_silence(client: Client) -> None:
    """Raise StateError if a daemon answers, whatever it says: it may have another state folder than the one here."""
    try:
        answers = await _answers(client)
    except DaemonRefused:
        answers = True
    if answers:
        raise StateError("a daemon answers at web.listen; stop it first, or leave out --offline and let it do the work")


@contextmanager
def _alone(directory: Path, *, needed: bool) -> Iterator[None]:
    """Keep a daemon from running meanwhile. A folder that cannot be used is no matter where it is not `needed`."""
    with ExitStack() as held:
        try:
            held.enter_context(single_instance(directory))
        except StateError as error:
            if isinstance(error.__cause__, BlockingIOError):
                raise StateError(f"{error}; stop it first") from error
            if needed:
                raise
            click.echo(f"note: {error}; so nothing keeps a daemon from starting before this has ended", err=True)
        yield


def _confirm(tally: Tally) -> None:
    # The loop's own handler takes a first Ctrl-C for later, and this waits in the loop's thread.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        click.confirm(_question(tally), abort=True, err=True)
    finally:
        signal.signal(signal.SIGINT, handler)


def _question(tally: Tally) -> str:
    files = f"{tally.files} file{'s'[: tally.files != 1]}"
    size = f"; {amount(tally.bytes)} of them have to be copied" if tally.bytes else ""
    return f"Bring {files} back to the array{size}?"


def _print(report: Report, *, offline: bool, as_json: bool) -> None:
    from daemon.commands import output  # noqa: PLC0415 - rich stays out of the daemon's memory

    if as_json:
        output.print_json(
            {
                "restored": report.restored,
                "left": [{"path": path, "why": why} for path, why in report.left],
                "kept": [{"path": path, "why": why} for path, why in report.kept],
                "notes": report.notes,
                "paused": report.paused,
            }
        )
        return
    if report.restored:
        files = f"{report.restored} file{'s'[: report.restored != 1]}"
        all_home = not report.left and not report.unsure
        click.echo(f"{files} came back to the array." + (" Nothing of ondeckd's is left on the cache." * all_home))
    elif report.unsure and not report.left:
        click.echo("Nothing was found to bring back.")
    elif not report.left:
        click.echo("Everything is on the array already; there was nothing to do.")
    for path, why in report.kept:
        click.echo(output.plain(f"note: {path}: {why}"))
    for note in report.notes:
        click.echo(output.plain(f"note: {note}"))
    for path, why in report.left:
        click.echo(output.plain(f"LEFT: {path}: {why}"))
    if report.paused:
        click.echo("ondeckd stays paused: it caches nothing until `ondeckd resume`.")
    elif offline:
        click.echo("A daemon that is started now begins to cache again.")
