"""What a client plays one after another: its play queue.

The names are those of Plex's API description and of its clients: ``playQueueShuffled``, ``playQueuePlaylistID``, and a
``playQueueSourceURI`` that ends in what the queue was made from. Plex tells nobody that a queue has changed; who wants
to know reads it again when the item changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from urllib.parse import unquote, urlencode
from xml.etree.ElementTree import Element

import structlog

from daemon.errors import PlexError
from daemon.model import Item, ItemType
from daemon.plex import elements
from daemon.plex.episodes import enough, usual_length
from daemon.plex.frames import PLAYED_TYPES, QueuePlace, rating_key, text
from daemon.plex.reading import Reader

log = structlog.get_logger()

_WINDOW = 50
"""The items that are asked for on either side of the one that plays; a queue may hold 40,000."""

_MOST = 500
"""The items that are looked at, however many Plex sends."""


_PATIENCE = 5.0
"""Seconds (real ones) for which a queue is waited for; the order of the show does as well."""


class Queues:
    """Reads play queues. `reader` asks in a way that a refusal says nothing about the daemon's own token.

    `counts` says whether a library (id, title) does.
    """

    def __init__(self, reader: Reader, counts: Callable[[str, str], bool]) -> None:
        self._reader = reader
        self._counts = counts

    async def following(
        self, place: QueuePlace, item: Item, *, count: int, min_runtime: float = 0.0
    ) -> list[Item] | None:
        """Return what comes after `item` in the queue that a client plays, with all files.

        At least `count` and as many as last `min_runtime` seconds, also what has been watched: who plays a list plays
        all of it. None: there is no such queue, Plex does not show it (it is somebody else's), or it is no more than
        the show in order.
        """
        if not place.queue or not (count or min_runtime):
            return None
        container = await self._read(place, count)
        found = None if container is None else ahead(container, place, item, self._counts)
        if found is None:
            return None
        # An item that comes again needs to be there once, the first time.
        found = list({one.rating_key: one for one in found if one.rating_key != item.rating_key}.values())
        bare = [one.rating_key for one in found if not one.files]
        full = {one.rating_key: one for one in await self._reader.items(bare[:_WINDOW])}
        found = [full.get(one.rating_key, one) for one in found]
        return enough(item, found, usual_length(found), count=count, min_runtime=min_runtime)

    async def _read(self, place: QueuePlace, count: int) -> Element | None:
        asked = {"own": 0, "window": max(_WINDOW, count), "includeBefore": 1, "includeAfter": 1}
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._reader.query("queue", f"/playQueues/{place.queue}?{urlencode(asked)}")
        except (PlexError, TimeoutError) as error:
            log.debug("play_queue_unreadable", queue=place.queue, why=str(error) or "no answer in time")
            return None


def ahead(
    container: Element, place: QueuePlace, current: Item, counts: Callable[[str, str], bool]
) -> list[Item] | None:
    """Return what the client plays after `current`, without what is no movie or episode.

    None: the queue does not hold `current`, or is its show in order, which the show's own episodes say better (the
    queue ends somewhere, and holds what has been watched). `counts` says whether a library (id, title) does.
    """
    rest = _after(list(container), place, current, text(container.get("playQueueSelectedItemID")))
    if rest is None:
        return None
    videos = [element for element in islice(rest, _MOST) if _is_video(element)]
    # Of most queues no more is wanted than this: to make items of all that they hold would hold up the start.
    if not _is_made_by_hand(container) and _is_in_order(current, videos):
        return None
    found = [(element, one) for element in videos if (one := elements.item(element, container))]
    sections = [elements.section_of(element, container) for element, _ in found]
    return [one for (_, one), section in zip(found, sections, strict=True) if not any(section) or counts(*section)]


def _after(queue: Sequence[Element], place: QueuePlace, current: Item, selected: str) -> Sequence[Element] | None:
    """Return what stands after `current`, which a queue may hold several times: the client says at which it is."""
    places = [
        index
        for index, element in enumerate(queue)
        if rating_key(element.get("ratingKey"), element.get("key")) == current.rating_key
    ]
    names = {text(queue[index].get("playQueueItemID")): index for index in reversed(places)}
    for name in (place.item, selected):
        if name in names:
            return queue[names[name] + 1 :]
    return queue[places[0] + 1 :] if places else None


def _is_made_by_hand(container: Element) -> bool:
    """Say whether the queue was shuffled or made from a playlist, so that its order is wanted as it is."""
    shuffled = text(container.get("playQueueShuffled")) in {"1", "true"}
    playlist = text(container.get("playQueuePlaylistID")) not in {"", "0"}
    return shuffled or playlist or "/playlists/" in unquote(container.get("playQueueSourceURI", ""))


def _is_video(element: Element) -> bool:
    """Say whether an item of this is a movie or an episode of a library."""
    named = rating_key(element.get("ratingKey"), element.get("key"))
    return text(element.get("type")) in PLAYED_TYPES and bool(named) and element.get("live") != "1"


def _is_in_order(current: Item, following: Sequence[Element]) -> bool:
    """Say whether these are episodes of the same show in its order; specials may stand anywhere."""
    places = [(current.season, current.episode)]
    for element in following:
        show = rating_key(element.get("grandparentRatingKey"), element.get("grandparentKey"))
        if text(element.get("type")) != ItemType.EPISODE or show != current.show:
            return False
        # As `elements.item` reads them.
        place = elements.number(element.get("parentIndex"), 1), elements.number(element.get("index"), 0)
        if place[0] or not current.season:
            places.append(place)
    return bool(current.show) and places == sorted(places)
