"""A video and its subtitle on two tiers, put back for each kill, and judged from outside: names, bytes and rows."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.support.files import LONG_AGO
from tests.support.judge import read
from tests.support.stage import CACHED, UNCACHED
from tests.support.watcher import Watched, watched

VIDEO, SUBTITLE = "Show/e1.mkv", "Show/e1.en.srt"
_RANDOM = Random(7)
# With a hole between them, so that it takes more than one write.
_HEAD, _TAIL, _TAIL_AT = _RANDOM.randbytes(60_000), _RANDOM.randbytes(60_000), 300_000
CONTENTS = {VIDEO: _HEAD.ljust(_TAIL_AT, b"\0") + _TAIL, SUBTITLE: _RANDOM.randbytes(9_000)}
_OWN = ".ondeckd"
_MANIFEST = f"{_OWN}/manifest"
_FILE, _NOTHING, _ = UNCACHED
_LINK = CACHED["symlink+remove"][0]


@dataclass(frozen=True)
class Scene:
    """What one process works on, in folders of the name `name`: below `base`/array, /cache, /home and /union."""

    base: Path
    name: str
    placement: str
    mounted: bool = False

    @property
    def array(self) -> Path:
        return self.base / "array" / self.name

    @property
    def cache(self) -> Path:
        return self.base / "cache" / self.name

    @property
    def home(self) -> Path:
        return self.base / "home" / self.name

    @property
    def given(self) -> dict[str, Any]:
        """Return what the actor is given."""
        serve, _, original = self.placement.partition("+")
        union = {"union": str(self.base / "union" / self.name)} if self.mounted else {}
        tiers = {"array": str(self.array), "cache": str(self.cache)}
        return {"root": str(self.home), "serve": serve, "original": original, "alone": True, **tiers, **union}

    def build(self) -> None:
        """Have both files on the array, and nothing else anywhere."""
        for folder in (self.array / "Show", self.cache, self.home / "state"):
            folder.mkdir(parents=True)
        (self.array / SUBTITLE).write_bytes(CONTENTS[SUBTITLE])
        with (self.array / VIDEO).open("wb") as file:
            file.write(_HEAD)
            file.seek(_TAIL_AT)
            file.write(_TAIL)
        for path in (self.array / name for name in CONTENTS):
            path.chmod(0o604)
            os.utime(path, ns=(LONG_AGO, LONG_AGO))

    def save(self, to: Path) -> None:
        """Keep everything as it is now."""
        if to.exists():
            shutil.rmtree(to)
        for folder in (self.array, self.cache, self.home):
            shutil.copytree(folder, to / folder.parent.name, symlinks=True)

    def load(self, kept: Path) -> None:
        """Have everything as it was kept."""
        for folder in (self.array, self.cache, self.home):
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)
            shutil.copytree(kept / folder.parent.name, folder, symlinks=True)

    def watched(self) -> list[Watched]:
        """Return what Plex reads."""
        union = self.placement.startswith("union")
        return [watched(self._media_paths(name), content, union=union) for name, content in CONTENTS.items()]

    def wrong(self) -> list[str]:
        """Return what may never be so, not even at the moment of a kill."""
        wrong = []
        for name, content in CONTENTS.items():
            if self._served(name) != content:
                wrong.append(f"{name}: the media path has not the right bytes: {self.seen(name)}")
            if not any(_regular(path) and path.read_bytes() == content for path in self._names(name)):
                wrong.append(f"{name}: no complete copy is left: {self.seen(name)}")
        return wrong

    def unsettled(self) -> list[str]:
        """Return what may not be so once everything was recovered."""
        rows = read(self.home / "state")
        listed = {row["array_path"] for row in rows.entries}
        wrong, expected = self.wrong(), set()
        for name in CONTENTS:
            original, backup, copy = self._names(name)
            is_listed = str(original) in listed
            wanted = CACHED[self.placement] if is_listed else UNCACHED
            seen = self.seen(name)
            if seen != wanted:
                wrong.append(f"{name}: {seen}, and {'' if is_listed else 'not '}in the ledger")
            if is_listed != (name in self._remembered()):
                wrong.append(f"{name}: ledger and manifest differ")
            expected |= {path for path, at in zip((original, backup, copy), wanted, strict=True) if at != _NOTHING}
        wrong += [f"in the journal: {row['array_path']}, {row['step']}" for row in rows.journal]
        expected |= {self.cache / _OWN, self.cache / _MANIFEST, self.array / "Show"}
        expected |= {self.cache / "Show"} if listed else set()
        return wrong + [f"left behind: {path}" for path in sorted(self._all() - expected)]

    def is_at(self, goal: str) -> list[str]:
        """Return what is not as it is after ``cache_in``, or after ``evict``."""
        wanted = CACHED[self.placement] if goal == "cache_in" else UNCACHED
        return [f"after all: {name}: {self.seen(name)}" for name in CONTENTS if self.seen(name) != wanted]

    def seen(self, name: str) -> tuple[str, ...]:
        """Return what stands at the original's name, the backup's and the copy's."""
        return tuple(self._at(path, name) for path in self._names(name))

    def shape(self) -> tuple[object, ...]:
        """Return what a recovery could go by: two kills that leave the same are recovered alike."""
        rows = read(self.home / "state")
        temporary = sorted(path.parent.name for path in self._all() if path.name.endswith(".part"))
        known = sorted(Path(row["array_path"]).name for row in rows.entries)
        journal = sorted((Path(row["array_path"]).name, row["goal"], row["step"]) for row in rows.journal)
        return (*map(self.seen, CONTENTS), *temporary, *known, *journal, *self._notes(), (self.cache / "Show").exists())

    def everything(self) -> list[object]:
        """Return all names, what stands at them, and all rows, to see whether anything changes."""
        found: list[object] = []
        for path in sorted(self._all()):
            status = path.lstat()
            link = path.readlink() if path.is_symlink() else ""
            found.append((path, link, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns))
        return [*found, read(self.home / "state")]

    def _names(self, name: str) -> tuple[Path, Path, Path]:
        return self.array / name, self.array / f"{name}.plexcached", self.cache / name

    def _media_paths(self, name: str) -> tuple[Path, ...]:
        if self.placement.startswith("symlink"):
            return (self.array / name,)
        return (self.base / "union" / self.name / name,) if self.mounted else (self.cache / name, self.array / name)

    def _served(self, name: str) -> bytes | None:
        found = []
        branches = (self.cache / name, self.array / name)
        for paths in {self._media_paths(name), branches if self.placement.startswith("union") else ()} - {()}:
            path = next((path for path in paths if os.path.lexists(path)), paths[-1])
            found.append(path.read_bytes() if path.exists() else None)
        return found[0] if found == found[:1] * len(found) else None

    def _at(self, path: Path, name: str) -> str:
        if not os.path.lexists(path):
            return _NOTHING
        if path.is_symlink():
            return _LINK if path.readlink() == self.cache / name else f"a link to {path.readlink()}"
        right = _regular(path) and path.read_bytes() == CONTENTS[name] and path.stat().st_mtime_ns == LONG_AGO
        return _FILE if right else "something else"

    def _remembered(self) -> set[str]:
        """Return what the manifest says to be on the cache, and is there."""
        return {name for name, gone in dict(self._notes()).items() if not gone and (self.cache / name).exists()}

    def _notes(self) -> list[tuple[str, bool]]:
        """Return what the manifest's lines name, and whether they say that it has gone."""
        found = []
        with suppress(FileNotFoundError):
            for text in filter(None, (self.cache / _MANIFEST).read_text().splitlines()):
                with suppress(ValueError):  # torn by the kill
                    line = json.loads(text)
                    found.append((line["path"], "gone" in line))
        return found

    def _all(self) -> set[Path]:
        return {path for tier in (self.array, self.cache) for path in tier.rglob("*")}


