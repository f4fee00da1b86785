"""What it changes that somebody has finished an item."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.config import Settings
from daemon.model import Changes, Demand, DemandKind, Watched
from handlers.playback import retained

_ENDED_BY_WATCHING = {DemandKind.NEXT_UP, DemandKind.ON_DECK, DemandKind.WATCHLIST}


def watched(event: Watched, of_item: Iterable[Demand], settings: Settings, *, playing: bool) -> Changes:
    """End the user's wishes for the item; other users' stay.

    While it still plays (`playing`: by this user) the retention waits for the stop.
    """
    drop = tuple(demand for demand in of_item if demand.user == event.user.id and demand.kind in _ENDED_BY_WATCHING)
    if playing:
        return Changes(drop_demands=drop)
    keep = settings.retention.after_watched
    return Changes(
        drop_demands=drop,
        put_retentions=retained(event.rating_key, event.user, event.at, keep, watched=True, settings=settings),
    )
