"""The list of what Unraid's mover has to leave alone: the user's own lines, a marker, and then ours."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from daemon.config import MappingSettings
from daemon.model import Entry
from daemon.storage import attributes, tree
from daemon.storage.paths import OWN_FOLDER, OWN_PREFIX

MARKER = "### ondeckd writes everything below this line; write your own lines above it"
MARKERS = (MARKER, "### Plexcache exclusions below this line")
"""Lines that end what is the user's own. The second is PlexCache's, and stays where it is found."""


def wanted(mappings: Iterable[MappingSettings], entries: Iterable[Entry]) -> list[str]:
    """Return what the list has to name: the folder of ours on each cache, and each copy."""
    own = dict.fromkeys(f"{mapping.cache.rstrip('/')}/{OWN_FOLDER}" for mapping in mappings)
    return [*own, *(entry.file.cache_path for entry in entries)]


def read(path: str) -> str:
    """Return the list as it is now; empty where there is none."""
    with suppress(FileNotFoundError):
        return Path(path).read_bytes().decode(errors="surrogateescape")
    return ""


def unlisted(text: str, cache_paths: Iterable[str]) -> list[str]:
    """Return those paths that are on no line of the list. One with a line break in it cannot be on any."""
    lines = {line.rstrip("\r") for line in _lines(text)}
    return [path for path in cache_paths if path not in lines]


def stale(text: str, cache_paths: Iterable[str]) -> list[str]:
    """Return the lines below the marker that no path accounts for."""
    known = set(cache_paths)
    below = (line.rstrip("\r") for line in _lines(text)[_end(text) + 1 :])
    return [line for line in below if line and line not in known]


def renewed(text: str, cache_paths: Iterable[str]) -> str:
    """Return the list with the user's own lines as they are, and just these paths below the marker."""
    lines, end = _lines(text), _end(text)
    below = sorted(path for path in cache_paths if "\n" not in path)
    return "\n".join([*lines[:end], *(lines[end : end + 1] or [MARKER]), *below]) + "\n"


def bring_up_to_date(path: str, cache_paths: Collection[str]) -> None:
    """Have the list name just these paths below its marker, in one instant. Blocks; OSError."""
    # A link stays a link.
    target = Path(path).resolve()
    before = read(path)
    after = renewed(before, cache_paths)
    if after == before:
        return
    content = after.encode(errors="surrogateescape")
    name = OWN_PREFIX + tree.temporary_name("part")
    with tree.folder(str(target.parent)) as folder:
        try:
            with os.fdopen(tree.new_temporary(name, folder), "wb") as file:
                _keep_owner(target, file.fileno())
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            raise
        os.fsync(folder)


def _keep_owner(target: Path, made: int) -> None:
    try:
        before = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        os.fchmod(made, 0o644)
        return
    try:
        attributes.keep(before, made)
    finally:
        os.close(before)


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def _end(text: str) -> int:
    """Return how many lines are the user's own."""
    lines = _lines(text)
    return next((number for number, line in enumerate(lines) if line.rstrip("\r") in MARKERS), len(lines))
