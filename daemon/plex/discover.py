"""Watchlists at plex.tv: one's own by the discover service, a friend's by the community's API.

Paths, paging and fields are those of python-plexapi (``MyPlexAccount.watchlist``, ``userState``) and of recorded
answers; the friends' query is the one that Pulsarr and Ombi send.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon import __version__
from daemon.clock import Clock
from daemon.errors import RemoteHidden, RemoteNotFound, RemoteUnavailable
from daemon.model import ItemType
from daemon.outbound import Outbound
from daemon.settings.models import Settings

_LIST = "/library/sections/watchlist/all"
_PAGE = 300
_FRIENDS_PAGE = 100
_MOST_PAGES = 200
_TRIES = 2
_BETWEEN = 5.0
"""Seconds between two pages of a friend's list: plex.tv's developers asked others to leave so many at least."""
_HEX = re.compile(r"[0-9a-f]{8,40}")
_QUERY = (
    "query GetWatchlistHub($user: UserInput!, $first: PaginationInt!, $after: String) { userV2(user: $user) { "
    "... on User { watchlist(first: $first, after: $after) { nodes { id title type } "
    "pageInfo { hasNextPage endCursor } } } } }"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A movie or a show on a watchlist; `id` is what plex.tv calls it."""

    id: str
    type: ItemType
    title: str

    @property
    def guid(self) -> str:
        """Return the guid that it has in libraries that Plex's own agents keep."""
        return f"plex://{self.type}/{self.id}"


@dataclass(frozen=True, slots=True)
class _Page:
    start: int
    count: int
    total: int
    etag: str
    listed: tuple[Listed, ...]


