"""What `check` says about who wants what: the people, and whether what they want can be read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from daemon.clock import Clock
from daemon.commands.findings import Line
from daemon.config import Settings
from daemon.errors import PlexError, RemoteError
from daemon.model import DemandKind, Person
from daemon.outbound import Outbound
from daemon.plex import tokens
from daemon.plex.accounts import Accounts
from daemon.plex.discover import Discover
from daemon.plex.library import PlexLibrary
from daemon.plex.rss import FeedReader
from daemon.readers import enabled, reads
from daemon.sources.on_deck import OnDeck
from daemon.sources.trending import read_charts
from daemon.sources.watchlist import listed_by
from daemon.web.figures import counted

_PATIENCE = 5.0
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class _Asking:
    """What everything is asked with."""

    settings: Settings
    library: PlexLibrary
    outbound: Outbound
    clock: Clock
    limit: asyncio.Semaphore

    def now(self) -> Settings:
        return self.settings


async def source_lines(library: PlexLibrary, settings: Settings, directory: Path) -> list[Line]:
    """Ask for the people, what each of them wants, each feed and Trakt. `directory` is the state folder."""
    # What could not be had is in the lines.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    clock = Clock()
    async with Outbound(clock, patience=_PATIENCE) as outbound:
        asking = _Asking(settings, library, outbound, clock, asyncio.Semaphore(_AT_ONCE))
        jobs = [_people(asking, directory), *_feeds(asking), *_trending(asking)]
        return [line for lines in await asyncio.gather(*jobs) for line in lines]


async def _people(asking: _Asking, directory: Path) -> list[Line]:
    if not (asking.settings.on_deck.enabled or asking.settings.watchlist.enabled):
        return []
    # The daemon keeps these things, perhaps as another user: it is asked anew, and all stays as it is.
    with TemporaryDirectory(prefix="ondeckd-check-") as folder:
        await asyncio.to_thread(_copy_tokens, directory, Path(folder))
        accounts = Accounts(asking.now, asking.outbound, asking.library, asking.clock, Path(folder))
        people = await accounts.people()
    names = ", ".join(f"{person.user.title} ({person.role})" for person in people)
    told = Line("users", "ok", f"plex.tv and Plex name {names}")
    if accounts.problem:
        told = Line("users", "warning", f"who there is cannot be read: {accounts.problem}; so far known: {names}")
    return [told, *await asyncio.gather(*(_person(asking, person) for person in people))]


def _copy_tokens(directory: Path, folder: Path) -> None:
    tokens.write(folder, replace(tokens.read(directory), asked_at=0.0))


async def _person(asking: _Asking, person: Person) -> Line:
    settings, about = asking.settings, f"user {person.user.title}"
    if settings.users.excludes(person.user):
        return Line(about, "note", "users.exclude names this user")
    discover = Discover(asking.outbound, asking.now, asking.clock)

    async def deck() -> str:
        return counted(len((await OnDeck(asking.library, asking.now).fetch(person)).demands), "title")

    async def watchlist() -> str:
        listed = await listed_by(discover, person, settings.plex.token.get_secret_value())
        return counted(len(listed), "title")

    said = [
        await _said(asking, name, ask) if reads(settings, kind, person.user) else (True, f"{name} off")
        for kind, name, ask in (
            (DemandKind.ON_DECK, "on deck", deck),
            (DemandKind.WATCHLIST, "watchlist", watchlist),
        )
    ]
    return Line(about, "ok" if all(works for works, _ in said) else "warning", "; ".join(text for _, text in said))


async def _said(asking: _Asking, name: str, ask: Callable[[], Awaitable[str]]) -> tuple[bool, str]:
    """Return whether something can be read, and what is said of it."""
    try:
        async with asking.limit:
            return True, f"{name} {await ask()}"
    except (PlexError, RemoteError) as error:
        return False, f"{name} cannot be read: {error}"


def _feeds(asking: _Asking) -> Iterator[Awaitable[list[Line]]]:
    watchlist = asking.settings.watchlist
    for number, url in enumerate(watchlist.rss if watchlist.enabled else (), 1):
        reader = FeedReader(asking.outbound)

        async def entries(reader: FeedReader = reader, url: str = url.get_secret_value()) -> str:
            return counted(len(await reader.read(url)), "title")

        yield _line(asking, "watchlist.rss", f"feed {number}:", entries)


def _trending(asking: _Asking) -> Iterator[Awaitable[list[Line]]]:
    trending = asking.settings.trending

    async def movies() -> str:
        found = await read_charts(asking.outbound, trending.url, trending.client_id.get_secret_value())
        return f"names {counted(len(found), 'movie')}"

    if enabled(asking.settings, DemandKind.TRENDING):
        yield _line(asking, "trending", "Trakt", movies)


async def _line(asking: _Asking, about: str, name: str, ask: Callable[[], Awaitable[str]]) -> list[Line]:
    works, text = await _said(asking, name, ask)
    return [Line(about, "ok" if works else "warning", text)]
