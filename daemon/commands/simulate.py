"""``ondeckd simulate``: what these settings would have made of a history."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.commands.context import Context
from daemon.config import LogSettings, Settings, missing_to_run
from daemon.errors import ConfigError, PlexError
from daemon.units import Size, WrongValue

if TYPE_CHECKING:  # what simulates is loaded by this command alone
    from daemon.simulation.load import History
    from daemon.simulation.report_runs import Recipe

EXIT_USAGE = 2
EXIT_UNAVAILABLE = 69
_DAYS = 90
_SHARES = ("2%", "5%")
_SHARE = "5%"
"""Of the library of a generated household."""
_USUAL = "500GB"
_TENTHS = 10
_FILE = click.Path(dir_okay=False, path_type=Path)


def _sizes(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[Size, ...]:
    sizes = []
    for text in given:
        try:
            sizes.append(Size.parse(text))
        except WrongValue as error:
            raise click.BadParameter(f"{text!r} {error}; allowed: {error.allowed}", context, option) from error
        if not sizes[-1]:
            raise click.BadParameter("without any cache there is nothing to simulate", context, option)
    return tuple(sizes)


_DECIDING = ("playback", "on_deck", "watchlist", "recent", "trending", "users", "retention", "schedule")
"""The tables of settings that say what is cached and for how long."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked for, beside where the history comes from."""

    settings: Settings
    capacities: tuple[Size, ...]
    as_json: bool
    svg: Path | None
    write: Path | None
    advice: bool


