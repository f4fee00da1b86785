"""One page of a list: what matches, in order."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any

from daemon.web.service import Listing, Query


def page(rows: Iterable[dict[str, Any]], query: Query, default_sort: str) -> Listing:
    """Return the part of some rows that a query asks for."""
    needle = query.q.casefold()
    total = 0

    def matching() -> Iterable[dict[str, Any]]:
        nonlocal total
        for row in rows:
            if not needle or any(needle in text.casefold() for text in _texts(row)):
                total += 1
                yield row

    sort = query.sort or default_sort
    key = sort.removeprefix("-")
    # Of ten thousand rows only those of the page, and those before it, are ever there at once.
    choose = heapq.nlargest if sort.startswith("-") else heapq.nsmallest
    found = choose(query.offset + query.limit, matching(), key=lambda row: _rank(row.get(key)))
    return Listing(found[query.offset :], total)


def _texts(value: object) -> Iterator[str]:
    """Yield everything in a row as text."""
    if isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif value is not None:
        yield str(value)


def _rank(value: object) -> tuple[int, float, str]:
    """Order values of any kind: none, then numbers, then text."""
    if value is None:
        return 0, 0.0, ""
    return (1, value, "") if isinstance(value, int | float) else (2, 0.0, str(value).casefold())
