"""What ondeckd placed on a cache, written down on that cache: it outlives the database.

One JSON object a line, in our own folder. The last line about a path counts; a line that a power cut tore is skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from daemon.config import MappingSettings
from daemon.errors import UnmappedPath
from daemon.model import Entry
from daemon.storage import tree
from daemon.storage.paths import OWN_FOLDER, file_below
from daemon.storage.states import At, copy_at

NAME = "manifest"
_MOST = 1 << 63
"""What the database can hold."""

_Line = dict[str, Any]


def record(root: str, entry: Entry) -> None:
    """Note durably that a copy is about to get its final name."""
    with tree.own_folder(root) as own:
        _append(own, _line(root, entry), os.O_CREAT, durable=True)
        os.fsync(own)


def forget(root: str, entry: Entry) -> None:
    """Note that a copy has left."""
    # If that cannot be noted it does no harm: what a line names counts only while it stands as recorded.
    with suppress(OSError), tree.folder(root, (OWN_FOLDER,)) as own:
        _append(own, {"path": _below(root, entry), "gone": True}, 0, durable=False)


def standing(mapping: MappingSettings) -> list[Entry]:
    """Return what the manifest of this mapping's cache names and what stands there exactly as recorded.

    Where its original was put aside, a copy that somebody has changed since counts too: it alone serves the file.
    """
    found = []
    for entry in entries(mapping):
        with suppress(OSError):
            state = copy_at(os.lstat(entry.file.cache_path), entry)
            if state is At.RECORDED or (state is At.NEWER and not entry.keeps_original):
                found.append(entry)
    return found


def orphaned(mapping: MappingSettings) -> list[Entry]:
    """Return what was placed with its original put aside, and has no copy any more. Nothing for a cache not mounted."""
    if not tree.has_own_folder(mapping.cache):
        return []
    aside = [entry for entry in entries(mapping) if not entry.keeps_original]
    return [entry for entry in aside if not os.path.lexists(entry.file.cache_path)]


def entries(mapping: MappingSettings) -> list[Entry]:
    """Return all that the manifest of this mapping's cache names, whether it is still there or not."""
    found = []
    for text in read(mapping.cache).values():
        with suppress(UnmappedPath, KeyError, TypeError, ValueError, OverflowError):
            line = json.loads(text)
            if line["mapping"] == mapping.name:
                found.append(_entry(mapping, line))
    return found


def rewrite(mapping: MappingSettings, entries: Iterable[Entry]) -> None:
    """Have the manifest name just these entries of this mapping, and what it names of one that was here before."""
    root = mapping.cache
    if not tree.has_own_folder(root):
        return
    before = read(root)
    others = {path: text for path, text in before.items() if json.loads(text).get("mapping") != mapping.name}
    here = [entry for entry in entries if entry.file.cache_path == f"{root.rstrip('/')}/{_below(root, entry)}"]
    after = others | {_below(root, entry): _bytes(_line(root, entry)) for entry in here}
    if after == before:
        return
    with tree.own_folder(root) as own:
        name = tree.temporary_name("part")
        with os.fdopen(tree.new_temporary(name, own), "wb") as file:
            try:
                file.writelines(after.values())
                file.flush()
                os.fsync(file.fileno())
                os.replace(name, NAME, src_dir_fd=own, dst_dir_fd=own)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=own)
                raise
        os.fsync(own)


def read(root: str) -> dict[str, bytes]:
    """Return the lines that count, by the path below the root; nothing where there is no manifest."""
    found: dict[str, bytes] = {}
    try:
        with Path(root, OWN_FOLDER, NAME).open("rb") as file:
            for text in file:
                with suppress(ValueError, KeyError, TypeError, AttributeError):
                    line = json.loads(text)
                    if line.get("gone"):
                        found.pop(line["path"], None)
                    else:
                        found[line["path"]] = text.rstrip() + b"\n"
    except FileNotFoundError:
        pass
    return found


def _append(own: int, line: _Line, flags: int, *, durable: bool) -> None:
    file = os.open(NAME, flags | os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=own)
    try:
        # In one call, so that no other thread's line comes in between; begun anew, in case the last was torn.
        os.write(file, b"\n" + _bytes(line))
        if durable:
            os.fsync(file)
    finally:
        os.close(file)


def _bytes(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line).encode() + b"\n"


def _below(root: str, entry: Entry) -> str:
    return entry.file.cache_path.removeprefix(f"{root.rstrip('/')}/")


def _line(root: str, entry: Entry) -> _Line:
    below = _below(root, entry)
    array = entry.file.array_path.removesuffix(below)
    return {
        "path": below,
        "mapping": entry.file.mapping,
        "size": entry.file.size,
        "mtime_ns": entry.mtime_ns,
        "cached_at": entry.cached_at,
        "checksum": entry.checksum,
        "parent": entry.parent.removeprefix(array),
        "placement": entry.placement,
        "copy_mtime_ns": entry.copy_mtime_ns,
        "link": entry.link,
    }


def _entry(mapping: MappingSettings, line: _Line) -> Entry:
    parent = file_below(mapping, line["parent"], 0).array_path if line["parent"] else ""
    size, mtime_ns, cached_at = int(line["size"]), int(line["mtime_ns"]), float(line["cached_at"])
    if not (0 <= size < _MOST and abs(mtime_ns) < _MOST and 0 <= cached_at < _MOST):
        raise ValueError("no size, or no time")
    return Entry(
        file_below(mapping, line["path"], size),
        mtime_ns,
        cached_at,
        checksum=str(line["checksum"]),
        parent=parent,
        placement=str(line["placement"]),
        copy_mtime_ns=int(line.get("copy_mtime_ns", 0)),
        link=str(line.get("link", "")),
    )
