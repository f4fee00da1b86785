"""Items, sessions and history rows as elements of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from daemon.demo.files import sidecar_files
from daemon.demo.library import Library
from daemon.demo.markup import Element, Entry, Rendered, Value, element
from daemon.demo.media import TRANSIENT, Kind, Node, Part, Version
from daemon.demo.views import HistoryRow, Views

_KEPT = 4096
_TAGS = {Kind.SHOW: "Directory", Kind.SEASON: "Directory", Kind.TRACK: "Track", Kind.PHOTO: "Photo"}
_SIZES = {"4k": (3840, 2160), "1080": (1920, 1080), "720": (1280, 720), "480": (720, 480)}


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of an item is told."""

    streams: bool = False
    guids: bool = False
    markers: bool = False
    check_files: bool = False


class Renderer:
    """Writes items, and keeps what it wrote until the library changes."""

    def __init__(self, library: Library, views: Views) -> None:
        self.library = library
        self.views = views
        self._kept: dict[tuple[str, Detail], Rendered] = {}
        self._revision = -1

    def entry(self, node: Node, user: str, detail: Detail | None = None) -> Entry:
        """Return an item as this user sees it."""
        if self._revision != self.library.revision or len(self._kept) > _KEPT:
            self._kept.clear()
            self._revision = self.library.revision
        place = (node.key, detail or Detail())
        rendered = self._kept.get(place)
        if rendered is None:
            rendered = self._kept[place] = Rendered(self.item(node, place[1]))
        return Entry(rendered, self.views.fields(user, node))

    def item(self, node: Node, detail: Detail) -> Element:
        """Return an item without what depends on the user."""
        made = Element(_TAGS.get(node.kind, "Video"), self.fields(node))
        made.children += [media_element(node, version, detail) for version in node.versions]
        if node.kind is Kind.SHOW and detail.streams:
            made.children += [element("Location", path=path) for path in self._show_folders(node)]
        if detail.guids and node.section != TRANSIENT:
            made.children += [element("Guid", id=name) for name in external_ids(node)]
        if detail.markers and node.kind in (Kind.MOVIE, Kind.EPISODE):
            made.children += _markers(node)
        return made

    def fields(self, node: Node) -> dict[str, Value]:
        """Return an item's own fields and those of what is above it."""
        is_folder = node.kind in (Kind.SHOW, Kind.SEASON)
        fields: dict[str, Value] = {} if node.live else {"ratingKey": node.key}
        fields |= {"key": node.path + ("/children" if is_folder else ""), "guid": node.guid}
        fields |= {"type": str(node.kind), "title": node.title}
        fields |= self._above(node) | self._section_fields(node)
        if node.kind is not Kind.MOVIE:
            fields["index"] = node.index or (0 if node.kind is Kind.SEASON else 1)
        fields["year"] = node.year
        if node.duration:
            fields["duration"] = node.duration
        if is_folder:
            fields |= self._counts(node)
        if node.live:
            fields["live"] = True
        first = datetime.fromtimestamp(node.added_at, UTC).date()
        fields |= {"originallyAvailableAt": first.replace(year=node.year, day=1).isoformat()}
        return fields | {"addedAt": node.added_at, "updatedAt": node.updated_at}

    def _above(self, node: Node) -> dict[str, Value]:
        fields: dict[str, Value] = {}
        names = ("parent", "grandparent")
        above = self.library.get(node.parent) if node.parent else None
        for name in names:
            if above is None:
                break
            fields |= {f"{name}RatingKey": above.key, f"{name}Key": above.path, f"{name}Guid": above.guid}
            fields[f"{name}Title"] = above.title
            if above.kind is Kind.SEASON:
                fields[f"{name}Index"] = above.index
            above = self.library.get(above.parent) if above.parent else None
        return fields

    def _section_fields(self, node: Node) -> dict[str, Value]:
        section = self.library.sections.get(node.section)
        fields: dict[str, Value] = {"librarySectionID": int(node.section)}
        if section is not None:
            fields |= {
                "librarySectionTitle": section.title,
                "librarySectionKey": f"/library/sections/{section.key}",
            }
        return fields

    def _counts(self, node: Node) -> dict[str, Value]:
        counts: dict[str, Value] = {"leafCount": sum(1 for _ in self.library.leaves(node.key))}
        if node.kind is Kind.SHOW:
            counts["childCount"] = len(node.children)
            if node.skip_parent:
                counts["skipParent"] = True
        return counts

    def _show_folders(self, show: Node) -> list[str]:
        files = (part.file for leaf in self.library.leaves(show.key) for part in leaf.parts)
        return sorted({str(PurePosixPath(file).parent.parent) for file in files})


