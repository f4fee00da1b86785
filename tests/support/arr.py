"""What Sonarr and Radarr post, in the shape in which their versions 3 and 4 do it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

SERIES = "/data/tv/Show"


def file(path: str, size: int = 0, **more: Any) -> dict[str, Any]:
    """Return a file of a payload."""
    relative = str(PurePosixPath(path).relative_to(SERIES)) if path.startswith(SERIES) else PurePosixPath(path).name
    found = {"id": 7, "relativePath": relative, "path": path, "quality": "WEBDL-1080p", "qualityVersion": 1}
    return found | ({"size": size} if size else {}) | more


def sonarr(event: str, **more: Any) -> dict[str, Any]:
    """Return a payload of Sonarr."""
    series = {"id": 1, "title": "Show", "titleSlug": "show", "path": SERIES, "tvdbId": 1234, "type": "standard"}
    episodes = [{"id": 5, "episodeNumber": 1, "seasonNumber": 1, "title": "Pilot"}]
    return {"series": series, "episodes": episodes, "eventType": event, "instanceName": "Sonarr"} | more


def imported(path: str, size: int, *gone: dict[str, Any]) -> dict[str, Any]:
    """Return an import, with what it replaced."""
    more = {"episodeFile": file(path, size), "isUpgrade": bool(gone), "downloadClient": "qbt", "downloadId": "AB12"}
    return sonarr("Download", **more, **({"deletedFiles": list(gone)} if gone else {}))


def renamed(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return a renaming of files, each old path with its new one."""
    files = [file(new, 1000, previousPath=old, previousRelativePath=PurePosixPath(old).name) for old, new in pairs]
    return sonarr("Rename", renamedEpisodeFiles=files)


def deleted(path: str, size: int = 0, reason: str = "manual") -> dict[str, Any]:
    """Return the deletion of one file."""
    return sonarr("EpisodeFileDelete", episodeFile=file(path, size), deleteReason=reason)


def series_deleted(*, with_files: bool, path: str = SERIES) -> dict[str, Any]:
    """Return the deletion of a series."""
    found = sonarr("SeriesDelete", deletedFiles=with_files)
    found["series"]["path"] = path
    return found


def radarr(event: str, **more: Any) -> dict[str, Any]:
    """Return a payload of Radarr."""
    movie = {"id": 3, "title": "Film", "year": 2001, "folderPath": "/data/movies/Film (2001)", "tmdbId": 9}
    return {"movie": movie, "eventType": event, "instanceName": "Radarr"} | more
