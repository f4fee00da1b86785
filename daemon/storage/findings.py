"""What an audit can find, what each finding means, and how it is fixed. Pure."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from types import MappingProxyType

from daemon.config import MappingSettings
from daemon.model import Entry, File
from daemon.storage.paths import file_below, parts_below
from daemon.storage.sidecars import OTHERS, SUBTITLES, VIDEOS, belongs
from daemon.storage.states import BACKUP_SUFFIX, At, End, Seen
from daemon.storage.strays import led_to

Stat = os.stat_result | None
"""What stands at a name, links not followed; None: nothing."""


class Name(StrEnum):
    """The names of the findings, in the order in which they are fixed."""

    NOT_AUDITED = "not-audited"
    PARTIAL = "partial-file"
    FOREIGN_TEMPORARY = "foreign-temporary"
    MISSING_COPY = "missing-copy"
    DANGLING_LINK = "dangling-link"
    MALFORMED = "malformed-backup"
    ORPHANED = "orphaned-backup"
    FOREIGN_COPY = "foreign-copy"
    UNENTERED_LINK = "unentered-link"
    UNFINISHED = "unfinished-placement"
    CHANGED_COPY = "changed-copy"
    MISSING_ORIGINAL = "missing-original"
    REDUNDANT = "redundant-backup"
    SUPERSEDED = "superseded-backup"
    FOREIGN_LINK = "foreign-link"
    WRONG_OWNER = "wrong-owner"
    MOVER_EXCLUSION = "mover-exclusion"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a finding means, and what its fix does (empty: it is only reported)."""

    means: str
    fix: str = ""


KINDS: Mapping[Name, Kind] = MappingProxyType(
    {
        Name.NOT_AUDITED: Kind("something could not be looked at"),
        Name.PARTIAL: Kind("a temporary file of ondeckd that nothing uses", "remove it"),
        Name.FOREIGN_TEMPORARY: Kind("another program's temporary file on the cache that looks left over"),
        Name.MISSING_COPY: Kind("a recorded copy is gone", "put its original back in place and drop the entry"),
        Name.DANGLING_LINK: Kind("a link into the cache where nothing stands", "put its backup back in its place"),
        Name.MALFORMED: Kind("a backup without its file's extension", "give it the extension that a sibling proves"),
        Name.ORPHANED: Kind("a backup whose original and copy are gone: the only copy", "give it its name back"),
        Name.FOREIGN_COPY: Kind("a file on the cache without an entry", "adopt it, where the array has the same file"),
        Name.UNENTERED_LINK: Kind("a link to a copy without an entry", "adopt the copy"),
        Name.UNFINISHED: Kind("original, backup and copy stand half-way", "finish it, as after a crash"),
        Name.CHANGED_COPY: Kind("a copy differs from what was recorded", "copy it back and keep the old version"),
        Name.MISSING_ORIGINAL: Kind("a copy is the only one: its original is gone", "copy it back"),
        Name.REDUNDANT: Kind("a backup beside its original", "delete it, where both are equal byte by byte"),
        Name.SUPERSEDED: Kind("a backup beside another version: compare the two and delete one by hand"),
        Name.FOREIGN_LINK: Kind("a link on the array that leads out of the mapping"),
        Name.WRONG_OWNER: Kind("owner or mode of what ondeckd made differ", "set them as the original's are"),
        Name.MOVER_EXCLUSION: Kind("unraid.mover_exclude_file is not up to date", "write it anew"),
    }
)
"""The table that ``ondeckd audit --help`` prints."""

ALL = "all"
ADOPT = "adopt"
FIXES = (ALL, ADOPT, *(name.value for name in Name if KINDS[name].fix))
"""What may be asked for. ``adopt`` is both findings that are fixed by adopting."""
UNFIXED: Mapping[str, str] = MappingProxyType(
    {name.value: f"{name} has no fix. It is {kind.means}" for name, kind in KINDS.items() if not kind.fix}
)
"""What to say to those who ask for a fix of what is only reported."""

