"""What the folders alone say about files that are not where they belong. Needs no database, no Plex and no daemon."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from daemon.config import MappingSettings
from daemon.errors import StorageError, UnmappedPath
from daemon.model import Entry, File
from daemon.storage import anchors, manifest, tree
from daemon.storage.names import lstat, same_file
from daemon.storage.paths import OWN_FOLDER, OWN_PREFIX, Mappings, file_below, link_text, parts_below
from daemon.storage.states import BACKUP_SUFFIX

_SKIPPED = {(OWN_FOLDER,), ("lost+found",)}
"""Folders at a root that hold no media; the second is readable for root alone."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A file with a copy, a link or a backup that is left over from caching it.

    `bytes`: what has to be copied for it, as far as a look can tell. `doubtful`: only their content can tell whether
    copy and backup are the same. `why`: it cannot be brought back, and why; else empty.
    """

    entry: Entry
    bytes: int = 0
    doubtful: bool = False
    why: str = ""


@dataclass(slots=True)
class Survey:
    """What was found in one mapping. `alive`: the cache is mounted, as far as one can tell.

    `left`: pairs of path and reason: what may be ours, or hide something of ours, and stays. `leftovers` are
    temporary files of ours on the array. `elsewhere`: links into the cache from other folders than those of ours.
    `unclaimed` counts copies that the array has too, and nothing says whose they are. `given_up`: nobody waits for it.
    """

    mapping: MappingSettings
    alive: bool = False
    given_up: threading.Event = field(default_factory=threading.Event)
    strays: list[Stray] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    unclaimed: int = 0

    def demand_wanted(self) -> None:
        """Raise StorageError if nobody waits for this any more."""
        if self.given_up.is_set():
            raise StorageError("it was given up")


def search(mapping: MappingSettings, mappings: Mappings, given_up: threading.Event) -> Survey:
    """Look at the manifest and at every name on the array. Blocks; changes nothing. StorageError once given up."""
    survey = Survey(mapping, is_alive(mapping.cache), given_up)
    if not anchors.anchor_holds(mapping):
        survey.left.append((mapping.array, "its anchor is missing, or it is empty; is the array mounted?"))
        return survey
    named = _named(survey, mappings)
    found = dict.fromkeys(_candidates(survey, mappings))
    for path, entry in named.items():
        survey.demand_wanted()
        if path in found or _on_cache(entry.file, mapping):
            survey.strays.append(Stray(entry, _bytes(mapping, entry)))
    for path in found.keys() - named.keys():
        survey.demand_wanted()
        if stray := describe(mappings.from_local(path), mapping, linked=True):
            survey.strays.append(stray)
    survey.strays.sort(key=lambda stray: stray.entry.file.array_path)
    if survey.alive:
        _say_unknown(survey, mappings, {stray.entry.file.cache_path for stray in survey.strays})
    return survey


def search_cache(mapping: MappingSettings, mappings: Mappings, known: set[str], given_up: threading.Event) -> Survey:
    """Look for copies that no record speaks of, other than those at the `known` paths, as `search` does."""
    survey = Survey(mapping, is_alive(mapping.cache), given_up)
    if survey.alive and anchors.anchor_holds(mapping):
        _say_unknown(survey, mappings, known)
    return survey


def describe(file: File, mapping: MappingSettings, *, linked: bool = False) -> Stray | None:
    """Return what a file's three names say where no manifest speaks of it; None if nothing is left over.

    `linked`: a link leads to its copy, or it has a backup.
    """
    name, (original, backup) = Path(file.array_path).name, _array(file, mapping)
    copy = _on_cache(file, mapping)
    base = next((one for one in (backup, original, copy) if one and stat.S_ISREG(one.st_mode)), None)
    entry = Entry(
        File(file.plex_path, file.array_path, file.cache_path, file.mapping, base.st_size if base else 0),
        base.st_mtime_ns if base else 0,
        0.0,
        placement=f"{mapping.serve}+backup",
        link=link_text(mapping, file),
    )
    if backup is None and not linked:
        return None
    if base is None or (base is original and backup is None):
        # A link that somebody gave another name, with or without a new file in its place.
        return Stray(entry, why=lost_behind_link(name))
    if copy is None or base is copy or not stat.S_ISREG(copy.st_mode):
        return Stray(entry, base.st_size if base is copy else 0)
    if copy.st_size == base.st_size:
        return Stray(entry, doubtful=copy.st_mtime_ns != base.st_mtime_ns)
    if copy.st_mtime_ns > base.st_mtime_ns:
        return Stray(entry, copy.st_size)
    return Stray(entry, why="its copy and its backup differ, and the copy is not the newer one")


def lost_behind_link(name: str) -> str:
    """Return what to do about a file of which only our link is left."""
    return f"its copy is gone, and there is no {name}{BACKUP_SUFFIX}; get the file anew, or remove its link"


def led_to(text: str, below: str, mapping: MappingSettings) -> File | None:
    """Return the file to whose copy a link leads that says `text` and stands at `below` on the array; None: to none."""
    roots = [(f"{mapping.array.rstrip('/')}/{below}", mapping.cache)]
    if mapping.link_target:
        roots.append((f"{mapping.plex.rstrip('/')}/{below}", mapping.link_target))
    for stands, root in roots:
        leads = os.path.normpath(os.path.join(os.path.dirname(stands), text))  # noqa: PTH118, PTH120 - no disk is asked
        with suppress(UnmappedPath):
            if leads.startswith(f"{root.rstrip('/')}/"):
                return file_below(mapping, leads.removeprefix(f"{root.rstrip('/')}/"), 0)
    return None


def is_alive(cache: str) -> bool:
    """Say whether a cache is mounted, as far as one can tell."""
    try:
        with os.scandir(cache) as items:
            # A folder where nothing is mounted is empty.
            return any(True for _ in items)
    except OSError:
        return False


def _named(survey: Survey, mappings: Mappings) -> dict[str, Entry]:
    if not survey.alive:
        return {}
    try:
        entries = [*_of_former_names(survey.mapping, mappings), *manifest.entries(survey.mapping)]
        return {entry.file.array_path: entry for entry in entries}
    except OSError as error:
        survey.left.append((survey.mapping.cache, f"the list of what is on it cannot be read: {error.strerror}"))
        return {}


def _of_former_names(mapping: MappingSettings, mappings: Mappings) -> Iterator[Entry]:
    """Yield what a manifest names of mappings that are no longer configured: this cache has got another name."""
    names = [json.loads(text).get("mapping") for text in manifest.read(mapping.cache).values()]
    configured = {each.name for each in mappings.all}
    for name in dict.fromkeys(each for each in names if isinstance(each, str) and each not in configured):
        for entry in manifest.entries(mapping.model_copy(update={"name": name})):
            yield replace(entry, file=replace(entry.file, mapping=mapping.name))


def _candidates(survey: Survey, mappings: Mappings) -> Iterator[str]:
    """Yield the array path of each file that has a backup, or whose name holds a link to its copy."""
    mapping = survey.mapping
    for parts, item in _walk(survey, mapping.array):
        if tree.BESIDE.fullmatch(item.name):
            survey.leftovers.append("/".join((mapping.array, *parts, item.name)))
            continue
        below = "/".join((*parts, item.name.removesuffix(BACKUP_SUFFIX)))
        with suppress(UnmappedPath, OSError):
            file: File | None = file_below(mapping, below, 0)
            if item.is_symlink():
                file = _linked(survey, parts, item.name)
            elif not _is_backup(item):
                continue
            # A mapping inside of this one looks for its own.
            if file and mappings.from_local(file.array_path).mapping == mapping.name:
                yield file.array_path


def _is_backup(item: os.DirEntry[str]) -> bool:
    name = item.name.removesuffix(BACKUP_SUFFIX)
    return name not in {"", item.name} and item.is_file(follow_symlinks=False)


def _linked(survey: Survey, parts: tuple[str, ...], name: str) -> File | None:
    mapping, below = survey.mapping, "/".join((*parts, name))
    with tree.folder(mapping.array, parts) as folder:
        file = led_to(os.readlink(name, dir_fd=folder), below.removesuffix(BACKUP_SUFFIX), mapping)
    if file and parts_below(file.array_path, mapping.array)[:-1] != parts:
        survey.elsewhere.append(f"{mapping.array}/{below}")
        return None
    return file


def _walk(survey: Survey, root: str) -> Iterator[tuple[tuple[str, ...], os.DirEntry[str]]]:
    """Yield everything but folders below a root, and our own folders' leftovers, with the folder it lies in."""
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        survey.demand_wanted()
        parts = waiting.pop()
        try:
            with tree.folder(root, parts) as opened, os.scandir(opened) as items:
                for item in items:
                    if not item.is_dir(follow_symlinks=False) or item.name.startswith(OWN_PREFIX):
                        yield parts, item
                    elif (*parts, item.name) not in _SKIPPED:
                        waiting.append((*parts, item.name))
        except (OSError, UnmappedPath) as error:
            survey.left.append(("/".join((root, *parts)), f"this folder cannot be read: {error}"))


