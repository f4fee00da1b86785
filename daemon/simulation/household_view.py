"""What Plex would say of a household at a moment: what is there, who watched what, what is on deck."""

from __future__ import annotations

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from daemon.model import Item, ItemType, MediaFile
from daemon.simulation.history import Listing, Title


@dataclass(frozen=True, slots=True)
class OnDeck:
    """One item of a user's On Deck; `at`: when the user last viewed it, or the episode before it."""

    title: Title
    at: float


@dataclass(slots=True)
class _Last:
    """What a user viewed last of a show, or a movie, and what before that. `open`: not to its end."""

    title: Title
    at: float
    open: bool
    before: _Last | None = None


@dataclass(slots=True)
class _Views:
    finished: Counter[str] = field(default_factory=Counter)
    history: list[tuple[str, float]] = field(default_factory=list)
    last: dict[str, _Last] = field(default_factory=dict)
    """By show, or by the movie's own key."""
    listings: dict[str, float] = field(default_factory=dict)


class PlexView:
    """The library and the views of each user so far.

    `version` of a user changes with everything that may change what the user is shown.
    """

    def __init__(self, titles: Iterable[Title], users: Iterable[str]) -> None:
        self._titles: dict[str, Title] = {}
        self._shows: dict[str, list[Title]] = defaultdict(list)
        self._items: dict[str, Item] = {}
        self._item_lists: dict[str, list[Item]] = {}
        self._views: dict[str, _Views] = {user: _Views() for user in sorted(users)}
        self._versions: Counter[str] = Counter()
        self._arrivals = 0
        self._added: list[Title] = []
        for title in titles:
            self.arrive(title)

    @property
    def users(self) -> list[str]:
        """Return all users, in order."""
        return list(self._views)

    def version(self, user: str) -> tuple[int, int]:
        """Return a mark that differs when what the user is shown may differ."""
        return self._versions[user], self._arrivals

    def title(self, key: str) -> Title | None:
        """Return what is in the library under this key now."""
        return self._titles.get(key)

    def episodes(self, show: str) -> Sequence[Title]:
        """Return the episodes of a show that are in the library now, in order."""
        return self._shows.get(show, ())

    def items(self, show: str) -> list[Item]:
        """Return the episodes of a show as items."""
        if show not in self._item_lists:
            self._item_lists[show] = [self.item(title) for title in self.episodes(show)]
        return self._item_lists[show]

    def item(self, title: Title) -> Item:
        """Return a title as Plex lists it."""
        if title.key not in self._items:
            self._items[title.key] = Item(
                title.key,
                ItemType.EPISODE if title.show else ItemType.MOVIE,
                title.key,
                duration=title.duration,
                files=(MediaFile(title.key, title.size),),
                show=title.show,
                season=title.season,
                episode=title.episode,
                added_at=title.added_at,
            )
        return self._items[title.key]

    def arrive(self, title: Title) -> None:
        """Put a title into the library."""
        self._titles[title.key] = title
        self._arrivals += 1
        if title.added_at:
            self._added.append(title)
        if title.show:
            insort(self._shows[title.show], title, key=_place)
            self._item_lists.pop(title.show, None)

    def added_since(self, at: float) -> list[Title]:
        """Return what came into the library after `at`."""
        return [title for title in self._added if title.added_at > at]

    def begin(self, user: str, title: Title, at: float) -> None:
        """Note that a user views a title: until it is finished it is in progress."""
        last, name = self._views[user].last, title.show or title.key
        before = last.get(name)
        last[name] = _Last(title, at, open=True, before=replace(before, before=None) if before else None)
        self._versions[user] += 1

    def forget(self, user: str, title: Title) -> None:
        """Take back that a user views a title, for it was too short to count."""
        last, name = self._views[user].last, title.show or title.key
        taken_back = last.pop(name)
        if taken_back.before:
            last[name] = taken_back.before
        self._versions[user] += 1

    def finish(self, user: str, title: Title, at: float) -> None:
        """Note that a user has watched a title."""
        views = self._views[user]
        views.finished[title.key] += 1
        views.history.append((title.key, at))
        views.last[title.show or title.key] = _Last(title, at, open=False)
        self._versions[user] += 1

    def put_on_list(self, listing: Listing) -> None:
        """Put an item or a show on a user's watchlist."""
        self._views[listing.user].listings[listing.key] = listing.at
        self._versions[listing.user] += 1

    def history(self, user: str) -> Sequence[tuple[str, float]]:
        """Return what a user has watched so far, and when."""
        return self._views[user].history

    def finished(self, user: str) -> Counter[str]:
        """Return how often a user has watched each title."""
        return self._views[user].finished

    def on_deck(self, user: str, oldest: float = float("-inf")) -> list[OnDeck]:
        """Return what Plex shows a user to go on with, the latest first: what is in progress, or what follows it.

        `oldest` leaves out what was viewed before. In a rewatch an episode counts as not watched while it has been
        watched less often than the one before it.
        """
        views = self._views[user]
        found = []
        for last in views.last.values():
            if last.at < oldest:
                continue
            title = last.title if last.open else self._next(views, last.title)
            if title is not None:
                found.append(OnDeck(title, last.at))
        return sorted(found, key=lambda one: (-one.at, one.title.key))

    def after(self, title: Title) -> Sequence[Title]:
        """Return the episodes after this one; specials follow only specials."""
        special = title.season == 0
        return [
            one for one in self.episodes(title.show) if (one.season == 0) == special and _place(one) > _place(title)
        ]

    def watchlist(self, user: str) -> list[tuple[str, float]]:
        """Return what is on a user's watchlist, the latest first: keys of movies and of shows, and since when.

        Plex takes off by itself what its user has finished.
        """
        views = self._views[user]
        return sorted(
            ((key, at) for key, at in views.listings.items() if not self._is_done(views, key)),
            key=lambda one: (-one[1], one[0]),
        )

    def _is_done(self, views: _Views, key: str) -> bool:
        if key in self._shows:
            return all(views.finished[one.key] for one in self._shows[key])
        return bool(views.finished[key])

    def _next(self, views: _Views, last: Title) -> Title | None:
        if not last.show:
            return None
        times = views.finished[last.key]
        return next((one for one in self.after(last) if views.finished[one.key] < times), None)


def _place(title: Title) -> tuple[int, int, str]:
    return title.season, title.episode, title.key
