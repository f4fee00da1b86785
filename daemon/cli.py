"""The command line. Every command is a thin call into the rooms below."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import click

from daemon import __version__
from daemon.commands.audit import audit
from daemon.commands.context import Context
from daemon.commands.remote import commands
from daemon.commands.restore import restore
from daemon.commands.simulate import simulate
from daemon.errors import ConfigError, OndeckdError
from daemon.units import WrongValue, parse_duration

EXIT_FAULT = 1
EXIT_UNAVAILABLE = 69
EXIT_CONFIG = 78


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "option", type=click.Path(path_type=Path), help="The configuration file.")
@click.version_option(__version__, prog_name="ondeckd")
@click.pass_context
def cli(context: click.Context, option: Path | None) -> None:
    """Keep what people watch on Plex, and are about to watch, on fast storage."""
    context.obj = Context(option)


@cli.command()
@click.option("--dry-run", is_flag=True, help="Decide and log, but move nothing.")
@click.pass_obj
def run(context: Context, dry_run: bool) -> None:
    """Run the daemon in the foreground."""
    # There is nothing to read again before it has been read; unhandled, this signal would kill.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from daemon.app import serve  # noqa: PLC0415 - the other commands start faster without it

    sys.exit(asyncio.run(serve(context.load(), os.environ, dry_run=dry_run)))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def check(context: Context, as_json: bool) -> None:
    """Say in one line each what works and what does not."""
    from daemon.commands.check import check as perform  # noqa: PLC0415 - likewise

    sys.exit(asyncio.run(perform(context.load(), os.environ, as_json=as_json)))


@cli.command()
@click.option("--for", "duration", default="0", help="Stop by itself after so long, for example 60s.")
@click.option("--listen", default="127.0.0.1:0", show_default=True, help="Where the dashboard is served.")
def demo(duration: str, listen: str) -> None:
    """Show everything at work on throw-away folders against a simulated Plex server."""
    from daemon.commands.demo import demo as perform  # noqa: PLC0415 - likewise

    try:
        seconds = parse_duration(duration)
    except WrongValue as error:
        raise click.BadParameter(f"{error}; allowed: {error.allowed}", param_hint="--for") from error
    sys.exit(asyncio.run(perform(seconds, listen, os.environ)))


@cli.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


@cli.command("hash-password")
@click.password_option(help="Asked for when left out.")
def hash_password(password: str) -> None:
    """Print the hash of a password for `web.password_hash`."""
    from daemon.web.auth import hash_password as hashed  # noqa: PLC0415 - likewise

    click.echo(hashed(password))


for command in (*commands, audit, restore, simulate):
    cli.add_command(command)


def main() -> None:
    """Run the command line; foreseen errors become one line and an exit code."""
    try:
        cli()
    except ConfigError as error:
        for fault in error.faults:
            click.echo(fault, err=True)
        sys.exit(EXIT_CONFIG)
    except OndeckdError as error:
        click.echo(f"ondeckd: {error}", err=True)
        sys.exit(EXIT_FAULT)