def _say_unknown(survey: Survey, mappings: Mappings, known: set[str]) -> None:
    """Name what lies on a cache, what the array has not, and what nothing else speaks of."""
    mapping = survey.mapping
    for parts, item in _walk(survey, mapping.cache):
        path = "/".join((mapping.cache, *parts, item.name))
        if path in known or item.name.startswith(OWN_PREFIX) or not item.is_file(follow_symlinks=False):
            continue
        try:
            if mappings.from_local(path).mapping != mapping.name:
                continue
        except UnmappedPath:
            continue  # a folder of ours that belongs to a mapping inside of this one
        try:
            there = _has_own(mapping.array, parts, item)
        except (OSError, UnmappedPath) as error:
            survey.left.append((path, f"nothing says who put it there, and the array cannot be asked: {error}"))
            continue
        if there:
            survey.unclaimed += 1
        else:
            survey.left.append((path, "nothing says who put it there, and the array has no such file"))


def _has_own(root: str, parts: tuple[str, ...], item: os.DirEntry[str]) -> bool:
    """Say whether the array has something of its own under the name of a copy, and not only a link to that."""
    there = _at(root, parts, item.name)[0]
    if there is None or not stat.S_ISLNK(there.st_mode):
        return there is not None
    with suppress(OSError), tree.folder(root, parts) as folder:
        return not same_file(os.stat(item.name, dir_fd=folder), item.stat(follow_symlinks=False))
    return False


def _bytes(mapping: MappingSettings, entry: Entry) -> int:
    recorded = entry.file.size, entry.mtime_ns
    with suppress(OSError, UnmappedPath):
        for found in _array(entry.file, mapping):
            if found and stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == recorded:
                return 0
    return entry.file.size


def _array(file: File, mapping: MappingSettings) -> tuple[os.stat_result | None, os.stat_result | None]:
    """Return what stands at the names of the original and of the backup."""
    *folders, name = parts_below(file.array_path, mapping.array)
    original, backup = _at(mapping.array, tuple(folders), name, name + BACKUP_SUFFIX)
    return original, backup


def _at(root: str, parts: tuple[str, ...], *names: str) -> list[os.stat_result | None]:
    """Return what stands at names in a folder below a root, however long the whole path is."""
    try:
        with tree.folder(root, parts) as folder:
            return [lstat(name, folder) for name in names]
    except (FileNotFoundError, NotADirectoryError):
        return [None] * len(names)


def _on_cache(file: File, mapping: MappingSettings) -> os.stat_result | None:
    *folders, name = parts_below(file.cache_path, mapping.cache)
    with suppress(OSError, UnmappedPath):
        return _at(mapping.cache, tuple(folders), name)[0]
    return None
