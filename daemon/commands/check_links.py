"""What `check` says about links, from where they are followed: Plex is asked to look at one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from daemon.commands.findings import EXIT_CONFIG, Line
from daemon.config import MappingSettings, Settings
from daemon.errors import PlexError
from daemon.model import Entry
from daemon.plex.library import PlexLibrary
from daemon.state.peek import served_by_links


async def link_lines(library: PlexLibrary, settings: Settings, directory: Path) -> AsyncIterator[Line]:
    """Yield one line for each mapping that is served by links. `directory` is the state folder."""
    for mapping in settings.mapping:
        if mapping.enabled and mapping.serve == "symlink":
            yield await _line(library, mapping, directory)


async def _line(library: PlexLibrary, mapping: MappingSettings, directory: Path) -> Line:
    found = await asyncio.to_thread(_standing, mapping, directory)
    if found is None:
        text = "no file is served by a link yet; whether Plex can follow one is seen when you check again then"
        return Line("links", "note", f"{mapping.name}: {text}")
    entry, key = found
    path = entry.file.plex_path
    try:
        opens = await library.can_open(key, path)
    except PlexError as error:
        return Line("links", "note", f"{mapping.name}: Plex could not be asked about {path}: {error}")
    if opens is None:
        return Line("links", "note", f"{mapping.name}: Plex does not say whether it can open {path}")
    if opens:
        return Line("links", "ok", f"{mapping.name}: Plex can open {path}, which is a link to the cache")
    text = (
        f"Plex cannot open {path}, which is a link that says {entry.link}; give Plex that path, or set link_target to "
        "the cache as Plex sees it"
    )
    return Line("links", "fault", f"{mapping.name}: {text}", EXIT_CONFIG)


def _standing(mapping: MappingSettings, directory: Path) -> tuple[Entry, str] | None:
    """Return an entry whose link and copy stand now, and its rating key. Blocks."""
    for entry, key in served_by_links(directory, mapping.name):
        if Path(entry.file.array_path).is_symlink() and Path(entry.file.cache_path).exists():
            return entry, key
    return None
