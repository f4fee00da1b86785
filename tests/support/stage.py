"""One video on two tiers, as an actor finds it, and what is right about it from outside."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.storage.paths import OWN_FOLDER, OWN_PREFIX
from daemon.storage.states import BACKUP_SUFFIX
from tests.support.files import LONG_AGO
from tests.support.judge import read

NAME = "Show/e1.mkv"
PLACEMENTS = ("union+keep", "union+backup", "union+remove", "symlink+backup", "symlink+remove")
_FILE, _LINK, _NOTHING = "the file", "a link to the copy", "nothing"
UNCACHED = (_FILE, _NOTHING, _NOTHING)
CACHED = {
    "union+keep": (_FILE, _NOTHING, _FILE),
    "union+backup": (_NOTHING, _FILE, _FILE),
    "union+remove": (_NOTHING, _NOTHING, _FILE),
    "symlink+backup": (_LINK, _FILE, _FILE),
    "symlink+remove": (_LINK, _NOTHING, _FILE),
}
_HEAD, _TAIL, _SIZE = b"x" * 8192, b"y" * 8192, 300_000
CONTENT = _HEAD.ljust(200_000, b"\0") + _TAIL.ljust(100_000, b"\0")


@dataclass(frozen=True)
class Stage:
    """The folders below `root`: the tiers and the state. `more` are further settings of the actor."""

    root: Path
    placement: str
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def given(self) -> dict[str, Any]:
        """Return what the actor is given."""
        serve, _, original = self.placement.partition("+")
        return {"root": str(self.root), "serve": serve, "original": original, **dict(self.more)}

    @property
    def names(self) -> tuple[Path, Path, Path]:
        """Return the paths of the original, the backup and the copy."""
        array, cache = self.root / "array" / NAME, self.root / "cache" / NAME
        return array, array.with_name(array.name + BACKUP_SUFFIX), cache

    def build(self) -> None:
        """Put the file on an array that has nothing else, with a hole, a mode and an attribute of its own."""
        for folder in ("array/Show", "cache", "state"):
            (self.root / folder).mkdir(parents=True)
        path = self.names[0]
        with path.open("wb") as file:
            file.write(_HEAD)
            file.seek(200_000)
            file.write(_TAIL)
            file.truncate(_SIZE)
        path.chmod(0o604)
        os.setxattr(path, "user.rating", b"5")
        os.utime(path, ns=(LONG_AGO, LONG_AGO))

    def save(self, to: Path) -> None:
        """Keep everything as it is now."""
        shutil.rmtree(to, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.root), str(to)], check=True)

    def load(self, kept: Path) -> None:
        """Have everything as it was kept."""
        shutil.rmtree(self.root)
        subprocess.run(["cp", "-a", str(kept), str(self.root)], check=True)

    def wrong(self) -> list[str]:
        """Return what may never be so, whatever has failed."""
        array, backup, copy = self.names
        served = copy if self.placement.startswith("union") and copy.exists() else array
        wrong = [] if _content(served) == CONTENT else [f"the media path has other bytes: {self._seen()}"]
        if not any(_is_file(path) and _content(path) == CONTENT for path in (array, backup, copy)):
            wrong.append("no complete copy is left")
        return wrong

    def unsettled(self) -> list[str]:
        """Return what may not be so once everything was recovered."""
        rows = read(self.root / "state")
        seen, listed = self._seen(), bool(rows.entries)
        wanted = CACHED[self.placement] if listed else UNCACHED
        wrong = [] if seen == wanted else [f"{seen}, and {'' if listed else 'not '}in the ledger"]
        wrong += [f"in the journal: {row}" for row in rows.journal]
        return [*self.wrong(), *wrong, *(f"left behind: {path}" for path in self.temporary())]

    def temporary(self) -> list[Path]:
        """Return what is ours and should be gone."""
        found = [path for tier in ("array", "cache") for path in (self.root / tier).rglob("*")]
        return [
            path
            for path in found
            if path.name.startswith(f"{OWN_PREFIX}") and path != self.root / "cache" / OWN_FOLDER
            if path.name != OWN_FOLDER
        ] + [path for path in found if path.parent.name == OWN_FOLDER and path.name != "manifest"]

    def is_cached(self) -> bool:
        """Say whether the names are those of a cached file."""
        return self._seen() == CACHED[self.placement]

    def is_uncached(self) -> bool:
        """Say whether the names are those of a file that is not cached."""
        return self._seen() == UNCACHED

    def _seen(self) -> tuple[str, ...]:
        return tuple(self._at(path) for path in self.names)

    def _at(self, path: Path) -> str:
        if not os.path.lexists(path):
            return _NOTHING
        if path.is_symlink():
            return _LINK if path.readlink() == self.names[2] else f"a link to {path.readlink()}"
        right = _content(path) == CONTENT and path.stat().st_mtime_ns == LONG_AGO
        return _FILE if right else "another file"


def _is_file(path: Path) -> bool:
    return os.path.lexists(path) and stat.S_ISREG(path.lstat().st_mode)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
