"""Reads a history from a Plex server, and what is known there of the titles in any history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

from daemon.errors import PlexNotFound
from daemon.model import Item, ItemType
from daemon.plex.elements import HistoryRow
from daemon.plex.library import PlexLibrary
from daemon.plex.plays import WATCHED_SHARE
from daemon.simulation.history import Title, Viewing
from daemon.simulation.load import DAY, History, HistoryFault, assemble

_AT_ONCE = 60.0
"""Nobody finishes two titles within so many seconds: those were marked as watched by hand."""

Tell = Callable[[int, int], None]
"""Told how many titles of how many are known by now."""


async def from_plex(library: PlexLibrary, *, days: int, now: float, tell: Tell) -> History:
    """Return what Plex's history says of the last `days`. Raise PlexError, and HistoryFault where it says nothing."""
    rows = await library.history(now - days * DAY)
    people = {user.id: user.title for user in await library.accounts()}
    titles = await catalogue(library, {row.rating_key for row in rows}, tell)
    played, marked = _played([row for row in rows if row.rating_key in titles])
    if not played:
        raise HistoryFault([f"Plex's history has no play of the last {days} days in the libraries that count"])
    notes = [
        "Plex's history holds only what was watched to its end, and nothing of what has been deleted",
        *[f"{len(rows) - len(played) - marked} plays of what is gone or in other libraries, left out"]
        * (len(rows) > len(played) + marked),
        *[f"{marked} titles marked as watched by hand, left out"] * bool(marked),
    ]
    viewings = [_viewing(row, titles[row.rating_key], people.get(row.user) or row.user) for row in played]
    return assemble(f"the last {days} days in Plex", titles.values(), viewings, notes)


async def complete(library: PlexLibrary, history: History, tell: Tell) -> History:
    """Return a history with what Plex knows of its titles: sizes, lengths, and all episodes of their shows."""
    household = history.household
    known = await catalogue(library, {viewing.key for viewing in household.viewings}, tell)
    missing = sum(key not in known for key in household.titles)
    notes = [f"{missing} titles that Plex does not know (any more), taken as the file has them"] * bool(missing)
    titles = {**household.titles, **known}
    return assemble(household.kind, titles.values(), household.viewings, notes)


async def catalogue(library: PlexLibrary, keys: Collection[str], tell: Tell) -> dict[str, Title]:
    """Return what Plex knows of these titles and of all episodes of their shows, by rating key.

    What it does not know (any more), and what is in a library that does not count, is left out.
    """
    found: dict[str, Title] = {}
    others: set[str] = set()
    for number, key in enumerate(sorted(keys), 1):
        tell(number, len(keys))
        if key in found or key in others:
            continue
        try:
            item = await library.item(key)
            if item is None or item.type not in {ItemType.MOVIE, ItemType.EPISODE}:
                continue
            items = await library.leaves(item.show) if item.show else [item]
        except PlexNotFound:
            continue
        if item.selected:
            # The item itself too: a show's list may lag behind.
            found |= {title.key: title for title in _titles((item, *items))}
        else:
            others |= {one.rating_key for one in items}
    return found


def _titles(items: Iterable[Item]) -> Iterable[Title]:
    for item in items:
        yield Title(
            key=item.rating_key,
            size=sum(file.size for file in item.files),
            duration=item.duration,
            show=item.show,
            season=item.season,
            episode=item.episode,
            added_at=item.added_at,
        )


def _played(rows: Sequence[HistoryRow]) -> tuple[list[HistoryRow], int]:
    """Return the rows that come from plays, and how many others there are."""
    by_user = defaultdict(list)
    for row in sorted(rows, key=lambda one: one.at):
        by_user[row.user].append(row)
    played = [row for mine in by_user.values() for row in _alone(mine)]
    return played, len(rows) - len(played)


def _alone(rows: Sequence[HistoryRow]) -> Iterable[HistoryRow]:
    for number, row in enumerate(rows):
        others = [*rows[max(0, number - 1) : number], *rows[number + 1 : number + 2]]
        if all(abs(one.at - row.at) >= _AT_ONCE for one in others if one.rating_key != row.rating_key):
            yield row


def _viewing(row: HistoryRow, title: Title, user: str) -> Viewing:
    # A row is written at the moment from which on the title counts as watched.
    return Viewing(row.at - WATCHED_SHARE * title.duration, user, title.key)
