"""Generated libraries of any size. The same arguments always give the same library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from daemon.demo.library import Library, make_guid
from daemon.demo.media import MOVIES, SHOWS, Kind, Node, Version
from daemon.demo.names import episode_file, fit, movie_folder, season_folder, titles

BORN = 1_600_000_000
"""When the first item was added; each later one an hour after the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large and how odd a library is.

    `sizes` bounds the size of a video in bytes. `awkward` asks for odd names and structures: several
    versions and parts, optimized versions, files with two episodes, specials, hidden seasons, files that
    are gone. Without it each item has one plainly named file.
    """

    movies: int = 10
    shows: int = 3
    seasons: int = 2
    episodes: int = 10
    specials: int = 2
    movie_minutes: float = 100
    episode_minutes: float = 45
    sizes: tuple[int, int] = (20_000, 60_000)
    awkward: bool = True


def generate(shape: Shape | None = None, *, seed: int = 1, root: str = "/data") -> Library:
    """Build a library under `root` as Plex sees it."""
    library = Library(seed=seed, root=root)
    maker = _Maker(library, shape or Shape(), Random(seed))
    library.extend(maker.nodes())
    return library


class _Maker:
    def __init__(self, library: Library, shape: Shape, random: Random) -> None:
        self.library = library
        self.shape = shape
        self.random = random
        self.added = BORN

    def nodes(self) -> Iterator[Node]:
        shape = self.shape
        for number, title in enumerate(titles(shape.movies, awkward=shape.awkward, plain="Movie")):
            yield self.movie(number, title)
        for number, title in enumerate(titles(shape.shows, awkward=shape.awkward, plain="Show")):
            yield from self.show(number, title)

    def movie(self, number: int, title: str) -> Node:
        year = 1950 + number % 75
        node = self.node(Kind.MOVIE, MOVIES, title, number, year=year)
        node.duration = round(self.shape.movie_minutes * 60_000)
        folder = movie_folder(self.library.sections[MOVIES].root, title, year)
        node.versions = tuple(self.movie_versions(number, str(folder), folder.name))
        return node

    def movie_versions(self, number: int, folder: str, stem: str) -> Iterator[Version]:
        oddity = number % 6 if self.shape.awkward else 0
        if oddity == 2:  # noqa: PLR2004 (one number per oddity, in no order that a name would explain)
            yield self.version(*(f"{folder}/{fit(stem, f' - pt{part}.mkv')}" for part in (1, 2)))
            return
        yield self.version(f"{folder}/{fit(stem, '.mkv')}")
        match oddity:
            case 1:
                yield self.version(f"{folder}/{fit(stem, ' - 2160p.mkv')}", resolution="4k")
            case 3:
                optimized = f"{folder}/Plex Versions/Optimized for TV/{fit(stem, '.mp4')}"
                yield self.version(optimized, resolution="720", optimized=True)
            case 5:
                gone = self.version(f"{folder}/{fit(stem, ' - gone.avi')}", resolution="480")
                yield replace(gone, parts=tuple(replace(part, exists=False) for part in gone.parts))

    def show(self, number: int, title: str) -> Iterator[Node]:
        year = 1980 + number % 45
        show = self.node(Kind.SHOW, SHOWS, title, number, year=year)
        show.skip_parent = self.shape.awkward and number % 4 == 1
        yield show
        first = 0 if self.shape.awkward and self.shape.specials else 1
        last = 1 if show.skip_parent else self.shape.seasons
        for index in range(first, last + 1):
            yield from self.season(show, index)

    def season(self, show: Node, index: int) -> Iterator[Node]:
        name = f"Season {index}" if index else "Specials"
        season = self.node(Kind.SEASON, SHOWS, name, show.title, index, year=show.year)
        season.parent, season.index = show.key, index
        yield season
        amount = self.shape.episodes if index else self.shape.specials
        shared: Version | None = None
        for number in range(1, amount + 1):
            title = self.episode_title(index, number)
            episode = self.node(Kind.EPISODE, SHOWS, title, show.title, index, number, year=show.year)
            episode.parent, episode.index = season.key, number
            episode.duration = round(self.shape.episode_minutes * 60_000)
            double = self.shape.awkward and index == 1 and number == 3 and amount > 3  # noqa: PLR2004 (see above)
            version = shared or self.episode_version(show, index, number, number + double, title)
            episode.versions = (version,)
            shared = version if double else None
            yield episode

    def episode_title(self, season: int, number: int) -> str:
        if self.shape.awkward and number == 2:  # noqa: PLR2004 (one odd title per season is enough)
            return f'What\'s "{season}" & <why>? [Part {number}]'
        return f"Episode {number}"

    def episode_version(self, show: Node, season: int, first: int, last: int, title: str) -> Version:
        folder = season_folder(self.library.sections[SHOWS].root, show.title, show.year, season)
        return self.version(f"{folder}/{episode_file(show.title, season, first, last, title)}")

    def version(self, *paths: str, resolution: str = "1080", optimized: bool = False) -> Version:
        files = [(path, self.random.randint(*self.shape.sizes)) for path in paths]
        return self.library.new_version(*files, resolution=resolution, optimized=optimized)

    def node(self, kind: Kind, section: str, title: str, *names: object, year: int) -> Node:
        self.added += 3600
        guid = make_guid(kind, title, *names)
        return Node(
            key=self.library.new_key(),
            kind=kind,
            title=title,
            guid=guid,
            section=section,
            year=year,
            added_at=self.added,
            updated_at=self.added,
        )
