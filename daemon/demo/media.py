"""What a simulated library is made of. As in Plex, durations are milliseconds and times whole seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MOVIES = "1"
SHOWS = "2"
TRANSIENT = "-2"
"""The section of what belongs to no library: pre-rolls and the like."""


class Kind(StrEnum):
    """The types of Plex items that the simulation knows."""

    MOVIE = "movie"
    SHOW = "show"
    SEASON = "season"
    EPISODE = "episode"
    CLIP = "clip"
    TRACK = "track"
    PHOTO = "photo"


TYPE_NUMBERS = {
    Kind.MOVIE: 1,
    Kind.SHOW: 2,
    Kind.SEASON: 3,
    Kind.EPISODE: 4,
    Kind.TRACK: 10,
    Kind.CLIP: 12,
    Kind.PHOTO: 13,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a version. `file` is the path that Plex sees; empty for what has no file."""

    id: int
    file: str
    size: int
    exists: bool = True


@dataclass(frozen=True, slots=True)
class Version:
    """One ``Media`` of an item: several parts make one version, several versions one item.

    `optimized` marks what Plex transcoded for later (``proxyType=42``); `deleted` a version whose file is
    gone while the trash has not been emptied.
    """

    id: int
    parts: tuple[Part, ...]
    resolution: str = "1080"
    optimized: bool = False
    deleted: bool = False


@dataclass(slots=True)
class Node:
    """An item of the library. `parent` is the key of the season or show above, `children` those below."""

    key: str
    kind: Kind
    title: str
    guid: str
    section: str
    parent: str = ""
    index: int = 0
    year: int = 2000
    duration: int = 0
    added_at: int = 0
    updated_at: int = 0
    versions: tuple[Version, ...] = ()
    children: list[str] = field(default_factory=list)
    skip_parent: bool = False
    """A show whose seasons are hidden."""
    live: bool = False
    """A television channel: it plays, but has no rating key."""

    @property
    def path(self) -> str:
        """Return the item's address on the server."""
        return f"/livetv/sessions/{self.key}" if self.live else f"/library/metadata/{self.key}"

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return all parts of all versions, optimized ones as well."""
        return tuple(part for version in self.versions for part in version.parts)

    @property
    def seconds(self) -> float:
        """Return the duration in seconds."""
        return self.duration / 1000


@dataclass(slots=True)
class Section:
    """A library section; `keys` are its movies or shows in the order of their titles."""

    key: str
    kind: Kind
    title: str
    root: str
    keys: list[str] = field(default_factory=list)
    scanned_at: int = 0
    changes: int = 0
    """How often anything in it has changed."""
    hidden: bool = False
    """Kept off the home screen, and so out of the lists that go across sections."""
