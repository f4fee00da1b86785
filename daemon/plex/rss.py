"""Watchlist feeds (``https://rss.plex.tv/…``) made into entries. Pure but for the asking.

JSON is asked for: it lists all ids of an entry (``guids``); the XML (RSS 2.0) has one ``guid``. A feed holds the newest
50 entries or so and may name the address of the next part (``links.next``), as those who read it report; of late also
that each entry of the friends' feed names the account it is from (``author``, a uuid), which Pulsarr goes by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit
from xml.etree.ElementTree import Element

from daemon.errors import RemoteUnavailable
from daemon.model import ItemType
from daemon.outbound import Outbound, Reply
from daemon.plex.guids import normalised

_MOST_PARTS = 40
_SAID = ("category", "title", "pubDate", "author")


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A movie or a show of a feed. `guids` are its ids; none: it cannot be told which it is. `at` 0.0: unknown.

    `author` is the uuid of the account whose list it is on, where the feed says so.
    """

    type: ItemType | None
    title: str
    guids: tuple[str, ...]
    at: float
    author: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    url: str
    etag: str
    entries: tuple[FeedEntry, ...]
    following: str


class FeedReader:
    """Reads feeds. Remembers each part with its ETag, so that an unchanged one is not sent again."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._parts: dict[str, list[_Part]] = {}

    async def read(self, url: str) -> list[FeedEntry]:
        """Return the entries of the feed at this address. Raises RemoteError."""
        before = {part.url: part for part in self._parts.get(url, [])}
        parts: list[_Part] = []
        following = as_json(url)
        while following and following not in {part.url for part in parts} and len(parts) < _MOST_PARTS:
            parts.append(await self._part(following, before.get(following)))
            following = parts[-1].following
        self._parts[url] = parts
        return [entry for part in parts for entry in part.entries]

    def forget_all_but(self, urls: set[str]) -> None:
        """Drop what is remembered of other feeds."""
        self._parts = {url: parts for url, parts in self._parts.items() if url in urls}

    async def _part(self, url: str, old: _Part | None) -> _Part:
        accepted = {"Accept": "application/json, application/rss+xml;q=0.9, */*;q=0.1"}
        reply = await self._outbound.ask(url, headers=accepted, etag=old.etag if old is not None else "")
        if reply.unchanged and old is not None:
            return old
        entries, following = _parsed(reply)
        return _Part(url, reply.etag, tuple(entries), _following(url, following))


def as_json(url: str) -> str:
    """Return a feed's address with the wish for JSON in it, unless it wishes for something itself."""
    parts = urlsplit(url)
    asked = parse_qsl(parts.query, keep_blank_values=True)
    if any(name == "format" for name, _ in asked):
        return url
    return urlunsplit(parts._replace(query=urlencode([*asked, ("format", "json")])))


def _following(url: str, named: str) -> str:
    """Return the address of the next part; empty if there is none, or it lies with somebody else."""
    if not named:
        return ""
    whole = as_json(urljoin(url, named))
    return whole if urlsplit(whole)[:2] == urlsplit(url)[:2] else ""


def _parsed(reply: Reply) -> tuple[list[FeedEntry], str]:
    if reply.text.lstrip("\ufeff \r\n\t").startswith("<"):
        channel = reply.xml().find("channel")
        if channel is None:
            raise RemoteUnavailable(f"{reply.host} answers with something that is no feed")
        return [_from_xml(item) for item in channel.iter("item")], ""
    answer = reply.json()
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        raise RemoteUnavailable(f"{reply.host} answers with something that is no feed")
    links = answer.get("links")
    following = links.get("next") if isinstance(links, dict) else None
    return [_from_json(item) for item in items if isinstance(item, dict)], str(following or "")


def _from_json(item: Mapping[str, Any]) -> FeedEntry:
    named = item.get("guids")
    ids = [str(guid) for guid in named] if isinstance(named, list) else []
    return _entry({name: str(item.get(name) or "") for name in _SAID}, ids)


def _from_xml(item: Element) -> FeedEntry:
    # Some put further ids into elements of their own names, whatever namespace these are in.
    ids = [text for element in item.iter() if element.tag.endswith("guid") and (text := element.text)]
    return _entry({name: item.findtext(name, "") for name in _SAID}, ids)


def _entry(texts: Mapping[str, str], ids: list[str]) -> FeedEntry:
    said = {name: text.strip() for name, text in texts.items()}
    kind = said["category"].casefold()
    guids = tuple(dict.fromkeys(guid for guid in map(normalised, ids) if guid))
    movie_or_show = ItemType(kind) if kind in {"movie", "show"} else None
    return FeedEntry(movie_or_show, said["title"], guids, _moment(said["pubDate"]), said["author"])


def _moment(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date.strip())
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
