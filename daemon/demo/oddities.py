"""What also plays on a Plex server, and is none of a cache's business."""

from __future__ import annotations

from typing import Literal

from daemon.demo.library import Library
from daemon.demo.media import SHOWS, TRANSIENT, Kind, Node, Part, Version

Oddity = Literal["pre-roll", "live", "theme", "song", "photo"]

_SHAPES: dict[Oddity, tuple[Kind, str, int]] = {
    "pre-roll": (Kind.CLIP, "analyzed.prerolls://clip/0a1b", 30_000),
    "live": (Kind.EPISODE, "tv.plex.xmltv://episode/news", 0),
    "theme": (Kind.TRACK, f"library://{SHOWS}/theme", 40_000),
    "song": (Kind.TRACK, "plex://track/5d07c0ffee", 180_000),
    "photo": (Kind.PHOTO, "com.plexapp.agents.none://photo/7", 0),
}


def add_oddity(library: Library, what: Oddity) -> Node:
    """Add something odd that can be played: a pre-roll, live television, theme music, a song or a photo.

    None of them belongs to a section; only the song and the photo have a file.
    """
    kind, guid, duration = _SHAPES[what]
    live = what == "live"
    file = f"{library.root}/Other/{what}.bin" if what in {"song", "photo"} else ""
    node = Node(
        key=f"{library.new_id():032x}" if live else library.new_key(),
        kind=kind,
        title=f"Some {what}",
        guid=guid,
        section=TRANSIENT,
        duration=duration,
        added_at=1_600_000_000,
        updated_at=1_600_000_000,
        versions=(Version(library.new_id(), (Part(library.new_id(), file, 0),)),),
        live=live,
    )
    return library.add(node)
