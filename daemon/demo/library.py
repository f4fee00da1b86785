"""The simulated library: its items, how they hang together, and how they change."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from daemon.demo.media import MOVIES, SHOWS, TRANSIENT, Kind, Node, Part, Section, Version


def make_guid(kind: Kind, *names: object) -> str:
    """Return the stable global id of what is so named: it survives deletion and re-adding."""
    return f"plex://{kind}/{blake2b(repr(names).encode(), digest_size=12).hexdigest()}"


class Library:
    """Everything that the simulated server holds.

    `seed` decides the bytes of the files; `root` is the folder under which Plex sees them.
    `revision` grows with each change, so that rendered answers can be kept until then.
    """

    def __init__(self, *, seed: int = 1, root: str = "/data") -> None:
        self.seed = seed
        self.root = root.rstrip("/")
        self.items: dict[str, Node] = {}
        self.sections = {
            MOVIES: Section(MOVIES, Kind.MOVIE, "Movies", f"{self.root}/Movies"),
            SHOWS: Section(SHOWS, Kind.SHOW, "TV Shows", f"{self.root}/TV Shows"),
        }
        self.revision = 0
        self._last_key = 0
        self._last_id = 1000

    @property
    def movies(self) -> list[str]:
        """The rating keys of all movies, in the order of their titles."""
        return self.sections[MOVIES].keys

    @property
    def shows(self) -> list[str]:
        """The rating keys of all shows, in the order of their titles."""
        return self.sections[SHOWS].keys

    def __getitem__(self, key: str) -> Node:
        """Return the item; KeyError when there is none."""
        return self.items[key]

    def get(self, key: str) -> Node | None:
        return self.items.get(key)

    def seasons(self, show: str) -> list[Node]:
        """Return the seasons of a show in order, specials (season 0) first."""
        return [self.items[key] for key in self.items[show].children]

    def leaves(self, key: str) -> Iterator[Node]:
        """Yield what can be played at or below an item, in order."""
        node = self.items[key]
        if not node.children:
            if node.kind not in (Kind.SHOW, Kind.SEASON):
                yield node
            return
        for child in node.children:
            yield from self.leaves(child)

    def episodes(self, show: str) -> list[str]:
        """Return the rating keys of a show's episodes in order, without specials."""
        return [node.key for node in self.leaves(show) if self.items[node.parent].index > 0]

    def show_of(self, node: Node) -> Node | None:
        """Return the show that an episode or a season belongs to."""
        season = self.items.get(node.parent) if node.kind is Kind.EPISODE else node
        return self.items.get(season.parent) if season and season.kind is Kind.SEASON else None

    def following(self, node: Node) -> list[str]:
        """Return the episodes after this one; specials follow only specials."""
        show = self.show_of(node)
        if show is None or node.kind is not Kind.EPISODE:
            return []
        season = self.items[node.parent]
        keys = self.episodes(show.key) if season.index > 0 else season.children
        return keys[keys.index(node.key) + 1 :]

    def of_kind(self, section: str, kind: Kind) -> Iterator[Node]:
        """Yield the items of one kind of a section."""
        for key in self.sections[section].keys:
            node = self.items[key]
            if node.kind is kind:
                yield node
            elif kind is Kind.SEASON:
                yield from self.seasons(key)
            elif kind is Kind.EPISODE:
                yield from self.leaves(key)

    def find_path(self, plex_path: str) -> list[Node]:
        """Return the items that this file belongs to (several for a file that holds two episodes)."""
        return [node for node in self.items.values() if any(part.file == plex_path for part in node.parts)]

    def new_key(self) -> str:
        self._last_key += 1
        return str(self._last_key)

    def new_id(self) -> int:
        """Return an id for a version or a part."""
        self._last_id += 1
        return self._last_id

    def new_version(self, *files: tuple[str, int], resolution: str = "1080", optimized: bool = False) -> Version:
        """Make a version of these files (path as Plex sees it, size) with new ids."""
        parts = tuple(Part(self.new_id(), path, size) for path, size in files)
        return Version(self.new_id(), parts, resolution, optimized)

    def extend(self, nodes: Iterable[Node]) -> None:
        """Add many items fast: parents before children, siblings in their order."""
        for node in nodes:
            self.items[node.key] = node
            siblings = self.items[node.parent].children if node.parent else self.sections[node.section].keys
            siblings.append(node.key)
        for section in self.sections.values():
            section.keys.sort(key=self._sort_title)
            section.changes += 1
        self.revision += 1

    def add(self, node: Node) -> Node:
        """Add an item under its parent or to its section, in order. Without a key it gets the next one."""
        if not node.key:
            node.key = self.new_key()
        self.items[node.key] = node
        if node.parent:
            insort(self.items[node.parent].children, node.key, key=lambda key: self.items[key].index)
        elif node.section != TRANSIENT:
            insort(self.sections[node.section].keys, node.key, key=self._sort_title)
        self._changed(node)
        return node

    def set_versions(self, key: str, versions: tuple[Version, ...], *, at: int) -> None:
        """Replace the versions of an item, as an upgrade or a deleted file does."""
        node = self.items[key]
        node.versions = versions
        node.updated_at = at
        self._changed(node)

    def remove(self, key: str) -> list[Node]:
        """Take an item out with all below it; a season or show that is then empty goes with it."""
        node = self.items[key]
        gone = [gone_below for child in list(node.children) for gone_below in self.remove(child)]
        if self.items.pop(key, None) is None:
            return gone
        self._changed(node)
        gone.append(node)
        if node.parent:
            siblings = self.items[node.parent].children
            siblings.remove(key)
            if not siblings:
                gone.extend(self.remove(node.parent))
        elif node.section in self.sections:
            self.sections[node.section].keys.remove(key)
        return gone

    def _changed(self, node: Node) -> None:
        self.revision += 1
        if node.section in self.sections:
            self.sections[node.section].changes += 1

    def _sort_title(self, key: str) -> str:
        return self.items[key].title.casefold()
