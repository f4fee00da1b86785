"""The webhooks of Sonarr and Radarr, made into types. What they send is untrusted; nothing raises because of it.

Which fields there are is taken from their sources (``NzbDrone.Core/Notifications/Webhook``, versions 3 and 4). Both
send ``eventType``; paths are as their own process sees them. ``Download`` is an import, with ``deletedFiles`` where it
was an upgrade, with ``episodeFile`` or ``movieFile``, and with ``episodeFiles`` once a whole download is imported.
A file delete has a ``deleteReason``: only ``manual`` and ``upgrade`` mean that they deleted a file themselves, the
others (``missingFromDisk``, ``noLinkedEpisodes``, ``manualOverride``) that they forgot it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

_MOST = 2_000
"""Files of one event; the rest is left out. A series has fewer."""
_LONGEST = 4_096
_LARGEST = 1 << 62


class Did(StrEnum):
    """What they did."""

    IMPORTED = "imported"
    RENAMED = "renamed"
    DELETED = "deleted"
    REPLACING = "replacing"
    """Deleted, because a better one is just being imported."""


@dataclass(frozen=True, slots=True)
class ArrFile:
    """A file, as they see it.

    `size` 0: they do not say. `was`: its path before a renaming. `binned`: it lies in their recycle bin.
    """

    path: str
    size: int = 0
    was: str = ""
    binned: bool = False


@dataclass(frozen=True, slots=True)
class ArrEvent:
    """Something they did with files.

    `new` are the files that are there now, `gone` those that they deleted; a renamed one is in `new`. `folder` is a
    whole series or movie that they deleted from disk, else empty.
    """

    did: Did
    app: str
    new: tuple[ArrFile, ...] = ()
    gone: tuple[ArrFile, ...] = ()
    folder: str = ""

    def text(self) -> str:
        """Return what `read` makes this event of again."""
        return json.dumps(asdict(self))


def read(text: str) -> ArrEvent:
    """Return the event that `ArrEvent.text` wrote."""
    row = json.loads(text)
    files = {name: tuple(ArrFile(**one) for one in row[name]) for name in ("new", "gone")}
    return ArrEvent(Did(row["did"]), row["app"], **files, folder=row["folder"])


def parse(app: str, payload: Mapping[str, Any]) -> ArrEvent | None:
    """Return what a payload of ``sonarr`` or ``radarr`` tells of files; None where it tells nothing that matters."""
    made = _EVENTS.get(_text(payload.get("eventType")))
    event = made(app, payload) if made else None
    return event if event and (event.new or event.gone or event.folder) else None


def _imported(app: str, payload: Mapping[str, Any]) -> ArrEvent:
    single = (payload.get(name) for name in ("episodeFile", "movieFile"))
    new = [*_files(payload, single), *_files(payload, _list(payload.get("episodeFiles")))]
    gone = _files(payload, _list(payload.get("deletedFiles")))
    return ArrEvent(Did.IMPORTED, app, _once(new), _once(gone))


def _renamed(app: str, payload: Mapping[str, Any]) -> ArrEvent:
    listed = (one for name in ("renamedEpisodeFiles", "renamedMovieFiles") for one in _list(payload.get(name)))
    return ArrEvent(Did.RENAMED, app, _once(file for file in _files(payload, listed) if file.was))


def _file_deleted(app: str, payload: Mapping[str, Any]) -> ArrEvent | None:
    # A file that gives way to a better one is named again by the import of that, which has to succeed first.
    did = {"manual": Did.DELETED, "upgrade": Did.REPLACING}.get(_text(payload.get("deleteReason")).casefold())
    single = (payload.get(name) for name in ("episodeFile", "movieFile"))
    return ArrEvent(did, app, gone=_once(_files(payload, single))) if did else None


def _all_deleted(app: str, payload: Mapping[str, Any]) -> ArrEvent | None:
    if payload.get("deletedFiles") is not True:
        return None
    return ArrEvent(Did.DELETED, app, folder=_folder(payload))


_EVENTS = {
    "Download": _imported,
    "Rename": _renamed,
    "EpisodeFileDelete": _file_deleted,
    "MovieFileDelete": _file_deleted,
    "SeriesDelete": _all_deleted,
    "MovieDelete": _all_deleted,
}


def _folder(payload: Mapping[str, Any]) -> str:
    series, movie = _part(payload, "series"), _part(payload, "movie")
    return _path(series.get("path")) or _path(movie.get("folderPath")) or _path(movie.get("path"))


def _files(payload: Mapping[str, Any], listed: Any) -> Iterator[ArrFile]:
    above = _folder(payload)
    for one in islice((one for one in listed if isinstance(one, Mapping)), _MOST):
        # Radarr leaves out the path of a file that it has read from its database.
        path = _path(one.get("path")) or _below(above, one.get("relativePath"))
        if path:
            was = _path(one.get("previousPath")) or _below(above, one.get("previousRelativePath"))
            yield ArrFile(path, _size(one.get("size")), was, bool(_text(one.get("recycleBinPath"))))


def _once(files: Any) -> tuple[ArrFile, ...]:
    return tuple({file.path: file for file in islice(files, _MOST)}.values())


def _part(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = payload.get(name)
    return found if isinstance(found, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _path(value: object) -> str:
    """Return an absolute path, of Unix or Windows; nothing for what is none. The mappings judge the rest."""
    path = _text(value)
    absolute = path.startswith(("/", "\\\\")) or path[1:3] in {":\\", ":/"}
    return path if absolute and len(path) <= _LONGEST and "\0" not in path else ""


def _below(folder: str, relative: object) -> str:
    below = _text(relative)
    windows = "\\" in folder and "/" not in folder
    return _path(f"{folder.rstrip('/' + chr(92))}{chr(92) if windows else '/'}{below}") if folder and below else ""


def _size(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST else 0
