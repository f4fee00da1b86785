"""A refresher over a real database, on a clock that is turned by hand, with sources that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from daemon.census import Census
from daemon.config import build
from daemon.dispatch import Dispatcher
from daemon.feed import Feed, Subscription
from daemon.live import Live
from daemon.model import Demand, DemandKind, Fetched, Person, Role, SourceState, User
from daemon.refreshing import Refresher
from daemon.state import demands, sources
from daemon.state.store import Connection, Store
from tests.support.daemon import PATIENCE
from tests.support.turned import TurnedClock

NOW = 1_750_000_000.0
ON_DECK, WATCHLIST, PINNED = DemandKind.ON_DECK, DemandKind.WATCHLIST, DemandKind.PINNED
RECENT, TRENDING = DemandKind.RECENT, DemandKind.TRENDING
_TURNS = 10
"""Questions to the database, one after the other, within which whoever was woken has put its own."""


@dataclass
class Scripted:
    """A source that wants the rating keys in `wants`.

    `errors` are raised by user (``*``: of everybody) in place of an answer, until they are taken out.
    """

    kind: DemandKind
    clock: TurnedClock
    reads: list[tuple[float, str]] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    blocks: asyncio.Event | None = None
    wants: str = "7"
    when_read: Callable[[], object] = lambda: None

    async def fetch(self, person: Person | None = None) -> Fetched:
        user = person.user.id if person else ""
        self.reads.append((self.clock.now() - NOW, user))
        self.when_read()
        if self.blocks is not None:
            await self.blocks.wait()
        error = self.errors.get(user, self.errors.get("*"))
        if error is not None:
            raise error
        return Fetched(tuple(Demand(key, self.kind, user, 1.0) for key in self.wants.split()))

    @property
    def moments(self) -> list[float]:
        """The seconds since the start at which it was read."""
        return [round(moment, 3) for moment, _ in self.reads]


class _Writer:
    """What of the dispatcher writes; it notes when."""

    def __init__(self, made: Bench) -> None:
        self._made = made

    async def change(self, work: Callable[[Connection], object]) -> None:
        await self._made.store.run(work)
        self._made.writes.append(self._made.clock.now() - NOW)


@dataclass
class Bench:
    """The refresher with all around it."""

    clock: TurnedClock
    store: Store
    live: Live
    feed: Feed
    notices: Subscription
    tables: dict[str, Any]
    refresher: Refresher
    people: list[Person]
    on_deck: Scripted
    watchlist: Scripted
    pinned: Scripted
    trending: Scripted
    problem: str = ""
    may_pass: bool = True
    current: bool = True
    refused: list[str] = field(default_factory=list)
    also: int = 0
    writes: list[float] = field(default_factory=list)
    """The seconds since the start at which anything was recorded."""

    async def who(self) -> Census:
        """Say who there is."""
        return Census(self.people, self.problem, self.may_pass)

    async def calm(self) -> None:
        """Return when whatever was woken has done what it can do now."""
        async with asyncio.timeout(PATIENCE):
            for _ in range(_TURNS):
                await self.store.run(sources.states)

    async def pass_(self, seconds: float) -> None:
        """Let so many seconds pass, stopping at each moment at which somebody wants to be woken."""
        await self.calm()
        end = self.clock.now() + seconds
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.turn(due)
            await self.calm()
        self.clock.turn(end)
        await self.calm()

    async def states(self) -> dict[tuple[DemandKind, str], SourceState]:
        return {(one.kind, one.user): one for one in await self.store.run(sources.states)}

    async def demands(self, kind: DemandKind) -> list[Demand]:
        """Return the demands of a kind."""
        return [one for one in await self.store.run(demands.all_demands) if one.kind is kind]

    async def wanted(self) -> set[tuple[str, str]]:
        """Return kind and user of each demand."""
        return {(str(one.kind), one.user) for one in await self.store.run(demands.all_demands)}

    def said(self) -> list[str]:
        """Return the texts of the notices since the last look."""
        found = [str(notice.data["text"]) for notice in self.notices._waiting]
        self.notices._waiting.clear()
        return found

    def set(self, **tables: Any) -> None:
        """Change the settings, as a reload does."""
        self.tables |= tables
        self.live.swap(build(self.tables))
        self.refresher.everything_soon()


def person(identifier: str, *, account: bool = True) -> Person:
    """Return somebody; `account`: a token of plex.tv is known."""
    role = Role.OWNER if identifier == "1" else Role.SHARED
    return Person(User(identifier, f"User {identifier}"), role, f"server-{identifier}", "account" if account else "")


@asynccontextmanager
async def bench(
    folder: Path,
    people: Sequence[str] = ("1", "2"),
    *,
    who: Callable[[], Coroutine[None, None, Census]] | None = None,
    patience: float = 60.0,
    **tables: Any,
) -> AsyncIterator[Bench]:
    """Have a refresher run that has read everything once; its schedule is off unless it is set.

    `patience` are real seconds; `who` says who there is.
    """
    clock = TurnedClock(NOW)
    feed = Feed()
    base = {
        "plex": {"token": "t"},
        "trending": {"enabled": True, "client_id": "c"},
        "schedule": {"refresh": "0"},
        **tables,
    }
    async with Store(folder) as store, feed.subscribe() as notices:
        live = Live(build(base))
        made = Bench(
            clock,
            store,
            live,
            feed,
            notices,
            base,
            None,  # type: ignore[arg-type]  # set below
            [person(one) for one in people],
            Scripted(ON_DECK, clock),
            Scripted(WATCHLIST, clock),
            Scripted(PINNED, clock),
            Scripted(TRENDING, clock),
        )
        made.refresher = _refresher(made, who or made.who, patience)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(made.refresher.run())
            await made.calm()
            try:
                yield made
            finally:
                running.cancel()


def _refresher(made: Bench, who: Callable[[], Coroutine[None, None, Census]], patience: float) -> Refresher:
    async def also() -> None:
        made.also += 1

    return Refresher(
        made.store,
        made.live,
        made.clock,
        made.feed,
        cast("Dispatcher", _Writer(made)),
        people=who,
        refused=lambda one: made.refused.append(one.user.id),
        personal=[made.on_deck, made.watchlist],
        common=[made.pinned, made.trending],
        also=also,
        seed=lambda: "",
        is_current=lambda _connection, kind: made.current or kind is not PINNED,
        patience=patience,
    )
