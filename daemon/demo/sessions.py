"""Playback sessions and play queues of the simulated server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from daemon.demo.media import Kind, Node, Version
from daemon.demo.people import Person
from daemon.model import PlayState


@dataclass(slots=True, eq=False)
class PlayQueue:
    """What a client plays one after another: the queue's own ids, each with a rating key.

    `source` is what it was made from: the path of an item, or of a playlist's items. `version` counts its changes.
    """

    id: int
    entries: list[tuple[int, str]]
    source: str
    shuffled: bool = False
    playlist: str = ""
    version: int = 1

    @property
    def keys(self) -> list[str]:
        """Return the rating keys in order."""
        return [key for _, key in self.entries]

    def item_id(self, key: str) -> int | None:
        """Return the queue's id of an item; None when the queue has not got it."""
        return next((identifier for identifier, held in self.entries if held == key), None)

    def after(self, key: str) -> str | None:
        """Return what comes after an item."""
        following = self.keys[self.keys.index(key) + 1 :] if key in self.keys else ()
        return following[0] if following else None

    def window(self, selected: str, size: int) -> list[tuple[int, str]]:
        """Return so many entries on either side of the selected one, and that one."""
        at = self.keys.index(selected)
        return self.entries[max(0, at - size) : at + size + 1]


@dataclass(slots=True, eq=False)
class Session:
    """One client playing one item. Times are seconds; `offset` is the last position reported."""

    session_key: str
    id: str
    person: Person
    node: Node
    client: str
    """The client's identifier; empty for clients that tell none."""
    product: str
    version: Version | None
    started_at: float
    reported_at: float
    offset: float = 0.0
    state: PlayState = PlayState.PLAYING
    queue: PlayQueue | None = None
    transcode: str = ""
    """The id of its transcode session; empty for direct play."""
    autoplay: str = "new"
    """What follows at the end: the next item with a ``new`` session key or the ``same``, or ``none``."""
    scrobbled: bool = False
    vanished: bool = False
    """The client is gone without a word, and the server has not noticed."""
    listed_from: float = 0.0
    """When ``/status/sessions`` begins to show it."""

    @property
    def rating_key(self) -> str:
        return self.node.key

    @property
    def share(self) -> float:
        """Return how far playback is, 0 to 1."""
        return self.offset / self.node.seconds if self.node.duration else 0.0

    def notification(self, state: PlayState | None = None) -> dict[str, Any]:
        """Return what the websocket says about this session."""
        told: dict[str, Any] = {"sessionKey": self.session_key}
        if self.client:
            told["clientIdentifier"] = self.client
        told |= {"guid": "", "ratingKey": "" if self.node.live else self.node.key, "url": ""}
        told |= {"key": self.node.path, "viewOffset": round(self.offset * 1000)}
        if self.queue is not None:
            told |= {"playQueueItemID": self.queue.item_id(self.node.key), "playQueueID": self.queue.id}
        told["state"] = str(state or self.state)
        if self.transcode:
            told["transcodeSession"] = self.transcode
        return told


class PlayQueues:
    """All play queues made since the server's start."""

    def __init__(self) -> None:
        self._queues: dict[int, PlayQueue] = {}
        self._items = 0

    def make(self, keys: Sequence[str], *, shuffled: bool = False, playlist: str = "") -> PlayQueue:
        """Make a queue of these items, in this order. `playlist`: the rating key of the one it was made from."""
        source = f"/playlists/{playlist}/items" if playlist else f"/library/metadata/{keys[0]}"
        queue = PlayQueue(len(self._queues) + 1, self._named(keys), source, shuffled, playlist)
        self._queues[queue.id] = queue
        return queue

    def change(self, queue: PlayQueue, keys: Sequence[str], *, shuffled: bool | None = None) -> None:
        """Give a queue these items instead, as adding to it and shuffling do; those it keeps keep their ids."""
        kept = {key: (identifier, key) for identifier, key in queue.entries}
        new = dict(zip(keys, self._named(keys), strict=True))
        queue.entries[:] = [kept.get(key, new[key]) for key in keys]
        queue.version += 1
        if shuffled is not None:
            queue.shuffled = shuffled

    def _named(self, keys: Sequence[str]) -> list[tuple[int, str]]:
        first, self._items = self._items + 1, self._items + len(keys)
        return list(enumerate(keys, start=first))

    def get(self, number: int) -> PlayQueue | None:
        return self._queues.get(number)


def trackable(node: Node) -> bool:
    """Say whether Plex keeps a view state of such an item."""
    return node.kind in (Kind.MOVIE, Kind.EPISODE) and not node.live


def transcode_fields(session: Session) -> dict[str, Any]:
    """Return what a transcode session tells of itself."""
    return {
        "key": f"/transcode/sessions/{session.transcode}",
        "throttled": False,
        "complete": False,
        "progress": round(session.share * 100, 1),
        "size": -22,
        "speed": 4.2,
        "error": False,
        "duration": session.node.duration,
        "context": "streaming",
        "videoDecision": "transcode",
        "audioDecision": "copy",
        "protocol": "dash",
        "container": "mp4",
        "videoCodec": "h264",
        "audioCodec": "aac",
    }
