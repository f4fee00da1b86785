"""What the commands print. Imported late: the daemon itself has no use for rich and its memory."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

Row = dict[str, Any]

_NO_TERMINAL = 10_000
"""Columns where nobody looks: lines for a program are never folded."""

_COLOURS = {
    "ok": "green",
    "cached": "green",
    "running": "green",
    "succeeded": "green",
    "cache": "green",
    "failed": "red",
    "paused": "yellow",
}


def plain(value: object) -> str:
    """Return text that a terminal takes as nothing but text: what is not printable becomes an escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in str(value))


def print_json(document: object) -> None:
    """Print JSON."""
    click.echo(json.dumps(document, indent=2))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]], note: str = "") -> None:
    """Print rows under their heads. A known state gets its colour on a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    _print(table)
    if note:
        click.echo(plain(note))


def print_line(*words: object) -> None:
    """Print one line."""
    _print(Text(" ").join(_cell(word) for word in words))


@contextmanager
def progress_bars() -> Iterator[Bars]:
    """Show bars on the standard error while the context lasts, if that is a terminal."""
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with progress:
        yield Bars(progress)


class Bars:
    """One bar for each task."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars: dict[int, TaskID] = {}

    def show(self, row: Row) -> None:
        """Bring the bar of a task up to date."""
        if row["id"] not in self._bars:
            name = plain(row.get("file", "")).rpartition("/")[2]
            self._bars[row["id"]] = self._progress.add_task(f"{row['kind']} {name}", total=None)
        total = row.get("bytes_total") or None
        self._progress.update(self._bars[row["id"]], completed=row.get("bytes_done") or 0, total=total)


def _cell(value: object) -> Text:
    text = plain(value)
    return Text(text, style=_COLOURS.get(text, ""))


def _print(renderable: RenderableType) -> None:
    """Render first and write then, so that all output ends in one way where its reader has gone."""
    at_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if at_terminal else _NO_TERMINAL
    rendered = io.StringIO()
    Console(file=rendered, force_terminal=at_terminal, width=width, highlight=False).print(renderable)
    click.echo("\n".join(line.rstrip() for line in rendered.getvalue().splitlines()))
