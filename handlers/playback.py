"""What a play changes: the playing item and the next episodes are demanded, a stop starts the retention."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from daemon.config import Settings
from daemon.model import (
    HALF_WAY,
    Changes,
    Demand,
    DemandKind,
    Item,
    PlaybackChanged,
    PlaybackConfirmed,
    PlaybackStarted,
    PlaybackStopped,
    Retention,
    User,
)

_BETWEEN_EPISODES = 3600.0
"""Seconds for which the next episodes stay in any case: what follows must not leave between two of them."""

_SOON_AGAIN = 30 * 86_400.0
"""Seconds within which something that is watched again is a favourite."""

FAVOURITE_FOR = 30 * 86_400.0
"""Seconds for which favourites stay: what the same user has watched again within as long."""

_ENOUGH, _OFTEN = 4, 0.25
"""Who has watched at least so much, and so large a share of it again, watches everything again."""


def started(event: PlaybackStarted, item: Item, following: Iterable[Item], settings: Settings) -> Changes:
    """Demand the playing item and what follows. What an earlier play demanded stays for now.

    What follows in a play queue may be of other shows, and movies. An excluded user demands nothing, nor does a library
    that is not selected (what is playing is protected all the same, by being played).
    """
    play = event.play
    if settings.users.excludes(play.user) or not item.selected:
        return Changes()
    first = [item] if settings.playback.cache_current else []
    return Changes(
        put_demands=tuple(
            Demand(
                rating_key=wanted.rating_key,
                kind=DemandKind.PLAYING if position == 0 else DemandKind.NEXT_UP,
                user=play.user.id,
                since=event.at,
                position=position,
                show=wanted.show,
                play=play.id,
            )
            for position, wanted in [*((0, one) for one in first), *enumerate(following, start=1)]
        )
    )


def identified(
    event: PlaybackChanged, item: Item, following: Iterable[Item], made: Iterable[Demand], settings: Settings
) -> Changes:
    """Make anew what the play demands, because only now it is known who plays, or what counts or follows."""
    since = PlaybackStarted(event.play, event.at)
    return replace(started(since, item, following, settings), drop_demands=tuple(made))


def confirmed(event: PlaybackConfirmed, of_show: Iterable[Demand], open_plays: Iterable[str]) -> Changes:
    """Let this play take the place of the user's earlier plays of the show, and cancel the item's retention.

    `of_show` are the user's demands of this show; those of `open_plays` (other screens) stay.
    """
    play = event.play
    alive = {play.id, *open_plays}
    return Changes(
        drop_demands=tuple(
            demand for demand in of_show if demand.kind is DemandKind.NEXT_UP and demand.play not in alive
        ),
        drop_retentions=((play.rating_key, play.user.id),),
    )


def stopped(
    event: PlaybackStopped,
    made: Iterable[Demand],
    settings: Settings,
    *,
    watched_before: float | None = None,
    lately: Collection[str] = (),
) -> Changes:
    """End a play: too short a one is taken back, any other starts the retention.

    `made` are the demands that the play made; `watched_before` is when anybody last watched the item to its end
    before this; `lately` names what this user watched to its end in the `FAVOURITE_FOR` seconds before, one by one.
    The next episodes stay wanted for as long as a half-watched item does, since the user will go on there.
    """
    play = event.play
    made = list(made)
    if not play.watched and event.at - play.started_at < settings.playback.min_play:
        taken_back = tuple((demand.rating_key, play.started_at) for demand in made)
        return Changes(drop_demands=tuple(made), waived=taken_back)
    retention = settings.retention
    keep = retention.after_watched if play.watched else retention.after_stopped
    until = event.at + max(keep, retention.after_stopped, retention.min_stay, _BETWEEN_EPISODES)
    if play.watched and keep and watched_before is not None:
        keep = max(keep, _until_again(event.at - watched_before))
    if play.watched and keep and _is_favourite(play.rating_key, lately):
        keep = max(keep, FAVOURITE_FOR)
    return Changes(
        drop_demands=tuple(demand for demand in made if demand.kind is DemandKind.PLAYING),
        put_demands=tuple(replace(demand, until=until) for demand in made if demand.kind is DemandKind.NEXT_UP),
        put_retentions=retained(play.rating_key, play.user, event.at, keep, watched=play.watched, settings=settings),
    )


def _until_again(interval: float) -> float:
    """Return for how long to keep what was watched again after `interval` seconds: it likely is once more."""
    return 2 * interval if interval <= _SOON_AGAIN else 0.0


def _is_favourite(rating_key: str, lately: Collection[str]) -> bool:
    """Say whether a user who watched this `lately` will likely do so once more.

    That holds for what the same user has seen again, and for all that somebody watches who sees much again.
    """
    again = len(lately) - len(set(lately))
    return rating_key in lately or (len(lately) >= _ENOUGH and again >= _OFTEN * len(lately))


def retained(
    rating_key: str, user: User, at: float, keep: float, *, watched: bool, settings: Settings
) -> tuple[Retention, ...]:
    """Return the retention of what a user played; none for an excluded user or a setting of 0."""
    if not keep or settings.users.excludes(user):
        return ()
    return (Retention(rating_key, user.id, at + keep, "watched" if watched else HALF_WAY),)
