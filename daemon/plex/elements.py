"""Plex's XML made into types. What is odd or missing in an element costs that field, never the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from daemon.model import UNKNOWN_USER, Item, ItemType, MediaFile, PlayState, User
from daemon.plex.frames import PLAYED_TYPES, digits, rating_key, seconds, text
from daemon.plex.plays import SessionInfo

_OPTIMIZED = "42"
_TYPES = frozenset(ItemType)
_STATES = frozenset(PlayState)


@dataclass(frozen=True, slots=True)
class Section:
    """A library; `locations` are its folders as Plex sees them. `hidden`: Plex's home screen leaves it out."""

    id: str
    title: str
    type: str
    locations: tuple[str, ...]
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One row of the history: `user` (an account id) finished an item `at` (the server's time)."""

    key: str
    rating_key: str
    user: str
    at: float


def item(element: Element, container: Element) -> Item | None:
    """Return a movie, episode, show or season; None for anything else."""
    kind, key = text(element.get("type")), rating_key(element.get("ratingKey"), element.get("key"))
    if kind not in _TYPES or not key or element.get("live") == "1":
        return None
    made = ItemType(kind)
    index = number(element.get("index"), 0)
    return Item(
        rating_key=key,
        type=made,
        title=text(element.get("title")),
        guid=text(element.get("guid")),
        library=section_of(element, container)[1],
        duration=seconds(element.get("duration")) or 0.0,
        files=tuple(_files(element)),
        show=_show(element, made, key),
        show_title=text(element.get("grandparentTitle")),
        # Without a season's number an episode is taken for a regular one: specials would be skipped.
        season=index if made is ItemType.SEASON else number(element.get("parentIndex"), 1),
        episode=index if made is ItemType.EPISODE else 0,
        watched=number(element.get("viewCount"), 0) > 0,
        view_offset=seconds(element.get("viewOffset")) or 0.0,
        last_viewed_at=float(number(element.get("lastViewedAt"), 0)),
        added_at=float(number(element.get("addedAt"), 0)),
    )


def items(container: Element) -> list[Item]:
    """Return all items of an answer."""
    return [made for element in container if (made := item(element, container)) is not None]


def opens(container: Element, plex_path: str) -> bool | None:
    """Return whether Plex, having looked, can open a file; None if it does not say."""
    for part in container.iter("Part"):
        said = {part.get("accessible"), part.get("exists")}
        if part.get("file") == plex_path and said != {None}:
            return "0" not in said
    return None


def section_of(element: Element, container: Element) -> tuple[str, str]:
    """Return the id and the title of the library that an item is in, as far as the answer says."""
    names = ("librarySectionID", "librarySectionTitle")
    identifier, title = (text(element.get(name) or container.get(name)) for name in names)
    return identifier, title or identifier


def sessions(container: Element) -> list[SessionInfo]:
    """Return all sessions, also those of music and photos, which the tracker has to leave alone."""
    found: dict[str, SessionInfo] = {}
    for element in container:
        key = text(element.get("sessionKey"))
        if digits(key) and key not in found:
            found[key] = _session(element, key)
    return list(found.values())


def history(container: Element) -> list[HistoryRow]:
    """Return the rows about movies and episodes that still exist."""
    rows = []
    for element in container:
        key, at = rating_key(element.get("ratingKey")), viewed_at(element)
        if key and at and text(element.get("type")) in PLAYED_TYPES:
            name = text(element.get("historyKey")) or f"{key}/{element.get('accountID')}/{at}"
            rows.append(HistoryRow(name, key, text(element.get("accountID")), at))
    return rows


def viewed_at(element: Element) -> float:
    """Return when a row of the history was written; 0.0 if it does not say."""
    return float(number(element.get("viewedAt"), 0))


def accounts(container: Element) -> list[User]:
    """Return the server's accounts, without the nameless local one."""
    users = [User(text(element.get("id")), text(element.get("name"))) for element in container]
    return [user for user in users if digits(user.id) and user.id != "0"]


def sections(container: Element) -> list[Section]:
    """Return the libraries."""
    return [
        Section(
            id=text(element.get("key")),
            title=text(element.get("title")),
            type=text(element.get("type")),
            locations=tuple(path for place in element.iter("Location") if (path := place.get("path"))),
            hidden=text(element.get("hidden")) not in {"", "0"},
        )
        for element in container
        if element.get("key")
    ]


def _show(element: Element, kind: ItemType, key: str) -> str:
    above = {ItemType.EPISODE: "grandparent", ItemType.SEASON: "parent"}.get(kind)
    if above is None:
        return key if kind is ItemType.SHOW else ""
    return rating_key(element.get(f"{above}RatingKey"), element.get(f"{above}Key"))


def _files(element: Element) -> Iterator[MediaFile]:
    """Yield the files of all versions and parts; not optimized versions, nor what lies in the trash."""
    seen = set()
    for media in element.iter("Media"):
        if media.get("proxyType") == _OPTIMIZED or media.get("deletedAt"):
            continue
        for part in media.iter("Part"):
            path = part.get("file", "")
            if path and path not in seen and not part.get("deletedAt"):
                seen.add(path)
                yield MediaFile(path, number(part.get("size"), 0), text(part.get("id")))


def _session(element: Element, key: str) -> SessionInfo:
    user, player = element.find("User"), element.find("Player")
    account = text(user.get("id")) if user is not None else ""
    state = text(player.get("state")) if player is not None else ""
    kind = text(element.get("type")) or ("movie" if element.tag == "Video" else "")
    item_key = rating_key(element.get("ratingKey"))
    return SessionInfo(
        session_key=key,
        rating_key=item_key,
        user=User(
            account if digits(account) and account != "0" else UNKNOWN_USER,
            text(user.get("title")) if user is not None else "",
        ),
        client=text(player.get("machineIdentifier")) if player is not None else "",
        player=text(player.get("title")) if player is not None else "",
        # What is listed without a state may well be playing.
        state=PlayState(state) if state in _STATES else PlayState.PLAYING,
        view_offset=seconds(element.get("viewOffset")),
        duration=seconds(element.get("duration")) or 0.0,
        video=kind in PLAYED_TYPES and element.get("live") != "1" and bool(item_key),
    )


def number(value: str | None, default: int) -> int:
    """Return a number that Plex wrote, or `default` where it is none."""
    return int(value) if value is not None and digits(value) else default
