"""One progress bar for work on many files. Imported late, like all that brings rich along."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from daemon.commands.output import plain
from daemon.restoring import Tally, amount

_EACH = 4_000_000
"""A file that needs only another name counts like so many bytes that are copied."""


@contextmanager
def bar() -> Iterator[Callable[[Tally], None]]:
    """Show a bar with the count and the time left on the standard error, if that is a terminal."""
    progress = Progress(
        TextColumn("{task.fields[counted]}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[copied]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[name]}", markup=False),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with progress:
        shown = progress.add_task("", total=None, counted="", copied="", name="")

        def show(tally: Tally) -> None:
            done = min(tally.done, tally.files) * _EACH + min(tally.copied, tally.bytes)
            progress.update(
                shown,
                total=max(1, tally.files * _EACH + tally.bytes),
                completed=done,
                counted=f"{tally.done} of {tally.files} files",
                copied=f"{amount(tally.copied)} of {amount(tally.bytes)} copied" if tally.bytes else "",
                name=plain(tally.path).rpartition("/")[2],
            )

        yield show
