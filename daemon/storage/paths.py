"""Which file is meant: the same path as Plex, the array and the cache see it. Never looks at a disk."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from daemon.config import MappingSettings
from daemon.errors import UnmappedPath
from daemon.model import File

OWN_FOLDER = ".ondeckd"
"""The folder at a mapping's root that holds what is ours."""
OWN_PREFIX = ".ondeckd-"
"""Begins the names of temporary files outside of that folder."""

_MOST_KNOWN = 20_000
"""So many files are remembered by what Plex calls them."""

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


class Mappings:
    """The mappings of the configuration; the longest root that covers a path decides.

    Nothing new is cached for one that is switched off, but what is on its cache can still leave.
    """

    def __init__(self, mappings: Sequence[MappingSettings]) -> None:
        self.all = tuple(mappings)
        self._by_name = {mapping.name: mapping for mapping in mappings}
        self._plex = _longest_first((mapping.plex, mapping) for mapping in mappings if mapping.enabled)
        self._off = _longest_first((mapping.plex, mapping) for mapping in mappings if not mapping.enabled)
        local = [(root, mapping) for mapping in mappings for root in _local_roots(mapping)]
        self._local = _longest_first(local)
        self._known: dict[str, File] = {}

    def by_name(self, name: str) -> MappingSettings:
        """Return the mapping of that name; UnmappedPath if there is none (any more)."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnmappedPath(f"there is no mapping {name!r}") from None

    def resolve(self, plex_path: str, size: int = 0) -> File:
        """Return the file that Plex calls `plex_path`; UnmappedPath where no mapping that is in use covers it."""
        file = self.locate(plex_path, size)
        self.demand_enabled(file)
        return file

    def demand_enabled(self, file: File) -> None:
        """Raise UnmappedPath if the file's mapping is switched off."""
        if not self.by_name(file.mapping).enabled:
            raise UnmappedPath(f"{file.plex_path!r}: the mapping {file.mapping!r} is switched off")

    def locate(self, plex_path: str, size: int = 0) -> File:
        """Return the file that Plex calls `plex_path`, also where its mapping is switched off."""
        known = self._known.get(plex_path)
        if known is None or known.size != size:
            try:
                known = _find(self._plex, plex_path, size)
            except UnmappedPath:
                known = _find(self._off, plex_path, size)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            # Each plan asks for all that is wanted, and taking a path apart takes longer than all else.
            self._known[plex_path] = known
        return known

    def from_local(self, path: str) -> File:
        """Return the file behind a path on any tier, through the union, or as Plex sees it."""
        try:
            return _find(self._local, path, 0)
        except UnmappedPath:
            return self.locate(path)

    def sidecar(self, video: File, array_path: str) -> File:
        """Return the file at `array_path` that belongs to `video` (same mapping)."""
        mapping = self.by_name(video.mapping)
        return _build(mapping, parts_below(array_path, mapping.array), 0)


def parts_below(path: str, root: str) -> tuple[str, ...]:
    """Return the components of `path` below `root`; UnmappedPath if it is not below, or is `root` itself."""
    parts = _checked(path).below(_Path.of(root))
    if not parts:
        raise UnmappedPath(f"{path!r} is not below {root}")
    return parts


def file_below(mapping: MappingSettings, below: str, size: int) -> File:
    """Return the file at `below`, a path relative to the mapping's roots; UnmappedPath if it leads elsewhere."""
    return _build(mapping, parts_below(_join(mapping.array, below), mapping.array), size)


def link_text(mapping: MappingSettings, file: File) -> str:
    """Return what a link at the original's path says to lead to the copy as Plex sees it; empty for a union."""
    if mapping.serve != "symlink":
        return ""
    target, below = file.cache_path, "/".join(parts_below(file.array_path, mapping.array))
    beside = file.array_path
    if mapping.link_target:
        target, beside = _join(mapping.link_target, below), file.plex_path
    if mapping.link == "absolute":
        return target
    return os.path.relpath(target, os.path.dirname(beside))  # noqa: PTH120 - text only


def temporary_beside(name: str, what: str) -> str:
    """Return the temporary name that is used beside the file of that name for `what` (``copy`` or ``link``).

    It is always the same, so that it is found again after a crash without a look at the whole folder.
    """
    text = os.fsencode(f"{what}/{name}")
    return f"{OWN_PREFIX}{hashlib.blake2b(text, digest_size=16).hexdigest()}.part"


@dataclass(frozen=True, slots=True)
class _Path:
    """An absolute path taken apart. `drive` is empty on a system without drives."""

    drive: str
    parts: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> _Path:
        if not _WINDOWS.match(text):
            return cls("", tuple(part for part in text.split("/") if part))
        first, *rest = text.replace("\\", "/").split("/")
        return cls(first.casefold() or "//", tuple(part for part in rest if part))

    def below(self, root: _Path) -> tuple[str, ...]:
        """Return the components below `root`, none if there are none or it is another tree."""
        depth = len(root.parts)
        if self.drive != root.drive or self._folded(depth) != root._folded(depth):
            return ()
        return self.parts[depth:]

    def _folded(self, depth: int) -> tuple[str, ...]:
        # Windows does not tell upper case from lower in names, so a root may be written either way.
        return tuple(part.casefold() if self.drive else part for part in self.parts[:depth])


def _checked(path: str) -> _Path:
    if "\0" in path:
        raise UnmappedPath(f"{path!r} contains a NUL")
    if not path.startswith("/") and not _WINDOWS.match(path):
        raise UnmappedPath(f"{path!r} is not an absolute path")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise UnmappedPath(f"{path!r} cannot be the name of a file") from None
    found = _Path.of(path)
    if {"..", "."} & set(found.parts):
        raise UnmappedPath(f"{path!r} contains a relative component")
    if any(part == OWN_FOLDER or part.startswith(OWN_PREFIX) for part in found.parts):
        raise UnmappedPath(f"{path!r} is one of ondeckd's own names")
    return found


def _find(roots: Sequence[tuple[_Path, MappingSettings]], text: str, size: int) -> File:
    path = _checked(text)
    for root, mapping in roots:
        if parts := path.below(root):
            return _build(mapping, parts, size)
    raise UnmappedPath(f"no mapping covers {text!r}")


def _build(mapping: MappingSettings, parts: tuple[str, ...], size: int) -> File:
    below = "/".join(parts)
    windows = bool(_WINDOWS.match(mapping.plex))
    return File(
        plex_path=_join(mapping.plex.replace("\\", "/"), below).replace("/", "\\")
        if windows
        else _join(mapping.plex, below),
        array_path=_join(mapping.array, below),
        cache_path=_join(mapping.cache, below),
        mapping=mapping.name,
        size=size,
    )


def _join(root: str, below: str) -> str:
    return f"{root.rstrip('/')}/{below}"


def _local_roots(mapping: MappingSettings) -> list[str]:
    return [root for root in (mapping.array, mapping.cache, mapping.union) if root]


def _longest_first(
    roots: Iterable[tuple[str, MappingSettings]],
) -> list[tuple[_Path, MappingSettings]]:
    taken_apart = [(_Path.of(root), mapping) for root, mapping in roots]
    return sorted(taken_apart, key=lambda pair: len(pair[0].parts), reverse=True)
