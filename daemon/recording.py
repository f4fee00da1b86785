"""An event, made rows: who played what, what the handlers say follows from it. Inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import handlers.playback
import handlers.scrobble
from daemon.config import Settings
from daemon.model import (
    Changes,
    Demand,
    Event,
    Item,
    Play,
    PlaybackChanged,
    PlaybackConfirmed,
    PlaybackStarted,
    PlaybackStopped,
    Watched,
)
from daemon.situation import counting
from daemon.state import demands, ledger, plays, sources, tasks
from daemon.state.store import Connection


def record(
    connection: Connection, event: Event, item: Item | None, following: Sequence[Item], settings: Settings
) -> str:
    """Record an event and what the handlers make of it; return the tier that serves the item, if it is known."""
    tier = ""
    if item is not None:
        demands.put_items(connection, [item, *following])
        paths = [file.plex_path for file in item.files]
        tier = "cache" if ledger.is_cached(connection, paths) else "array"
        if not isinstance(event, Watched):
            ledger.mark_played(connection, paths, event.at)
            tasks.forgive(connection, paths)
        if isinstance(event, PlaybackStarted):
            sources.accept(connection, [item.rating_key])
    demands.apply(connection, _react(connection, event, item, following, settings))
    user = event.user if isinstance(event, Watched) else event.play.user
    if settings.users.inactive_after and user.id:
        # Who comes back counts at once.
        demands.recount(connection, counting(connection, settings).until, user=user.id)
    return tier


def _react(
    connection: Connection, event: Event, item: Item | None, following: Sequence[Item], settings: Settings
) -> Changes:
    if isinstance(event, Watched):
        demands.put_user(connection, event.user, played_at=event.at)
        demands.put_watched(connection, event.rating_key, event.user.id, event.at)
        of_item = demands.demands_of_item(connection, event.rating_key)
        playing = any(
            play.rating_key == event.rating_key and play.user.id == event.user.id
            for play in plays.open_plays(connection)
        )
        return handlers.scrobble.watched(event, of_item, settings, playing=playing)
    play = event.play
    stopped_at = event.at if isinstance(event, PlaybackStopped) else None
    plays.put_play(connection, play, stopped_at=stopped_at)
    demands.put_user(connection, play.user, played_at=event.at)
    if isinstance(event, PlaybackStopped):
        if play.watched:
            demands.put_watched(connection, play.rating_key, play.user.id, event.at)
        before = plays.last_watched(connection, play.rating_key, play.started_at)
        since = event.at - handlers.playback.FAVOURITE_FOR
        whole = event.at - play.started_at >= play.duration * plays.REST
        lately = plays.watched_lately(connection, play.user.id, since, play.started_at) if whole else ()
        made = demands.demands_of_play(connection, play.id)
        return handlers.playback.stopped(event, made, settings, watched_before=before, lately=lately)
    if isinstance(event, PlaybackConfirmed):
        return handlers.playback.confirmed(event, *_surroundings(connection, play))
    if item is not None and isinstance(event, PlaybackStarted):
        return handlers.playback.started(event, item, following, settings)
    if item is not None and isinstance(event, PlaybackChanged) and event.what == "identified":
        made = demands.demands_of_play(connection, play.id)
        return handlers.playback.identified(event, item, following, made, settings)
    return Changes()


def _surroundings(connection: Connection, play: Play) -> tuple[list[Demand], list[str]]:
    """Return what the user demands of the played show, or by a list that leads here; and the ids of open plays."""
    known = demands.item(connection, play.rating_key)
    before = demands.demands_of_show(connection, play.user.id, known.show) if known and known.show else []
    before += demands.demands_leading_to(connection, play.user.id, play.rating_key)
    return list(dict.fromkeys(before)), [other.id for other in plays.open_plays(connection)]
