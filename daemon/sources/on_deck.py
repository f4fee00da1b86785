"""What each person is in the middle of: Plex's Continue Watching, and the episodes that come after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from daemon.config import Settings
from daemon.errors import PlexUnauthorized, PlexUnavailable
from daemon.model import Demand, DemandKind, Fetched, Item, ItemType, Person
from daemon.plex.episodes import following
from daemon.plex.library import PlexLibrary
from daemon.plex.user_view import UserView


class OnDeck:
    """Reads it with the person's own token: one list, and the episodes of all shows on it.

    What Plex offers is at position 0; the episodes after it follow, as many as ``on_deck.episodes``, without those
    that this person has watched. In a rewatch only what has been watched since its episode was begun counts.
    """

    kind = DemandKind.ON_DECK

    def __init__(self, library: PlexLibrary, settings: Callable[[], Settings]) -> None:
        self._library = library
        self._settings = settings

    async def fetch(self, person: Person) -> Fetched:
        """Return what is on deck for this person. PlexError where any part of it cannot be read."""
        if not person.server_token:
            raise PlexUnauthorized(person.problem or "there is no token of this user")
        view = self._library.as_user(person.server_token)
        deck = await _filled(view, [item for item in await view.on_deck() if item.selected])
        count = self._settings().on_deck.episodes
        wishes: dict[str, tuple[Demand, Item]] = {}
        shows = await view.episodes_of(list(dict.fromkeys(item.show for item in deck if item.show)))
        for item in deck:
            if item.show and item.show not in shows:
                continue  # deleted since it was listed
            episodes = shows.get(item.show, [])
            if item.show and not episodes:
                raise PlexUnavailable(f"Plex lists no episode of {item.show_title}, but one on deck")
            since = max(one.last_viewed_at for one in (item, *episodes))
            for position, one in _numbered([item, *_ahead(item, episodes, count)]):
                known = wishes.get(one.rating_key)
                if known is None or position < known[0].position:
                    wish = Demand(one.rating_key, self.kind, person.user.id, since, position=position, show=one.show)
                    wishes[one.rating_key] = (wish, one)
        return Fetched(tuple(wish for wish, _ in wishes.values()), tuple(item for _, item in wishes.values()))


def _numbered(items: Sequence[Item]) -> Iterator[tuple[int, Item]]:
    """Yield items with their positions; what shares all its files with those before it has the same one."""
    seen: set[str] = set()
    position = -1
    for item in items:
        files = {file.plex_path for file in item.files}
        position += not (files and files <= seen)
        seen |= files
        yield position, item


async def _filled(view: UserView, deck: Sequence[Item]) -> list[Item]:
    """Return movies and episodes with their files, asking once more for those that came without."""
    videos = [item for item in deck if item.type in {ItemType.MOVIE, ItemType.EPISODE}]
    bare = [item.rating_key for item in videos if not item.files]
    full = {item.rating_key: item for item in await view.items(bare)} if bare else {}
    return [full.get(item.rating_key, item) for item in videos]


def _ahead(current: Item, episodes: Sequence[Item], count: int) -> list[Item]:
    if current.type is not ItemType.EPISODE or not count:
        return []
    again = current.watched
    seen = {
        one.rating_key for one in episodes if one.watched and (not again or one.last_viewed_at > current.last_viewed_at)
    }
    return following(current, episodes, seen, count=count)
