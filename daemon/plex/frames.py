"""What Plex pushes, made into types: frames of the notification socket and the payloads of webhooks.

Everything here is untrusted and comes in several dialects. What cannot be understood is left out and counted;
nothing in this module raises because of its input.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from daemon.model import OWNER, UNKNOWN_USER, PlayState, User

PLAYED_TYPES = frozenset({"movie", "episode"})
"""The item types that ondeckd acts on; live TV, music, photos, clips and trailers are none of them."""

_STATES = frozenset(PlayState)
_SESSIONS = "PlaySessionStateNotification"
_LIVE_TV = "/livetv/"
_LARGE = 65_536
_LIBRARY_KEY = re.compile(r"/library/metadata/([^/?#]+)")
# A rating key becomes part of a URL, so nothing that could change the URL's meaning is let through.
_RATING_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_NAME = 256
_LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a client is in which play queue, by Plex's ids; both empty: it plays without one, or does not say."""

    queue: str = ""
    item: str = ""


NO_QUEUE = QueuePlace()


@dataclass(frozen=True, slots=True)
class PlayingFrame:
    """One report about one playback session. Empty strings and None: the client did not say."""

    session_key: str
    rating_key: str
    state: PlayState
    view_offset: float | None = None
    client: str = ""
    transcode: str = ""
    place: QueuePlace = NO_QUEUE


class FrameParser:
    """Turns raw frames into `PlayingFrame`s. `garbage` counts what could not be understood.

    `on_other` gets what any other frame holds, or None for one that is too large to be looked at in passing.
    """

    def __init__(self, on_other: Callable[[Mapping[str, Any] | None], object] = lambda _: None) -> None:
        self.garbage = 0
        self._on_other = on_other

    def parse(self, raw: str | bytes) -> list[PlayingFrame]:
        """Return what the frame says about sessions; nothing for other frames and for garbage."""
        mark: Any = _SESSIONS if isinstance(raw, str) else _SESSIONS.encode()
        if len(raw) > _LARGE and mark not in raw:
            self._on_other(None)  # a burst of library changes: decoding megabytes would hold up the loop
            return []
        try:
            envelope = json.loads(raw)
        except (ValueError, RecursionError):
            envelope = None
        container = envelope.get("NotificationContainer", envelope) if isinstance(envelope, dict) else None
        if not isinstance(container, dict):
            self.garbage += 1
            return []
        elements = _elements(container)
        if not elements:
            self._on_other(container)
        frames = [_frame(element) for element in elements]
        self.garbage += frames.count(None)
        return [frame for frame in frames if frame is not None and frame.session_key]


def _elements(container: Mapping[str, Any]) -> list[Any]:
    elements = container.get(_SESSIONS)
    if elements is None and text(container.get("type")) == "playing":
        elements = container.get("_children", [])
    if elements is None:
        return []
    # An event stream sends the bare object where the socket sends a list.
    return elements if isinstance(elements, list) else [elements]


_IGNORED = PlayingFrame("", "", PlayState.STOPPED)


def _frame(element: Any) -> PlayingFrame | None:
    """Return the frame, `_IGNORED` for what is none of ours, None for garbage."""
    if not isinstance(element, dict):
        return None
    key = text(element.get("key"))
    session_key = text(element.get("sessionKey"))
    if key.startswith(_LIVE_TV) or (session_key and not digits(session_key)):
        return _IGNORED
    state = text(element.get("state"))
    if not session_key or state not in _STATES:
        return None
    return PlayingFrame(
        session_key=session_key,
        rating_key=rating_key(element.get("ratingKey"), key),
        state=PlayState(state),
        view_offset=seconds(element.get("viewOffset")),
        client=text(element.get("clientIdentifier")),
        transcode=text(element.get("transcodeSession")).rsplit("/", 1)[-1],
        place=_place(element),
    )


def _place(element: Mapping[str, Any]) -> QueuePlace:
    queue, item = (text(element.get(name)) for name in ("playQueueID", "playQueueItemID"))
    if not digits(queue) or not int(queue):
        return NO_QUEUE
    return QueuePlace(queue, item if digits(item) else "")


class Edge(StrEnum):
    """What a webhook reports."""

    PLAY = "media.play"
    PAUSE = "media.pause"
    RESUME = "media.resume"
    STOP = "media.stop"
    SCROBBLE = "media.scrobble"


_EDGES = frozenset(Edge)


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One webhook about a movie or an episode. `server` is the sender's machine identifier."""

    edge: Edge
    server: str
    user: User
    client: str
    player: str
    rating_key: str
    view_offset: float | None = None
    duration: float = 0.0


def parse_webhook(payload: object, owner_names: Collection[str] = ()) -> WebhookEvent | None:
    """Return the event, or None where the payload is nothing that ondeckd acts on.

    The owner's account id is 1 in some payloads and a global id in others; a title among `owner_names`
    (case does not matter) tells that it is the owner.
    """
    if not isinstance(payload, Mapping):
        return None
    metadata = _part(payload, "Metadata")
    edge = text(payload.get("event"))
    item = rating_key(metadata.get("ratingKey"), metadata.get("key"))
    live = metadata.get("live") in (True, "1", "true") or text(metadata.get("key")).startswith("/livetv/")
    if edge not in _EDGES or text(metadata.get("type")) not in PLAYED_TYPES or live or not item:
        return None
    player = _part(payload, "Player")
    return WebhookEvent(
        edge=Edge(edge),
        server=text(_part(payload, "Server").get("uuid")),
        user=_account(_part(payload, "Account"), owner_names),
        client=text(player.get("uuid")),
        player=text(player.get("title")),
        rating_key=item,
        view_offset=seconds(metadata.get("viewOffset")),
        duration=seconds(metadata.get("duration")) or 0.0,
    )


def _part(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = payload.get(name)
    return part if isinstance(part, Mapping) else {}


def _account(account: Mapping[str, Any], owner_names: Collection[str]) -> User:
    identifier, title = text(account.get("id")), text(account.get("title"))
    if identifier == OWNER or (title and title.casefold() in {name.casefold() for name in owner_names}):
        return User(OWNER, title)
    return User(identifier if digits(identifier) and identifier != "0" else UNKNOWN_USER, title)


def text(value: object) -> str:
    """Return a string or an integer as a short, storable string; anything else as an empty one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**_LONGEST_NUMBER else ""
    if not isinstance(value, str):
        return ""
    # A lone surrogate is valid JSON, but neither the database nor a log can take it.
    return value.strip()[:_LONGEST_NAME].encode("utf-8", "replace").decode("utf-8")


def digits(value: str) -> bool:
    """Say whether this is a plain number, as Plex's own ids are."""
    return value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER


def rating_key(value: object, key: object = "") -> str:
    """Return a rating key that is safe in a URL, also from ``/library/metadata/KEY``; else nothing."""
    plain = text(value)
    if _RATING_KEY.fullmatch(plain):
        return plain
    path = _LIBRARY_KEY.match(plain) or _LIBRARY_KEY.match(text(key))
    return path.group(1) if path and _RATING_KEY.fullmatch(path.group(1)) else ""


def seconds(value: object) -> float | None:
    """Return Plex's milliseconds as seconds; None for what is no number or negative."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number / 1000 if math.isfinite(number) and number >= 0 else None
