"""What `check` says about a mapping: tried out on the real paths."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daemon.config import MappingSettings
from daemon.errors import Level, TierUnavailable
from daemon.storage import anchors, tree, trials
from daemon.storage.paths import OWN_FOLDER
from daemon.storage.space import room


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `check`. With a warning the daemon works nevertheless, with an error it does not."""

    ok: bool
    level: Level
    text: str


def check_mapping(mapping: MappingSettings, *, used: bool = False) -> list[Finding]:
    """Return what works and what does not. Blocks; writes probe files on both tiers, which are gone afterwards.

    `used` says that the ledger has files on this cache: then nothing is written to one that is not mounted.
    """
    ours = tree.has_own_folder(mapping.cache)
    try:
        findings = [*_array(mapping), *_cache(mapping, used=used)]
        if all(finding.level != "error" for finding in findings):
            findings += _apart(mapping)
        if all(finding.level != "error" for finding in findings):
            findings += [*_abilities(mapping), *(_links(mapping) if mapping.serve == "symlink" else _union(mapping))]
    finally:
        # Left on a mount point it would make that look like the cache, once the cache is not mounted.
        with suppress(OSError):
            if not ours:
                Path(mapping.cache, OWN_FOLDER).rmdir()
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


def _abilities(mapping: MappingSettings) -> Iterator[Finding]:
    with suppress(OSError):  # which has been told before
        yield from _lost("cache", mapping.cache, trials.abilities(mapping.cache, passing=False))
    if mapping.original == "keep":
        return  # nothing is written to its array but what comes back from a copy that was changed
    try:
        array = trials.abilities(mapping.array, passing=True)
    except OSError as error:
        advice = "let this user write it, or change original"
        yield _bad(f"array {mapping.array} cannot be written: {error.strerror}; {advice}")
        return
    yield _good(f"array {mapping.array} can be written")
    if not array.rename_new and not array.hard_links:
        yield _doubtful(
            f"array {mapping.array} cannot rename without replacing and has no hard links: what somebody else puts at "
            "a name in that very moment could be lost"
        )
    if mapping.serve == "symlink":
        yield from _replaced_by_links(mapping, array)
    yield from _lost("array", mapping.array, array)


def _lost(tier: str, root: str, found: trials.Abilities) -> Iterator[Finding]:
    if found.lost:
        yield Finding(ok=False, level="info", text=f"{tier} {root} cannot keep {', '.join(found.lost)}")


def _replaced_by_links(mapping: MappingSettings, array: trials.Abilities) -> Iterator[Finding]:
    advice = 'so it cannot be served by links; set serve = "union"'
    if array.links:
        yield _bad(f"array {mapping.array} holds no symbolic links ({array.links}), {advice}")
    elif not (array.exchange or array.hard_links):
        yield _bad(f"array {mapping.array} can neither exchange two names nor hold hard links, {advice}")
    else:
        yield _good(f"array {mapping.array} can replace a file by a link in one instant")
    kind = trials.file_system(mapping.array)
    if pool := trials.pool(mapping.array):
        yield _bad(
            f"array {mapping.array} is a pool ({pool}), where a file that has just become a link cannot be opened for "
            'a moment; set serve = "union", or array to one of its disks'
        )
    elif kind.startswith("fuse"):
        yield _doubtful(
            f"array {mapping.array} is on {kind}; if it is a pool of disks, a file that has just become a link cannot "
            'be opened for a moment: then set serve = "union"'
        )


def _links(mapping: MappingSettings) -> Iterator[Finding]:
    if mapping.link_target:
        yield Finding(
            ok=False,
            level="info",
            text=f"links say {mapping.link_target}, which only Plex can follow, so that is not tried out here",
        )
        return
    text = secrets.token_hex(16)
    try:
        same = trials.follow_link(mapping, text) == text
    except OSError as error:
        # Where there are no links, or nothing can be written, that has been told.
        if isinstance(error, FileNotFoundError):
            yield _bad(f"{_LINK} does not lead to the cache: {error.strerror}; change link or cache")
        return
    yield (
        _good(f"{_LINK} leads to the cache")
        if same
        else _bad(f"{_LINK} leads elsewhere than to the cache; change link or cache")
    )


_LINK = "a link on the array"


def _union(mapping: MappingSettings) -> Iterator[Finding]:
    if not mapping.union:
        before = "" if mapping.original == "keep" else " before the originals are put aside"
        yield _doubtful(f"no union is set, so nothing proves that Plex sees the cache's copies{before}")
        return
    text = secrets.token_hex(16)
    try:
        alone = trials.through_union(mapping, text, both=False)
    except OSError as error:
        yield _bad(f"union {mapping.union} does not show the cache's files: {error.strerror}; change union")
        return
    if alone != text:
        yield _bad(_WRONG.format(union=mapping.union))
        return
    yield _good(f"union {mapping.union} shows the cache's files")
    try:
        first = trials.through_union(mapping, text, both=True)
    except OSError as error:
        yield Finding(ok=False, level="info", text=f"which tier the union shows first is not known: {error.strerror}")
        return
    if first == text:
        yield _good(f"union {mapping.union} shows the cache's file where both tiers have one")
    else:
        yield _bad(_WRONG.format(union=mapping.union))


_WRONG = "union {union} shows another file than the cache holds; change union, or its order of the tiers"
