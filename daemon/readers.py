"""Which sources are read at all, which of them were asked for, and what comes of reading one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from daemon.config import Settings
from daemon.errors import PlexError, PlexUnauthorized, RemoteBusy, RemoteError, RemoteRefused
from daemon.model import DemandKind, Fetched, User

Key = tuple[str, str]
"""Kind and user of a source."""

EVERYBODY = "*"
"""In place of a user's id: all of them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a source of a user has said, or why it said nothing."""

    kind: DemandKind
    user: User
    fetched: Fetched | None
    problem: str = ""
    again: bool = True
    """Whether trying it again before long may help."""
    after: float = 0.0
    """Seconds for which it asks to be left alone."""

    @property
    def key(self) -> Key:
        """Kind and user."""
        return self.kind, self.user.id

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.kind} of {self.user.title or self.user.id}" if self.user.id else str(self.kind)


def asked_for(wanted: Collection[Key], kind: DemandKind, user: str) -> bool:
    """Say whether a source of a user is among those that were asked for."""
    return (kind, user) in wanted or (kind, EVERYBODY) in wanted


def enabled(settings: Settings, kind: DemandKind) -> bool:
    """Say whether a kind of demand is switched on."""
    switches = {
        DemandKind.ON_DECK: settings.on_deck.enabled,
        DemandKind.WATCHLIST: settings.watchlist.enabled,
        DemandKind.RECENT: settings.recent.enabled,
        DemandKind.TRENDING: settings.trending.enabled,
    }
    return switches.get(kind, True)


def reads(settings: Settings, kind: DemandKind, user: User) -> bool:
    """Say whether what this user wants by this kind is read at all."""
    own = settings.users.of(user)
    personally = {DemandKind.ON_DECK: own.on_deck, DemandKind.WATCHLIST: own.watchlist}
    return enabled(settings, kind) and personally.get(kind, True) and not settings.users.excludes(user)


async def read(
    limit: asyncio.Semaphore, kind: DemandKind, user: User, fetch: Callable[[], Awaitable[Fetched]]
) -> Outcome:
    """Read a source when its turn has come."""
    try:
        async with limit:
            return Outcome(kind, user, await fetch())
    except (PlexError, RemoteError) as error:
        # Another token comes by the schedule, or when plex.tv has given one; asking again with this one is idle.
        again = not isinstance(error, PlexUnauthorized | RemoteRefused)
        after = error.after if isinstance(error, RemoteBusy) else 0.0
        return Outcome(kind, user, None, str(error), again=again, after=after)
