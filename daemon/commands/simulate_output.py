"""What ``ondeckd simulate`` prints of one household. Imported late: rich stays out of the daemon's memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daemon.commands import output
from daemon.simulation.advice import Advice
from daemon.simulation.engine import Result
from daemon.simulation.load import History
from daemon.simulation.report import HEADS, document, row
from daemon.web.figures import size


def show(
    history: History, where: str, results: Sequence[Result], better: Sequence[Advice] | None, *, as_json: bool
) -> None:
    """Print what each policy made of a history; `where` the cache's size comes from; `better` None: not tried."""
    if as_json:
        output.print_json(_document(history, results, better or ()))
        return
    household, first = history.household, results[0]
    output.print_line(
        f"{household.kind}: {first.plays} plays in {first.days:.0f} days;",
        f"{len(household.titles)} titles, {size(household.bytes)};",
        f"a cache of {size(first.capacity)}, {where}",
    )
    for note in history.notes:
        output.print_line(f"note: {note}")
    output.print_line()
    output.print_table(HEADS, map(row, results))
    if better is None:
        return
    output.print_line()
    if better:
        output.print_line("These settings would have done better:")
        rows = [(one.text, "; ".join(one.gains), "; ".join(one.costs) or "-") for one in better]
        output.print_table(("settings", "gains", "at the cost of"), rows)
    else:
        output.print_line("No setting that was tried would have done better in one respect and worse in none.")


def _document(history: History, results: Sequence[Result], better: Sequence[Advice]) -> dict[str, Any]:
    advice = [
        {"settings": one.text, "gains": one.gains, "costs": one.costs, "result": document(one.result)} for one in better
    ]
    return {
        "history": history.household.kind,
        "library_bytes": history.household.bytes,
        "capacity": results[0].capacity,
        "notes": history.notes,
        "policies": [document(result) for result in results],
        "advice": advice,
    }
