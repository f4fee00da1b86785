"""A simulated household of every role, and what ondeckd learns of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.config import Settings, build
from daemon.demo.server import DemoServer
from daemon.model import Fetched, Person, Role
from daemon.outbound import Outbound
from daemon.plex.accounts import Accounts
from daemon.plex.library import PlexLibrary
from daemon.sources.on_deck import OnDeck
from tests.support.daemon import merged
from tests.support.plex import small_library
from tests.support.turned import TurnedClock

HOUR = 3600.0
NOW = 1_750_000_000.0
PIN = "4711"


class Patient(TurnedClock):
    """Stands still, but waits for nothing: what is tried again is tried at once."""

    async def sleep(self, seconds: float) -> None:
        del seconds


@dataclass
class Home:
    """The server with its people, and what asks it. `start` is a restart of ondeckd: only its files stay."""

    plex: DemoServer
    folder: Path
    clock: TurnedClock
    stack: AsyncExitStack
    tables: dict[str, Any]
    accounts: Accounts
    library: PlexLibrary
    on_deck: OnDeck

    @property
    def settings(self) -> Settings:
        services = ("tv_url", "clients_url")
        plex = {"url": self.plex.url, "token": self.plex.token, **dict.fromkeys(services, self.plex.url)}
        return build(merged({"plex": plex}, self.tables))

    async def start(self) -> None:
        outbound = await self.stack.enter_async_context(Outbound(self.clock))
        plex = self.settings.plex
        self.library = await self.stack.enter_async_context(
            PlexLibrary(url=plex.url, token=plex.token.get_secret_value(), clock=self.clock, libraries=plex.libraries)
        )
        self.accounts = Accounts(lambda: self.settings, outbound, self.library, self.clock, self.folder)
        self.on_deck = OnDeck(self.library, lambda: self.settings)

    async def person(self, title: str) -> Person:
        """Return a person as ondeckd knows one now."""
        return next(one for one in await self.accounts.people() if one.user.title == title)

    async def later(self, hours: float = 7.0) -> list[Person]:
        """Let time pass, and return everybody."""
        self.clock.turn(self.clock.now() + hours * HOUR)
        return await self.accounts.people()

    def asked(self, part: str) -> int:
        """Return how many requests came whose path holds this."""
        return sum(part in one.path for one in self.plex.requests)


@asynccontextmanager
async def home(folder: Path, plex: DemoServer | None = None, /, **tables: Any) -> AsyncIterator[Home]:
    """Ann owns the server, Ben lives with her, Kid is managed behind a PIN, Cleo and Dan are friends."""
    async with AsyncExitStack() as stack:
        server = plex or DemoServer(small_library(), users=("Ann", "Ben", "Kid", "Cleo", "Dan"))
        await stack.enter_async_context(server)
        if plex is None:
            server.people.change("Ben", role=Role.HOME)
            server.people.change("Kid", role=Role.MANAGED, pin=PIN, listed=False)
        made = Home(server, folder, Patient(NOW), stack, dict(tables), *(None,) * 3)  # type: ignore[arg-type]  # see start
        await made.start()
        yield made


def tokens(people: list[Person]) -> dict[str, tuple[str, str]]:
    """Return each person's token of the server and of plex.tv."""
    return {one.user.title: (one.server_token, one.account_token) for one in people}


def wishes(fetched: Fetched) -> list[tuple[str, int]]:
    """Return what is wanted and at which position."""
    return [(one.rating_key, one.position) for one in fetched.demands]


def begin(ours: Home, who: str, key: str, at: float = NOW) -> None:
    """Have somebody stop in the middle of an item."""
    ours.plex.views.progress(ours.plex.people[who].id, key, 600_000, at)


def finish(ours: Home, who: str, *keys: str, at: float = NOW) -> None:
    """Have somebody watch items to their ends."""
    for key in keys:
        ours.plex.views.watched(ours.plex.people[who].id, key, at)


async def deck(ours: Home, who: str) -> Fetched:
    """Return what is on deck for somebody."""
    return await ours.on_deck.fetch(await ours.person(who))
