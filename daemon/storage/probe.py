"""What `check` says about a mapping: tried out on the real paths."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.config import MappingSettings
from daemon.errors import Level, TierUnavailable
from daemon.storage import anchors, tree
from daemon.storage.space import room


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `check`. With a warning the daemon works nevertheless, with an error it does not."""

    ok: bool
    level: Level
    text: str


def check_mapping(mapping: MappingSettings, *, used: bool = False) -> list[Finding]:
    """Return what works and what does not. Blocks; looks at the array, writes probe files on the cache.

    `used` says that the ledger has files on this cache: then nothing is written to one that is not mounted.
    """
    findings = [*_array(mapping), *_cache(mapping, used=used)]
    if all(finding.level != "error" for finding in findings):
        findings += [*_apart(mapping), *_union(mapping)]
    return [Finding(finding.ok, finding.level, f"{mapping.name}: {finding.text}") for finding in findings]


def _good(text: str) -> Finding:
    return Finding(ok=True, level="info", text=text)


def _bad(text: str) -> Finding:
    return Finding(ok=False, level="error", text=text)


def _doubtful(text: str) -> Finding:
    return Finding(ok=False, level="warning", text=text)


def _array(mapping: MappingSettings) -> Iterator[Finding]:
    try:
        with os.scandir(mapping.array) as items:
            next(items, None)
    except OSError as error:
        yield _bad(
            f"array {mapping.array} cannot be read: {error.strerror}; mount it, let this user read it, or change array"
        )
        return
    yield _good(f"array {mapping.array} can be read")
    if anchors.anchor_holds(mapping):
        yield _good(f"anchor {mapping.anchor} is there" if mapping.anchor else "array is not empty")
    elif mapping.anchor:
        advice = "mount the array, make the file, or change anchor"
        yield _bad(f"anchor {mapping.anchor} is missing below {mapping.array}; {advice}")
    else:
        yield _bad(f"array {mapping.array} is empty; mount it, or change array")


def _cache(mapping: MappingSettings, *, used: bool) -> Iterator[Finding]:
    try:
        _, total, free = room(mapping.cache)
        if used and not tree.has_own_folder(mapping.cache):
            yield _bad(str(tree.not_our_cache(mapping.cache)))
            return
        with tree.probe_file(mapping.cache, "written"):
            pass
    except OSError as error:
        advice = "mount it, let this user write it, or change cache"
        yield _bad(f"cache {mapping.cache} cannot be written: {error.strerror}; {advice}")
        return
    yield _good(f"cache {mapping.cache} can be written")
    yield _good(f"cache has {free / 1e9:.1f} GB free of {total / 1e9:.1f} GB")


def _apart(mapping: MappingSettings) -> Iterator[Finding]:
    try:
        anchors.demand_apart(mapping)
    except TierUnavailable:
        yield _bad(f"array {mapping.array} shows the cache's files; change array to the slow tier alone")
        return
    if Path(mapping.array).stat().st_dev == Path(mapping.cache).stat().st_dev:
        yield _doubtful(f"cache {mapping.cache} is on the same file system as the array; is it mounted?")
    elif not _on_a_mount(mapping.cache):
        yield _doubtful(f"cache {mapping.cache} is on the system's own disk; is it mounted?")
    else:
        yield _good("cache and array are two file systems")


def _on_a_mount(path: str) -> bool:
    return Path(path).stat().st_dev != Path("/").stat().st_dev


def _union(mapping: MappingSettings) -> Iterator[Finding]:
    if not mapping.union:
        yield _doubtful("no union is set, so nothing proves that Plex sees the cache's copies")
        return
    text = secrets.token_hex(16)
    with tree.probe_file(mapping.cache, text) as name:
        try:
            same = Path(mapping.union, name).read_text() == text
        except OSError as error:
            yield _bad(f"union {mapping.union} does not show the cache's files: {error.strerror}; change union")
            return
    if same:
        yield _good(f"union {mapping.union} shows the cache's files")
    else:
        yield _bad(
            f"union {mapping.union} shows another file than the cache holds; change union, or its order of the tiers"
        )
