"""What an audit can find, what each finding means, and how it is fixed. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from types import MappingProxyType

from daemon.model import Entry
from daemon.storage.sidecars import OTHERS, SUBTITLES, VIDEOS, belongs


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
    DUPLICATE = "duplicate"
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
        Name.FOREIGN_TEMPORARY: Kind("another program's temporary file that looks left over"),
        Name.MISSING_COPY: Kind(
            "a recorded copy is gone", "forget it; if its original was put aside, that gets its name back first"
        ),
        Name.DANGLING_LINK: Kind("a link into the cache where nothing stands", "put its backup back in its place"),
        Name.MALFORMED: Kind("a backup without its file's extension", "give it the extension, where that is proven"),
        Name.ORPHANED: Kind("a backup whose original and copy are gone: the only copy", "give it its name back"),
        Name.FOREIGN_COPY: Kind("a file on the cache without an entry", "adopt it, where its backup is the same file"),
        Name.UNENTERED_LINK: Kind("a link to a copy without an entry", "adopt the copy"),
        Name.DUPLICATE: Kind("the cache and the array both have a file", "finish caching it, or adopt the copy"),
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
"""What may be asked for. ``adopt`` is whatever is fixed by adopting."""
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

    `entry` is the ledger's, or what it would be. `wakes`: its fix looks at the array, or changes it. `adopts`: its
    fix is to adopt a copy that ondeckd did not place.
    """

    name: Name
    path: str
    text: str
    mapping: str = ""
    entry: Entry | None = None
    fixable: bool = True
    wakes: bool = True
    adopts: bool = False

    @property
    def fix(self) -> str:
        """Return what its fix does; empty if there is none."""
        return KINDS[self.name].fix if self.fixable else ""


def chosen(wanted: Iterable[str]) -> Callable[[Finding], bool]:
    """Return what tells the findings that these fixes mean. ValueError for a name that is none of `FIXES`."""
    names = set(wanted)
    if unknown := names.difference(FIXES):
        raise ValueError(min(unknown))
    adopted = {Name.FOREIGN_COPY, Name.UNENTERED_LINK} if ADOPT in names else frozenset[Name]()

    def is_chosen(finding: Finding) -> bool:
        asked = ALL in names or finding.name in names
        return asked or finding.name in adopted or (ADOPT in names and finding.adopts)

    return is_chosen


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
