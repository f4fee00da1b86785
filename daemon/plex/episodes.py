"""Which episodes come next. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from daemon.model import Item

_JUST_NOW = 600.0
"""Seconds in which Plex may not yet say of an episode that its owner has finished it."""

_IN_A_ROW = 30 * 86_400.0
"""Seconds within which whoever watched an episode goes on with the one after it, to have watched them in a row."""

_USUAL = 45 * 60.0
"""Seconds that an episode is taken to last where Plex says nothing about any of its show."""


def following(
    current: Item,
    episodes: Sequence[Item],
    watched: Collection[str],
    *,
    count: int,
    min_runtime: float = 0.0,
    around: bool = False,
) -> list[Item]:
    """Return the episodes to have ready after `current`, in order, across seasons; `around`: then the first ones.

    As many as `enough` says, without those whose rating key is in `watched`. Specials follow only a special, and
    nothing else does.
    """
    candidates = [*_after(current, episodes), *(_before(current, episodes) if around else ())]
    ahead = [episode for episode in candidates if episode.rating_key not in watched]
    return enough(current, ahead, usual_length(episodes), count=count, min_runtime=min_runtime)


def next_up(
    current: Item,
    episodes: Sequence[Item],
    seen: Collection[str],
    views: Iterable[tuple[str, float]],
    started_at: float,
    *,
    count: int,
    min_runtime: float = 0.0,
) -> list[Item]:
    """Return what follows `current`, which plays since `started_at`, for somebody who has `seen` these.

    Who has finished the show and begun it anew sees it all again. Who sees it again in order goes on at its beginning
    when it ends.
    """
    views = list(views)
    latest = dict(sorted(views, key=lambda view: view[1]))
    anew = _begun_anew(current, episodes, latest)
    seen = {key for key in seen if latest.get(key, math.inf) > anew}
    if not any(key == current.rating_key and at < started_at for key, at in views):
        return following(current, episodes, seen, count=count, min_runtime=min_runtime)
    around = _in_order(current, episodes, views, started_at)
    return following(current, episodes, seen, count=count, min_runtime=min_runtime, around=around)


def _in_order(current: Item, episodes: Iterable[Item], views: Iterable[tuple[str, float]], started_at: float) -> bool:
    """Say whether whoever plays this has watched the episode before it lately, and not picked this one by itself."""
    before = _before(current, episodes)[-1:]
    return any(key == one.rating_key and 0.0 < started_at - at < _IN_A_ROW for one in before for key, at in views)


def usual_length(items: Iterable[Item]) -> float:
    """Return how long one of these is taken to last where Plex does not say it."""
    lengths = [item.duration for item in items if item.duration > 0.0]
    return sum(lengths) / len(lengths) if lengths else _USUAL


def enough(current: Item, ahead: Iterable[Item], usual: float, *, count: int, min_runtime: float = 0.0) -> list[Item]:
    """Return the first of what comes after `current`: at least `count` and as many as last `min_runtime` seconds.

    Those without a file (in the trash, or being replaced) are left out. Items that share a file count once; those
    that share it with one before them come along without being counted.
    """
    chosen: list[Item] = []
    seen = _files(current)
    number, runtime = 0, 0.0
    for item in ahead:
        files = _files(item)
        if not files:
            continue
        if not files <= seen:
            if number >= count and runtime >= min_runtime:
                break
            number += 1
            runtime += item.duration or usual
        seen |= files
        chosen.append(item)
    return chosen


def seen_by(current: Item, views: Iterable[tuple[str, float]], started_at: float) -> set[str]:
    """Return the rating keys that a user has watched, by `views` (rating key, when).

    Where the user had finished `current` before this play, it is a rewatch: then only what has been watched
    since `started_at` counts.
    """
    views = list(views)
    again = any(key == current.rating_key and at < started_at for key, at in views)
    return {key for key, at in views if not again or at >= started_at}


def seen_by_owner(current: Item, episodes: Iterable[Item], known: Mapping[str, float], started_at: float) -> set[str]:
    """Return the rating keys that the owner has watched: Plex's word, and what we know from `_JUST_NOW`.

    Plex's word alone does for all else, since the owner may take a mark back there. In a rewatch it says
    nothing.
    """
    fresh = {key for key, at in known.items() if at > started_at - _JUST_NOW}
    return fresh if current.watched else fresh | {one.rating_key for one in episodes if one.watched}


def _begun_anew(current: Item, episodes: Iterable[Item], latest: Mapping[str, float]) -> float:
    """Return when the show was finished, if its first episode has been watched since; else nothing ended: 0.0."""
    ordered = _ordered(current, episodes)
    ended = latest.get(ordered[-1].rating_key, 0.0) if ordered else 0.0
    return ended if ended and latest.get(ordered[0].rating_key, 0.0) > ended else 0.0


def _ordered(current: Item, episodes: Iterable[Item]) -> list[Item]:
    special = current.season == 0
    return sorted(
        (episode for episode in episodes if (episode.season == 0) == special),
        key=lambda episode: (episode.season, episode.episode),
    )


def _before(current: Item, episodes: Iterable[Item]) -> list[Item]:
    place = (current.season, current.episode)
    return [episode for episode in _ordered(current, episodes) if (episode.season, episode.episode) < place]


def _after(current: Item, episodes: Iterable[Item]) -> list[Item]:
    ordered = _ordered(current, episodes)
    place = (current.season, current.episode)
    keys = [episode.rating_key for episode in ordered]
    if current.rating_key in keys:
        return ordered[keys.index(current.rating_key) + 1 :]
    return [episode for episode in ordered if (episode.season, episode.episode) > place]


def _files(episode: Item) -> set[str]:
    return {file.plex_path for file in episode.files}