def _regular(path: Path) -> bool:
    return os.path.lexists(path) and stat.S_ISREG(path.lstat().st_mode)


@contextmanager
def quick_folder() -> Iterator[Path]:
    """Have a folder in memory, where an fsync takes no time: a kill, unlike a power cut, does not depend on one."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="ondeckd-", dir=memory if os.access(memory, os.W_OK) else None) as name:
        try:
            os.setxattr(name, "user.ondeckd.test", b"1")
        except OSError:
            # Linux before 6.6 keeps no attributes there, by which ondeckd knows the folders that it made.
            with tempfile.TemporaryDirectory() as other:
                yield Path(other)
        else:
            yield Path(name)


@contextmanager
def union_below(base: Path, placement: str) -> Iterator[bool]:
    """Mount `base`/union, the cache's branch first, if it is needed and mergerfs is here; say whether it is mounted."""
    for tier in ("array", "cache", "home", "union"):
        (base / tier).mkdir()
    usable = shutil.which("mergerfs") and Path("/dev/fuse").exists() and os.geteuid() == 0
    if not usable or placement.startswith("symlink"):
        yield False
        return
    branches = f"{base}/cache=RW:{base}/array=RW"
    subprocess.run(["mergerfs", "-o", "category.search=ff", branches, str(base / "union")], check=True)
    try:
        yield True
    finally:
        subprocess.run(["umount", "-l", str(base / "union")], check=True)