_JUNK = re.compile(
    r".*\.partial~|\.fuse_hidden[0-9a-f]+|\.nfs[0-9a-f]+|\..+\.[A-Za-z0-9]{6}|.*\.(tmp|part|!qb|filepart|crdownload)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `text` says what it means here, in one line.

    `entry` is the ledger's, or what it would be. `wakes`: its fix looks at the array, or changes it.
    """

    name: Name
    path: str
    text: str
    mapping: str = ""
    entry: Entry | None = None
    fixable: bool = True
    wakes: bool = True

    @property
    def fix(self) -> str:
        """Return what its fix does; empty if there is none."""
        return KINDS[self.name].fix if self.fixable else ""


def chosen(wanted: Iterable[str]) -> frozenset[Name]:
    """Return the findings that these fixes mean. ValueError for a name that is none of `FIXES`."""
    found: set[Name] = set()
    for name in wanted:
        if name not in FIXES:
            raise ValueError(name)
        if name == ALL:
            found |= set(Name)
        else:
            found |= {Name.FOREIGN_COPY, Name.UNENTERED_LINK} if name == ADOPT else {Name(name)}
    return frozenset(found)


def is_media(name: str) -> bool:
    """Say whether a file of this name is a video or may be a sidecar."""
    return any(kind.fullmatch(PurePath(name).suffix) for kind in (VIDEOS, SUBTITLES, OTHERS))


def is_video(name: str) -> bool:
    """Say whether a file of this name is a video."""
    return VIDEOS.fullmatch(PurePath(name).suffix) is not None


def looks_temporary(name: str) -> bool:
    """Say whether another program gives such names to files that it has not finished."""
    return _JUNK.fullmatch(name) is not None


def parent_of(name: str, siblings: Iterable[str]) -> str:
    """Return the video among `siblings` that the file of this name belongs to; empty if it is none's."""
    videos = [one for one in siblings if is_video(one)]
    return next((one for one in videos if one != name and belongs(name, one, videos, "all")), "")


def presumed(file: File, found: os.stat_result, placement: str, *, link: str = "") -> Entry:
    """Return an entry for a file that has none, of which `found` is a version."""
    sized = File(file.plex_path, file.array_path, file.cache_path, file.mapping, found.st_size)
    return Entry(sized, found.st_mtime_ns, 0.0, placement=placement, link=link)


def copy_led_to(mapping: MappingSettings, file: File, text: str) -> str:
    """Return the path on the cache that a link at the original's name leads to; empty if it leads elsewhere."""
    found = led_to(text, "/".join(parts_below(file.array_path, mapping.array)), mapping)
    return found.cache_path if found else ""


def of_entry(entry: Entry, seen: Seen, step: object) -> Finding | None:
    """Judge an entry whose copy stands, by a look at the array. `step` comes next on the way to a settled state."""
    path, mapping = entry.file.cache_path, entry.file.mapping
    if seen.copy is not At.RECORDED:
        return of_changed(entry)
    serve, _, original = entry.placement.partition("+")
    lost = seen.original in {At.NOTHING, At.LINK} and seen.backup is not At.RECORDED and original != "remove"
    if lost or (seen.original is At.NOTHING and serve == "symlink" and isinstance(step, End)):
        text = "this copy is the only one" if lost else "its link is missing, so nothing serves it"
        return Finding(Name.MISSING_ORIGINAL, path, text, mapping, entry)
    if not isinstance(step, End):
        return Finding(Name.UNFINISHED, entry.file.array_path, f"what comes next is: {step}", mapping, entry)
    if step.why:
        return Finding(Name.CHANGED_COPY, path, step.why, mapping, entry)
    return None


def of_changed(entry: Entry) -> Finding:
    """Return what is said of a copy that is not as recorded."""
    text = "size or modification time are not those that were recorded"
    return Finding(Name.CHANGED_COPY, entry.file.cache_path, text, entry.file.mapping, entry)


def of_other_bytes(entry: Entry) -> Finding:
    """Return what is said of a copy that only its checksum tells from what was recorded.

    Its bytes stand nowhere else, so no fix may delete it, and it is not known to be newer than the original.
    """
    advice = "evict it, which first proves that the original is what was recorded"
    if entry.placement.endswith("+remove"):
        advice = "there is no other copy, so keep it until you have one"
    text = f"the disk gives back other bytes than were recorded; {advice}"
    return Finding(Name.CHANGED_COPY, entry.file.cache_path, text, entry.file.mapping, entry, fixable=False)


def of_missing(entry: Entry) -> Finding:
    """Return what is said of an entry without a copy."""
    wakes = entry.placement != "union+keep"
    text = "its original is put aside on the array" if wakes else "its original stands on the array"
    return Finding(Name.MISSING_COPY, entry.file.cache_path, text, entry.file.mapping, entry, wakes=wakes)


def of_foreign(mapping: MappingSettings, file: File, copy: os.stat_result, original: Stat, backup: Stat) -> Finding:
    """Judge a file on the cache without an entry by what the array has under its names."""
    entry, text = None, "the array has no such file: this is the only copy"
    links = mapping.serve == "symlink"
    if links and original and _same(copy, original):
        # Adopting makes no link, so it would be an entry of a copy that nobody reads.
        text = "the array has the same file, and no link leads here: remove this copy by hand, so that ondeckd can"
        text += " cache the file itself"
    elif original and _same(copy, original):
        entry, text = presumed(file, copy, "union+keep"), "the array has the same file"
    elif original:
        text = "another version of it stands on the array"
    elif links and backup and _same(copy, backup):
        text = "its backup is the same file, and no link leads here: remove this copy by hand, then audit again"
    elif backup and _same(copy, backup):
        entry, text = presumed(file, copy, "union+backup"), "its backup on the array is the same file"
    elif backup:
        text = f"only {BACKUP_SUFFIX} stands on the array, and does not prove it"
    return Finding(Name.FOREIGN_COPY, file.cache_path, text, mapping.name, entry, fixable=entry is not None)


def of_link(mapping: MappingSettings, file: File, text: str, standing: Stat, backup: Stat) -> Finding | None:
    """Judge a link on the array that no entry accounts for; `standing`: what is there where it leads on the cache."""
    target, path = copy_led_to(mapping, file, text), file.array_path
    if not target:
        inside = f"{_joined(path, text)}/".startswith(f"{mapping.array}/")
        return None if inside else Finding(Name.FOREIGN_LINK, path, f"it leads to {text}", mapping.name, fixable=False)
    if standing is None:
        entry = presumed(file, backup, "symlink+backup", link=text) if _is_file(backup) and backup else None
        said = "its backup stands beside it" if entry else "it has no backup; nothing is left of it here"
        return Finding(Name.DANGLING_LINK, path, said, mapping.name, entry, fixable=entry is not None)
    if target != file.cache_path or not _is_file(standing):
        return Finding(Name.FOREIGN_LINK, path, f"it leads to {text}", mapping.name, fixable=False)
    entry = presumed(file, standing, "symlink+backup" if backup else "symlink+remove", link=text)
    if backup and not _same(standing, backup):
        said = "its backup is another version than the copy: compare the two by hand"
        return Finding(Name.UNENTERED_LINK, path, said, mapping.name, entry, fixable=False)
    return Finding(Name.UNENTERED_LINK, path, "it leads to a copy that ondeckd knows nothing of", mapping.name, entry)


def of_backup(file: File, backup: os.stat_result, original: Stat, copy: Stat) -> Finding | None:
    """Judge a backup that no entry accounts for."""
    path, mapping = file.array_path + BACKUP_SUFFIX, file.mapping
    if original is None and copy is None:
        text = "original and copy are both gone: this is the only one"
        return Finding(Name.ORPHANED, path, text, mapping, presumed(file, backup, "union+backup"))
    if original is None or stat.S_ISLNK(original.st_mode):
        return None  # which is told with the copy, or the link
    if _is_file(original) and original.st_size == backup.st_size:
        text = "the original of the same size stands beside it"
        return Finding(Name.REDUNDANT, path, text, mapping, presumed(file, original, "union+keep"))
    text = f"{file.array_path} stands there now, and is another version"
    return Finding(Name.SUPERSEDED, path, text, mapping, fixable=False)


def of_malformed(mapping: MappingSettings, parts: tuple[str, ...], size: int, known: Mapping[str, int]) -> Finding:
    """Judge a backup without inner extension; `known`: the sizes of files of this name with an extension."""
    alike = {name for name, one in known.items() if one == size} or set(known)
    path = "/".join((mapping.array, *parts))
    if len(alike) != 1:
        why = f"it may have been any of {', '.join(sorted(alike))}" if alike else "nothing says which extension it had"
        return Finding(Name.MALFORMED, path, why, mapping.name, fixable=False)
    (name,) = alike
    file = file_below(mapping, "/".join((*parts[:-1], name)), size)
    return Finding(Name.MALFORMED, path, f"it was {name}", mapping.name, Entry(file, 0, 0.0))


def _joined(path: str, text: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(path), text))  # noqa: PTH118, PTH120 - no disk is asked


def _is_file(found: Stat) -> bool:
    return found is not None and stat.S_ISREG(found.st_mode)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    """Say whether these are files of the same size and time; never of one and the same file."""
    alike = (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
    twins = (one.st_dev, one.st_ino) != (other.st_dev, other.st_ino)
    return alike and twins and _is_file(one) and _is_file(other)