def media_element(node: Node, version: Version, detail: Detail, *, selected: bool = False) -> Element:
    """Return one version of an item with its parts."""
    width, height = _SIZES.get(version.resolution, (1920, 1080))
    container = _container(version.parts[0].file if version.parts else "")
    return element(
        "Media",
        *(_part_element(node, version, part, detail, selected=selected) for part in version.parts),
        id=version.id,
        duration=node.duration or None,
        bitrate=height * 8,
        width=width,
        height=height,
        aspectRatio=1.78,
        audioChannels=6,
        audioCodec="ac3",
        videoCodec="h264",
        videoResolution=version.resolution,
        container=container,
        videoFrameRate="24p",
        title="Optimized for TV" if version.optimized else None,
        target="Optimized for TV" if version.optimized else None,
        proxyType=42 if version.optimized else None,
        deletedAt=node.updated_at if version.deleted else None,
        selected=True if selected else None,
    )


def _part_element(node: Node, version: Version, part: Part, detail: Detail, *, selected: bool) -> Element:
    return element(
        "Part",
        *(_streams(part) if detail.streams else ()),
        id=part.id,
        key=f"/library/parts/{part.id}/{node.updated_at}/file.{_container(part.file)}",
        duration=node.duration // len(version.parts) or None,
        file=part.file or None,
        size=part.size or None,
        container=_container(part.file),
        accessible=part.exists if detail.check_files or not part.exists else None,
        exists=part.exists if detail.check_files or not part.exists else None,
        decision="directplay" if selected else None,
        selected=True if selected else None,
    )


def _streams(part: Part) -> list[Element]:
    streams = [
        element("Stream", id=part.id * 10 + 1, streamType=1, index=0, codec="h264", default=True),
        element("Stream", id=part.id * 10 + 2, streamType=2, index=1, codec="ac3", language="English"),
    ]
    for number, (path, _) in enumerate(sidecar_files(part.file) if part.file else [], 3):
        key = f"/library/streams/{part.id * 10 + number}"
        codec = PurePosixPath(path).suffix[1:].lower()
        streams.append(element("Stream", id=part.id * 10 + number, streamType=3, codec=codec, key=key))
    return streams


def external_ids(node: Node) -> list[str]:
    """Return an item's ids at the databases that agents know."""
    number = int(node.guid[-8:], 16) % 10_000_000
    return [f"imdb://tt{number:07}", f"tmdb://{number}", f"tvdb://{number}"]


def _markers(node: Node) -> list[Element]:
    spans = (
        ("intro", node.duration // 50, node.duration // 25, None),
        ("credits", node.duration * 95 // 100, node.duration, True),
    )
    return [
        element(
            "Marker",
            element("Attributes", id=number, version=5),
            id=number,
            type=kind,
            startTimeOffset=start,
            endTimeOffset=end,
            final=final,
        )
        for number, (kind, start, end, final) in enumerate(spans, 1)
    ]


def _container(file: str) -> str:
    return PurePosixPath(file).suffix[1:] or "mkv"


def history_element(row: HistoryRow, library: Library, renderer: Renderer) -> Element:
    """Return a row of the history; of a deleted item only what the row itself holds."""
    node = library.get(row.key)
    fields: dict[str, Value] = {"historyKey": f"/status/sessions/history/{row.id}"}
    if node is not None:
        kept = ("key", "ratingKey", "parentKey", "grandparentKey", "parentTitle", "grandparentTitle")
        own = renderer.fields(node)
        fields |= {name: own[name] for name in (*kept, "index", "parentIndex") if name in own}
    fields |= {"librarySectionID": row.section, "title": row.title, "type": str(row.kind)}
    fields |= {"viewedAt": row.viewed_at, "accountID": int(row.account), "deviceID": row.device}
    return Element("Video", fields)