@click.command()
@click.argument("csv", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--plex", is_flag=True, help="Complete the CSV with what Plex knows of its titles.")
@click.option("--days", type=click.IntRange(1, 3650), help=f"The last so many days; without a CSV {_DAYS}.")
@click.option("--capacity", "capacities", multiple=True, callback=_sizes, help="The cache: 500GB; 2%: of the library.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--svg", type=_FILE, help="Draw what caches of several sizes serve.")
@click.option("--advice/--no-advice", default=True, help="Try which settings would have done better; takes a while.")
@click.option("--generated", is_flag=True, help="Replay generated households instead.")
@click.option("--kind", "kinds", multiple=True, help="With --generated: only this kind; may be given again.")
@click.option("--seed", type=int, default=1, show_default=True, help="With --generated: other dice.")
@click.option("--write", type=_FILE, help="With --generated: where the table goes.")
@click.pass_obj
def simulate(
    context: Context,
    csv: Path | None,
    plex: bool,
    days: int | None,
    capacities: tuple[Size, ...],
    as_json: bool,
    svg: Path | None,
    advice: bool,
    generated: bool,
    kinds: tuple[str, ...],
    seed: int,
    write: Path | None,
) -> None:
    """Replay a history against these settings: hits, wake-ups of the array, bytes written.

    The history is that of Plex, or a CSV whose first line names its columns: at, user, rating_key, and where known
    title, show, season, episode, size, duration, begin, end, type.
    """
    _check_combination(csv, plex=plex, generated=generated, kinds=kinds, write=write)
    for path in (svg, write):
        if path and not path.parent.is_dir():
            raise click.UsageError(f"{path}: there is no folder {path.parent}")
    wish = _Wish(context.settings(), capacities, as_json, svg, write, advice)
    if generated:
        _generated(wish, _recipes(kinds, seed, days or _DAYS))
        return
    _one(wish, _history(wish.settings, csv, plex=plex, days=days))


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Say on the standard error how far it is: on a terminal in one line, else at every tenth."""
    at_terminal = sys.stderr.isatty()
    said = -1

    def tell(done: int, total: int) -> None:
        nonlocal said
        if at_terminal:
            click.echo(f"\r{done} of {total} {what}   ", nl=False, err=True)
        elif (tenth := _TENTHS * done // total) != said:
            said = tenth
            click.echo(f"{done} of {total} {what}", err=True)

    try:
        yield tell
    finally:
        if at_terminal:
            click.echo(err=True)


def _check_combination(
    csv: Path | None, *, plex: bool, generated: bool, kinds: Sequence[str], write: Path | None
) -> None:
    if generated and (csv or plex):
        raise click.UsageError("--generated makes its own history; leave out the CSV and --plex")
    if not generated and (kinds or write):
        raise click.UsageError("--kind and --write go with --generated")


def _recipes(kinds: Sequence[str], seed: int, days: int) -> list[Recipe]:
    from daemon.simulation.generate import KINDS  # noqa: PLC0415 - the other commands start faster without it
    from daemon.simulation.report_runs import Recipe  # noqa: PLC0415 - likewise

    for kind in kinds:
        if kind not in KINDS:
            raise click.BadParameter(f"{kind!r} is none; allowed: {', '.join(KINDS)}", param_hint="--kind")
    return [Recipe(kind, seed, days) for kind in (kinds or KINDS)]


def _history(settings: Settings, csv: Path | None, *, plex: bool, days: int | None) -> History:
    """Return the history, or end with one line for each fault."""
    from daemon.simulation.load import HistoryFault, latest  # noqa: PLC0415 - likewise
    from daemon.simulation.load_csv import from_csv  # noqa: PLC0415 - likewise

    try:
        read = from_csv(csv) if csv else None
        if read and days:
            read = latest(read, days)
        if read and not plex:
            return read
        return asyncio.run(_ask_plex(settings, read, days or _DAYS))
    except HistoryFault as error:
        for fault in error.faults:
            click.echo(f"ondeckd: {fault}", err=True)
        sys.exit(EXIT_USAGE)
    except PlexError as error:
        click.echo(f"ondeckd: {settings.plex.url}: {error}", err=True)
        sys.exit(EXIT_UNAVAILABLE)


async def _ask_plex(settings: Settings, read: History | None, days: int) -> History:
    from daemon.clock import Clock  # noqa: PLC0415 - likewise
    from daemon.logs import configure  # noqa: PLC0415 - likewise
    from daemon.plex.library import PlexLibrary  # noqa: PLC0415 - likewise
    from daemon.simulation.load_plex import complete, from_plex  # noqa: PLC0415 - likewise

    if missing := [line for line in missing_to_run(settings) if line.startswith("plex")]:
        raise ConfigError(missing)
    configure(LogSettings(level="error", format="console"), sys.stderr, env=os.environ)
    plex = settings.plex
    async with PlexLibrary.of(plex, Clock()) as library:
        await library.connect()
        with _progress("titles read from Plex") as tell:
            if read:
                return await complete(library, read, tell)
            return await from_plex(library, days=days, now=time.time(), tell=tell)


def _generated(wish: _Wish, recipes: Sequence[Recipe]) -> None:
    from daemon.simulation.load import History  # noqa: PLC0415 - likewise

    if len(recipes) == 1 and not wish.write:
        share = wish.capacities or (Size.parse(_SHARE),)
        _one(replace(wish, capacities=share), History(recipes[0].make()))
        return
    if wish.svg:
        raise click.UsageError("--svg draws one household; choose one with --kind")
    from daemon.commands import output  # noqa: PLC0415 - rich stays out of the daemon's memory
    from daemon.simulation.report_cases import measure  # noqa: PLC0415 - likewise
    from daemon.simulation.report_table import cases_document, page  # noqa: PLC0415 - likewise

    capacities = wish.capacities or tuple(map(Size.parse, _SHARES))
    with _progress("replays") as tell:
        cases = measure(recipes, capacities, wish.settings, tell)
    first = recipes[0]
    about = f"{first.days} days of each household, seed {first.seed}, with {_differing(wish.settings)}."
    text = page(cases, command=_command(wish, recipes, capacities), about=about)
    if wish.write:
        wish.write.write_text(text, encoding="utf-8")
    if wish.as_json:
        output.print_json(cases_document(cases))
    elif not wish.write:
        click.echo(text, nl=False)


def _command(wish: _Wish, recipes: Sequence[Recipe], capacities: Sequence[Size]) -> str:
    """Return the command that prints the same table."""
    from daemon.simulation.generate import KINDS  # noqa: PLC0415 - likewise

    words = ["ondeckd simulate --generated", f"--days {recipes[0].days}", f"--seed {recipes[0].seed}"]
    words += [f"--kind {recipe.kind}" for recipe in recipes if len(recipes) < len(KINDS)]
    words += [f"--capacity {capacity}" for capacity in capacities if wish.capacities]
    return " ".join([*words, *([f"--write {wish.write}"] if wish.write else [])])


def _differing(settings: Settings) -> str:
    """Return which of the settings that decide differ from the defaults."""
    from daemon.settings.tree import dotted, flat  # noqa: PLC0415 - likewise

    defaults = flat(Settings())
    found = {
        dotted(key): value
        for key, value in flat(settings).items()
        if key[0] in _DECIDING and value != defaults.get(key)
    }
    return ", ".join(f"{key} = {str(value).lower()}" for key, value in found.items()) or "the settings as they ship"


def _one(wish: _Wish, history: History) -> None:
    """Report on one household."""
    from daemon.commands.simulate_output import show  # noqa: PLC0415 - rich stays out of the daemon's memory
    from daemon.simulation.advice import advise  # noqa: PLC0415 - likewise
    from daemon.simulation.plot_sizes import plot  # noqa: PLC0415 - likewise
    from daemon.simulation.report import OURS  # noqa: PLC0415 - likewise
    from daemon.simulation.report_cases import compare  # noqa: PLC0415 - likewise

    if len(wish.capacities) > 1:
        raise click.UsageError("only the table of --generated takes more than one --capacity")
    household, settings = history.household, wish.settings
    capacity, where = _capacity(wish, household.bytes)
    with _progress("replays") as tell:
        results = compare(household, settings, Size(bytes=capacity), tell)
        ours = next(result for result in results if result.policy == OURS)
        better = advise(household, settings, capacity, ours, tell) if wish.advice else []
        if wish.svg:
            wish.svg.write_text(plot(household, settings, capacity, tell), encoding="utf-8")
    show(history, where, results, better if wish.advice else None, as_json=wish.as_json)


def _capacity(wish: _Wish, library: int) -> tuple[int, str]:
    """Return the size of the cache, and where it comes from."""
    from daemon.simulation.report_runs import configured_capacity  # noqa: PLC0415 - likewise

    if wish.capacities:
        size = wish.capacities[0]
        return max(1, size.of(library)), f"{size} of the titles known here" if size.percent else "as asked for"
    if room := configured_capacity(wish.settings):
        return room, "as the space settings allow on the caches of the mappings"
    return Size.parse(_USUAL).of(library), "as no cache could be measured; --capacity says another"
