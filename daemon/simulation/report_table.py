"""The table over all kinds of households, as a page in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from typing import Any

from daemon.simulation.engine import Result
from daemon.simulation.generate import KINDS
from daemon.simulation.report import (
    BATCH,
    CLAIRVOYANT,
    EXPLAINED,
    LRU,
    NOTHING,
    OURS,
    Bound,
    Case,
    average,
    document,
    failures,
    percent,
    written_a_day,
)

_MISSES, _WAKEUPS, _HOURS, _WRITTEN, _MORE = range(5)
"""Places in `Case.bounds`."""


def page(cases: Sequence[Case], *, command: str, about: str) -> str:
    """Return the whole page. `command` prints it again; `about` says what was replayed."""
    lines = [
        "# What ondeckd would have done: the table",
        "",
        f"Printed by `{command}`. {about}",
        "What the words mean, and how to run it on your own history, is in [simulation.md](simulation.md).",
        "",
        *_verdict(cases),
    ]
    for capacity in dict.fromkeys(case.capacity for case in cases):
        lines += ["", f"## A cache of {capacity} of the library", ""]
        lines += _chapter([case for case in cases if case.capacity == capacity])
    lines += ["", "## The households", "", *_table(("kind", "how it watches"), _kinds(cases))]
    return "\n".join(lines) + "\n"


def cases_document(cases: Sequence[Case]) -> dict[str, Any]:
    """Return the same for a program."""
    return {
        "cases": [
            {
                "kind": case.kind,
                "capacity": case.capacity,
                "policies": [document(result) for result in case.results.values()],
                "cache_current_off": document(case.bare),
                "bounds": [_bound_document(bound) for bound in case.bounds()],
            }
            for case in cases
        ],
        "average": _bound_document(average(cases)),
    }


def _bound_document(bound: Bound) -> dict[str, Any]:
    ratios = {"ratio": _finite(bound.ratio), "floor": _finite(bound.floor)}
    return {"name": bound.name, **ratios, "most": bound.most, "holds": bound.holds}


def _finite(ratio: float | None) -> float | None:
    # JSON knows no infinity: something against nothing.
    return ratio if ratio is not None and isfinite(ratio) else None


def _verdict(cases: Sequence[Case]) -> Iterator[str]:
    total = sum(len(case.bounds()) for case in cases)
    failed = list(failures(cases))
    mean = average(cases)
    yield f"Of {total} bounds {total - len(failed)} hold. Of the plays of shows that anyone in the house had started"
    yield f"before, ondeckd misses on average {mean} of what the hourly batch misses (at most 0.33 is wanted)."
    if failed:
        yield "What can be reached at best is what is left where all is on the cache in time that could be foreseen:"
        yield "of hours awake, plays of films that nobody had listed and of shows that nobody had begun, what is new"
        yield "and is written to the array, and copies of what was listed while it slept and played before it woke; of"
        yield "bytes, one copy of each episode of the others."
        yield ""
        yield "These do not hold:"
        yield ""
        yield from (f"- {line}" for line in failed)


def _chapter(cases: Sequence[Case]) -> Iterator[str]:
    yield "Plays that were served from the cache, and in brackets hours:"
    yield ""
    heads = ("kind", "plays", *EXPLAINED)
    yield from _table(heads, ((case.kind, str(_any(case).plays), *_each(case, _served)) for case in cases))
    yield ""
    yield "Plays of shows begun before that were missed; ondeckd may miss half as many as the batch:"
    yield ""
    heads = ("kind", "such plays", *EXPLAINED, "ondeckd / batch")
    rows = [(case.kind, str(_any(case).followed), *_each(case, _missed), _bound(case, _MISSES)) for case in cases]
    yield from _table(heads, [*rows, ("average", *[""] * (len(heads) - 2), str(average(cases)))])
    yield ""
    yield "How often the array woke on a day, and in brackets for how many hours; ondeckd may reach 0.6 of the batch:"
    yield ""
    heads = ("kind", *EXPLAINED, "wake-ups, ondeckd / batch", "hours, ondeckd / batch")
    yield from _table(heads, ((case.kind, *_each(case, _awake), *_bounds(case, _WAKEUPS, _HOURS)) for case in cases))
    yield ""
    yield "Gigabytes written to the cache on a day. With `playback.cache_current` off, ondeckd may write 1.2 times as"
    yield "much as the batch; with it on, at most what was played (each title once) more:"
    yield ""
    heads = ("kind", "ondeckd, cache_current off", *_WRITING, "off / batch", "more with it on / played")
    yield from _table(heads, ((case.kind, *_written(case), *_bounds(case, _WRITTEN, _MORE)) for case in cases))


_WRITING = (OURS, BATCH, LRU, CLAIRVOYANT)


def _served(result: Result) -> str:
    if result.policy == NOTHING:
        return "0"
    return f"{percent(result.plays_cached, result.plays)} ({percent(result.hours_cached, result.hours)})"


def _missed(result: Result) -> str:
    return str(result.followed_missed)


def _awake(result: Result) -> str:
    return f"{result.wakeups_a_day:.2f} ({result.hours_awake_a_day:.2f})"


def _written(case: Case) -> Iterator[str]:
    for result in (case.bare, *(case.results[policy] for policy in _WRITING)):
        yield f"{written_a_day(result):.1f}"


def _each(case: Case, text: Callable[[Result], str]) -> Iterator[str]:
    return (text(case.results[policy]) for policy in EXPLAINED)


def _bounds(case: Case, *places: int) -> Iterator[str]:
    return (_bound(case, place) for place in places)


def _bound(case: Case, place: int) -> str:
    return str(case.bounds()[place])


def _any(case: Case) -> Result:
    return case.results[OURS]


def _kinds(cases: Sequence[Case]) -> Iterator[Sequence[str]]:
    for kind in dict.fromkeys(case.kind for case in cases):
        yield kind, KINDS.get(kind, "")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    # Figures stand to the right.
    yield f"|---|{'---:|' * (len(heads) - 1)}" if len(heads) > len(("kind", "text")) else "|---|---|"
    for cells in rows:
        yield f"| {' | '.join(cells)} |"
