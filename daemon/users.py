"""Who uses the server, as people see it: whether each counts, and how what they want is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from daemon.clock import Clock
from daemon.config import Settings
from daemon.model import DemandKind, Person, SourceState
from daemon.paging import page
from daemon.planning.counting import active_until
from daemon.readers import enabled, reads
from daemon.state import sources
from daemon.state.store import Connection, Store
from daemon.views import iso
from daemon.web.service import Listing, Query

Row = dict[str, Any]

_PERSONAL = (DemandKind.ON_DECK, DemandKind.WATCHLIST)


class Users:
    """Implements `daemon.web.service.Household`. `known` says who there is, without asking anybody.

    `problem` says why that may be old; empty: it is not.
    """

    def __init__(
        self,
        store: Store,
        settings: Callable[[], Settings],
        clock: Clock,
        known: Callable[[], Sequence[Person]],
        problem: Callable[[], str] = str,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._known = known
        self._problem = problem

    async def users(self, query: Query) -> Listing:
        """Return everybody, and how their sources are."""

        def read(connection: Connection) -> list[Row]:
            states, plays = sources.states(connection), sources.last_plays(connection)
            first, *rows = user_rows(self._known(), states, plays, self._settings(), self._clock.now())
            if (problem := self._problem()) and not first["why"]:
                first["why"] = f"the list of users may be old: {problem}"
            return [first, *rows]

        return page(await self._store.run(read), query, "place")


def user_rows(
    people: Sequence[Person],
    states: Iterable[SourceState],
    last_plays: Mapping[str, float],
    settings: Settings,
    now: float,
) -> list[Row]:
    """Return a row for each person; then one, of no id, for the sources that speak for nobody in particular."""
    by_user: dict[str, dict[DemandKind, SourceState]] = defaultdict(dict)
    for one in states:
        by_user[one.user][one.kind] = one
    rows = [_row(person, by_user[person.user.id], last_plays.get(person.user.id), settings, now) for person in people]
    if common := by_user.get(""):
        rows.append(
            {
                "id": "",
                "title": "everybody",
                "role": "",
                "state": "counts",
                "why": "",
                "last_played_at": None,
                "sources": [_source(one, on=enabled(settings, one.kind)) for one in common.values()],
            }
        )
    return [row | {"place": place} for place, row in enumerate(rows)]


def _row(
    person: Person,
    states: Mapping[DemandKind, SourceState],
    played_at: float | None,
    settings: Settings,
    now: float,
) -> Row:
    state, why = _standing(person, played_at, settings, now)
    kinds = [*_PERSONAL, *(kind for kind in states if kind not in _PERSONAL)]
    shown = [
        _source(
            states.get(kind, SourceState(kind, person.user.id)),
            on=reads(settings, kind, person.user),
        )
        for kind in kinds
    ]
    return {
        "id": person.user.id,
        "title": person.user.title or person.user.id,
        "role": str(person.role),
        "state": state,
        "why": why,
        "last_played_at": iso(played_at),
        "sources": shown,
    }


def _standing(person: Person, played_at: float | None, settings: Settings, now: float) -> tuple[str, str]:
    """Return whether somebody counts, in a word, and why not; or what is amiss all the same."""
    if settings.users.excludes(person.user):
        return "excluded", "users.exclude names this user"
    if active_until(settings, played_at) <= now:
        return "inactive", "has not played for longer than users.inactive_after"
    if not person.server_token:
        return "no token", person.problem
    return "counts", person.problem


def _source(one: SourceState, *, on: bool) -> Row:
    return {
        "kind": str(one.kind),
        "on": on,
        "read_at": iso(one.read_at),
        "found": one.found,
        "failing_since": iso(one.failed_since),
        "problem": one.problem if one.failed_since is not None else "",
        "note": one.problem if one.failed_since is None else "",
        "unmatched": list(one.unmatched),
    }