class Discover:
    """Reads watchlists. Remembers each page with its ETag, so that an unchanged one is not sent again.

    Every method raises RemoteError and nothing else.
    """

    def __init__(self, outbound: Outbound, settings: Callable[[], Settings], clock: Clock) -> None:
        self._outbound = outbound
        self._settings = settings
        self._clock = clock
        self._pages: dict[str, list[_Page]] = {}

    async def watchlist(self, user: str, token: str) -> list[Listed]:
        """Return what the owner of this account token has listed, the latest first. `user` is whose it is.

        Pages of a list that changes meanwhile do not fit together: then it is read once more, and given up after that.
        """
        pages = self._pages.get(user, [])
        for _ in range(_TRIES):
            pages = await self._read(token, pages)
            listed = {one.id: one for page in pages for one in page.listed}
            once = sum(len(page.listed) for page in pages) == len(listed)
            # What is neither movie nor show is counted, but not kept.
            if once and {page.total for page in pages} == {sum(page.count for page in pages)}:
                self._pages[user] = pages
                return list(listed.values())
            pages = []
        raise RemoteUnavailable("the watchlist changes while it is read")

    async def ids(self, token: str, identifier: str) -> tuple[str, ...]:
        """Return what other services call what plex.tv calls so; nothing if plex.tv does not know it any more."""
        try:
            reply = await self._ask(f"{self._settings().plex.discover_url}/library/metadata/{identifier}", token)
        except RemoteNotFound:
            return ()
        found = _table(_container(reply.json()).get("Metadata"))
        return tuple(text for one in _tables(found.get("Guid")) if isinstance(text := one.get("id"), str))

    async def listed_at(self, token: str, identifier: str) -> float:
        """Return when it was put on the watchlist; 0.0 if plex.tv does not say."""
        base = self._settings().plex.metadata_url
        try:
            reply = await self._ask(f"{base}/library/metadata/{identifier}/userState", token)
        except RemoteNotFound:
            return 0.0
        state = _table(_container(reply.json()).get("UserState"))
        return _number(state.get("watchlistedAt"))

    async def friends_watchlist(self, token: str, uuid: str) -> list[Listed]:
        """Return what a friend of this token's owner has listed. RemoteHidden: the friend does not show it."""
        found: dict[str, Listed] = {}
        after: str | None = None
        for number in range(_MOST_PAGES):
            if number:
                await self._clock.sleep(_BETWEEN)
            watchlist = await self._friends_page(token, uuid, after)
            found.update((one.id, one) for one in _all_listed(watchlist.get("nodes"), "id"))
            place = _table(watchlist.get("pageInfo"))
            after = place.get("endCursor")
            if not place.get("hasNextPage") or not after:
                return list(found.values())
        raise RemoteUnavailable("the watchlist has no end")

    async def _friends_page(self, token: str, uuid: str, after: str | None) -> Mapping[str, Any]:
        variables = {"user": {"id": uuid}, "first": _FRIENDS_PAGE, "after": after}
        reply = await self._outbound.ask(
            f"{self._settings().plex.community_url}/api",
            method="POST",
            headers=_headers(token),
            body={"query": _QUERY, "variables": variables},
        )
        answer = _table(reply.json())
        if answer.get("errors"):
            said = _table(answer["errors"]).get("message")
            raise RemoteHidden(f"{reply.host} answers: {str(said)[:200]}")
        if "data" not in answer:
            raise RemoteUnavailable(f"{reply.host} answers with something that is no list")
        watchlist = _table(_table(answer["data"]).get("userV2")).get("watchlist")
        if not isinstance(watchlist, dict) or not isinstance(watchlist.get("nodes"), list):
            raise RemoteHidden(f"{reply.host} does not show this watchlist")
        return watchlist

    async def _read(self, token: str, before: Sequence[_Page]) -> list[_Page]:
        pages: list[_Page] = []
        start = 0
        for number in range(_MOST_PAGES):
            old = before[number] if number < len(before) and before[number].start == start else None
            page = await self._page(token, start, old)
            pages.append(page)
            start += page.count
            if not page.count or start >= page.total:
                return pages
        raise RemoteUnavailable("the watchlist has no end")

    async def _page(self, token: str, start: int, old: _Page | None) -> _Page:
        params = {
            "includeCollections": "1",
            "includeExternalMedia": "1",
            "sort": "watchlistedAt:desc",
            "X-Plex-Container-Start": str(start),
            "X-Plex-Container-Size": str(_PAGE),
        }
        url = f"{self._settings().plex.discover_url}{_LIST}"
        reply = await self._outbound.ask(
            url, headers=_headers(token), params=params, etag=old.etag if old is not None else ""
        )
        if reply.unchanged and old is not None:
            return old
        container = _container(reply.json())
        entries = container.get("Metadata", [])
        total = container.get("totalSize")
        if not isinstance(entries, list) or not isinstance(total, int):
            raise RemoteUnavailable(f"{reply.host} answers with something that is no list")
        return _Page(start, len(entries), total, reply.etag, tuple(_all_listed(entries, "ratingKey")))

    async def _ask(self, url: str, token: str) -> Any:
        return await self._outbound.ask(url, headers=_headers(token))


def _headers(token: str) -> dict[str, str]:
    return {"X-Plex-Token": token, "X-Plex-Product": "ondeckd", "X-Plex-Version": __version__}


def _all_listed(entries: Any, name: str) -> list[Listed]:
    return [made for entry in _tables(entries) if (made := _listed(entry, name)) is not None]


def _listed(entry: Mapping[str, Any], name: str) -> Listed | None:
    """Return what an entry names; None for what is neither a movie nor a show."""
    identifier, kind = entry.get(name), str(entry.get("type", "")).casefold()
    if kind not in {ItemType.MOVIE, ItemType.SHOW} or not isinstance(identifier, str):
        return None
    if not _HEX.fullmatch(identifier):  # it becomes part of an address
        return None
    return Listed(identifier, ItemType(kind), str(entry.get("title", "")))


def _container(answer: Any) -> Mapping[str, Any]:
    container = answer.get("MediaContainer") if isinstance(answer, dict) else None
    if not isinstance(container, dict):
        raise RemoteUnavailable("plex.tv answers with something that is no list")
    return container


def _table(value: Any) -> Mapping[str, Any]:
    """Return a table, or the first of several; an empty one for anything else."""
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, dict) else {}


def _tables(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _number(value: Any) -> float:
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError, OverflowError):
        return 0.0
