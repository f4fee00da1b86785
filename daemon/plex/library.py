"""What the Plex server knows: items and their files, episodes, sessions, history, accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType, TracebackType
from typing import Self
from urllib.parse import urlencode

import structlog

from daemon.clock import Clock
from daemon.config import PlexSettings
from daemon.errors import PlexError, PlexNotFound, PlexUnauthorized, PlexUnavailable
from daemon.model import OWNER, UNKNOWN_USER, Item, ItemType, User
from daemon.plex import elements
from daemon.plex.connection import PATIENCE, Connection, together
from daemon.plex.elements import HistoryRow, Section
from daemon.plex.episodes import next_up, seen_by, seen_by_owner
from daemon.plex.plays import SessionInfo
from daemon.plex.queues import Queues
from daemon.plex.reading import Reader, metadata
from daemon.plex.user_view import UserView

log = structlog.get_logger()

_NEWEST = 10
_EPISODES, _MOVIES = 4, 1
_HISTORY = "/status/sessions/history/all"


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The server that answers. `owner` is the plex.tv name it is signed in with; empty: none."""

    machine_identifier: str
    name: str
    version: str
    owner: str


class PlexLibrary:
    """Asks Plex. Every method raises PlexUnavailable, PlexUnauthorized or PlexNotFound, and nothing else.

    `libraries` (names or ids, may be set at any time) says which items are `selected`; empty: all.
    `machine_identifier`: the server that is expected; any other at this address is refused. `patience`:
    seconds of silence after which an answer is given up. `on_request` is told the name and the seconds of
    each request.
    """

    def __init__(
        self,
        *,
        url: str,
        token: str,
        clock: Clock,
        libraries: Sequence[str] = (),
        verify_tls: bool = True,
        machine_identifier: str = "",
        patience: float = PATIENCE,
        on_request: Callable[[str, float], None] | None = None,
    ) -> None:
        self.libraries = tuple(libraries)
        self._connection = Connection(
            url=url,
            token=token,
            clock=clock,
            verify_tls=verify_tls,
            machine_identifier=machine_identifier,
            patience=patience,
            on_request=on_request,
        )
        self._owner = Reader(self._connection)
        self.queues = Queues(Reader(self._connection, token), self.selects)

    @classmethod
    def of(
        cls,
        plex: PlexSettings,
        clock: Clock,
        *,
        machine_identifier: str = "",
        on_request: Callable[[str, float], None] | None = None,
    ) -> Self:
        """Return the library of the server that the settings name."""
        return cls(
            url=plex.url,
            token=plex.token.get_secret_value(),
            clock=clock,
            libraries=plex.libraries,
            verify_tls=plex.verify_tls,
            machine_identifier=machine_identifier,
            on_request=on_request,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def problem(self) -> str:
        """Why Plex cannot be asked now, in one line; empty: it can."""
        return self._connection.problem

    @property
    def machine_identifier(self) -> str:
        """The server's identity, empty until it is known."""
        return self._connection.machine_identifier

    async def connect(self) -> ServerInfo:
        """Ask the server who it is; to be done again after each loss of the connection."""
        server = await self._connection.connect()
        return ServerInfo(
            machine_identifier=server.machineIdentifier,
            name=server.friendlyName or "",
            version=server.version or "",
            owner=server.myPlexUsername or "",
        )

    async def close(self) -> None:
        """Let go of threads and sockets."""
        self._connection.close()

    async def item(self, rating_key: str) -> Item | None:
        """Return an item with all its files; None for what ondeckd leaves alone.

        That is every type but movies, shows, seasons and episodes, and what is in no library.
        """
        container = await self._owner.query("item", metadata(rating_key))
        element = next(iter(container), None)
        if element is None:
            raise PlexNotFound(f"Plex lists nothing under {rating_key}")
        found = elements.item(element, container)
        identifier, title = elements.section_of(element, container)
        if found is None or identifier.startswith("-"):  # pre-rolls and other transient items
            return None
        return replace(found, selected=self.selects(identifier, title))

    def selects(self, identifier: str, title: str) -> bool:
        """Say whether a library, by id and title, is one of `libraries`."""
        wanted = {name.casefold() for name in self.libraries}
        return not wanted or identifier in wanted or title.casefold() in wanted

    def as_user(self, token: str) -> UserView:
        """Return the server as the owner of this token sees it. Needs no connection and no thread of its own."""
        if not token:
            raise PlexUnauthorized("there is no token of this user")
        return UserView(Reader(self._connection, token), self.selects)

    def reader(self, token: str = "") -> Reader:
        """Return what reads plain answers as the owner of this token; empty: as the server's owner."""
        return Reader(self._connection, token)

    async def leaves(self, rating_key: str) -> list[Item]:
        """Return the movie or episode itself, or all episodes of a show or season; of any library."""
        container = await self._owner.query("item", metadata(rating_key))
        found = elements.items(container)
        if all(item.type in {ItemType.MOVIE, ItemType.EPISODE} for item in found):
            return found
        return await self._owner.episodes(rating_key)

    async def next_episodes(
        self,
        item: Item,
        user: User,
        *,
        count: int,
        min_runtime: float = 0.0,
        watched: Mapping[str, float] = MappingProxyType({}),
        started_at: float = 0.0,
    ) -> list[Item]:
        """Return the episodes that `user` sees after `item`, with all their files.

        At least `count` and as many as last `min_runtime` seconds; without those that the user has watched
        as Plex or the caller (`watched`: by rating key, when last) knows. Who plays (`started_at`) an episode
        anew is taken to watch what follows anew.
        """
        if item.type is not ItemType.EPISODE or not item.show or not (count or min_runtime):
            return []
        episodes, history = await together(self._owner.episodes(item.show), self._watched_by(user, item.show))
        if user.id == OWNER:
            seen = seen_by_owner(item, episodes, watched, started_at)
            # Whatever time Plex gives of what plays now: that it is watched is from an earlier play.
            views = [
                (one.rating_key, 0.0 if one.rating_key == item.rating_key else one.last_viewed_at)
                for one in episodes
                if one.watched
            ]
        else:
            views = [*history, *watched.items()]
            seen = seen_by(item, views, started_at)
        chosen = next_up(item, episodes, seen, views, started_at, count=count, min_runtime=min_runtime)
        full = {one.rating_key: one for one in await self._owner.items([one.rating_key for one in chosen]) if one.files}
        return [full.get(one.rating_key, one) for one in chosen]

    async def sessions(self) -> list[SessionInfo]:
        """Return everything that plays now, also what ondeckd leaves alone."""
        return elements.sessions(await self._owner.query("sessions", "/status/sessions"))

    async def history(self, since: float) -> list[HistoryRow]:
        """Return who finished what since then (the server's time, seconds), oldest first."""
        asked = urlencode({"sort": "viewedAt:desc", "viewedAt>": int(since)})
        return await self._history(asked)

    async def latest_history(self, user: str = "") -> float:
        """Return the server's time of the newest row of the history, or of that user's; 0.0 where there is none."""
        whose = {"accountID": user} if user else {}
        asked = urlencode({"sort": "viewedAt:desc", **whose})
        page = await self._owner.page("history", f"{_HISTORY}?{asked}", 0, _NEWEST)
        return max((elements.viewed_at(row) for row in page), default=0.0)

    async def accounts(self) -> list[User]:
        """Return everybody who may use the server; the owner has the id `OWNER`."""
        found = elements.accounts(await self._owner.query("accounts", "/accounts"))
        if not found:
            raise PlexUnavailable("Plex lists no accounts, not even the owner's")
        return found

    async def sections(self) -> list[Section]:
        """Return the libraries."""
        return elements.sections(await self._owner.query("sections", "/library/sections"))

    async def find_by_path(self, plex_path: str) -> Item | None:
        """Return the movie or episode that a file (as Plex sees it) belongs to.

        Plex cannot be asked by path, so the library that holds it is read; for a person's command only.
        """
        for section in await self.sections():
            if section.type not in {"movie", "show"} or not _holds(section, plex_path):
                continue
            kind = _MOVIES if section.type == "movie" else _EPISODES
            for item in await self._owner.all("section", f"/library/sections/{section.id}/all?type={kind}"):
                if any(file.plex_path == plex_path for file in item.files):
                    return item
        return None

    async def newest(self, section: str, kind: ItemType, start: int, count: int) -> list[Item]:
        """Return so many movies or episodes of a library from `start` on, the latest added first."""
        number = _MOVIES if kind is ItemType.MOVIE else _EPISODES
        path = f"/library/sections/{section}/all?type={number}&sort=addedAt:desc"
        return elements.items(await self._owner.page("newest", path, start, count))

    async def can_open(self, rating_key: str, plex_path: str) -> bool | None:
        """Have Plex look whether a file of an item is there and can be opened; None if it does not say."""
        path = f"{metadata(rating_key)}?checkFiles=1"
        return elements.opens(await self._owner.query("check", path), plex_path)

    async def _watched_by(self, user: User, show: str) -> list[tuple[str, float]]:
        """Return what the history says, and when; for the owner the episodes themselves say it."""
        if user.id in {OWNER, UNKNOWN_USER}:
            return []
        asked = urlencode({"accountID": user.id, "metadataItemID": show, "sort": "viewedAt:desc"})
        try:
            return [(row.rating_key, row.at) for row in await self._history(asked)]
        except PlexError as error:
            # Too many episodes on the cache are better than none.
            log.debug("history_unreadable", user=user.title, why=str(error))
            return []

    async def _history(self, asked: str) -> list[HistoryRow]:
        rows: list[HistoryRow] = []
        async for page in self._owner.pages("history", f"{_HISTORY}?{asked}"):
            rows += elements.history(page)
        return rows[::-1]


def _holds(section: Section, path: str) -> bool:
    return any(path.startswith((f"{root.rstrip('/')}/", f"{root}\\")) for root in section.locations)
