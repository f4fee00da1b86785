"""One household's video and subtitle, what others do to them, and what must be true of them after whatever we do."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from daemon.storage.paths import OWN_FOLDER, OWN_PREFIX
from daemon.storage.states import BACKUP_SUFFIX
from tests.support.files import LONG_AGO

VIDEO = "Show/e1.mkv"
NAMES = (VIDEO, "Show/e1.en.srt")
_OWN = {OWN_FOLDER, f"{OWN_FOLDER}/manifest"}


class Scene:
    """The two tiers below `root`, and others who work on them.

    `age` says of each content when somebody last put it somewhere: of two, the younger is the one that is wanted.
    `foreign` are paths with what stands there (its inode), which nobody but its owner may touch; `theirs` are the
    inodes of what others put or changed on the cache, `gone` the names of which they took the original away.
    """

    def __init__(self, root: Path, *, links: bool) -> None:
        self.array, self.cache = root / "array", root / "cache"
        self.links = links
        self.age: dict[bytes, int] = {b"": -1}
        self.foreign: dict[Path, int] = {}
        self.theirs: set[int] = set()
        self.gone: set[str] = set()
        self._count = 0
        for name in NAMES:
            self.put(self.original(name))
        (self.array / "always.mkv").write_bytes(b"always")
        self.age[b"always"] = 0

    def is_linked(self, name: str) -> bool:
        """Say whether a link stands at the original's name, or at the name that somebody gave it."""
        return any(path.is_symlink() for path in self.original(name).parent.iterdir())

    def original(self, name: str) -> Path:
        return self.array / name

    def backup(self, name: str) -> Path:
        return self.array / f"{name}{BACKUP_SUFFIX}"

    def copy(self, name: str) -> Path:
        return self.cache / name

    def shown(self, name: str) -> bytes | None:
        """Return what Plex reads, None if it finds no such file."""
        in_union = not self.links and os.path.lexists(self.copy(name))
        try:
            return (self.copy(name) if in_union else self.original(name)).read_bytes()
        except OSError:
            return None

    def versions(self) -> set[bytes]:
        """Return the content of every file that is not temporary."""
        return {path.read_bytes() for path in self._files() if not _is_ours(path) and kind(path) == stat.S_IFREG}

    def temporary(self) -> list[Path]:
        """Return everything of ours that has no business to be there while nothing is done."""
        known = {self.cache / name for name in _OWN}
        return [path for path in self._files() if _is_ours(path) and path not in known]

    def _files(self) -> list[Path]:
        found = []
        for root in (self.array, self.cache):
            for above, folders, files in os.walk(root):
                found += [Path(above, name) for name in (*folders, *files)]
        return found

    def disturb(self, action: str, name: str) -> None:
        """Have somebody do something to one of the files, if that can be done to what stands there."""
        which, _, what = action.partition(" ")
        path = {"original": self.original, "backup": self.backup, "copy": self.copy}[which](name)
        done: dict[str, Callable[[], None]] = {
            "replaced": lambda: self.put(path),
            "written": lambda: self._written(path, self._content()),
            "halved": lambda: self._halved(path),
            "emptied": lambda: self._written(path, b""),
            "deleted": path.unlink,
            "touched": lambda: self._touched(path),
            "renamed": lambda: self._renamed(path),
            "linked elsewhere": lambda: self._linked(path),
            "made a folder": lambda: self._folder(path),
            "moved by the mover": lambda: self._moved(name, keep=False),
            "copied by the mover": lambda: self._moved(name, keep=True),
            "put back": lambda: self._put_back(name),
            "joined": lambda: os.link(self.original(name), path),
        }
        copy, original = self.copy(name), self.original(name)
        before, stood = _state(copy), os.path.lexists(original) and not _leads_to(original, copy)
        with suppress(OSError):
            done[what]()
        self.foreign = {at: inode for at, inode in self.foreign.items() if inode == (_state(at) or (0,))[0]}
        if _state(copy) != before and os.path.lexists(copy):
            self.theirs.add(copy.lstat().st_ino)
        if os.path.lexists(original):
            self.gone.discard(name)
        elif stood or what == "renamed":
            self.gone.add(name)
        if which == "backup" and what != "joined" and os.path.lexists(path) and not _leads_to(path, copy):
            self._mark(path)

    def rival(self, which: str, name: str) -> bytes | None:
        """Put a file where nothing stands, in the midst of what we do; return its content."""
        path = {"original": self.original, "backup": self.backup, "copy": self.copy}[which](name)
        if os.path.lexists(path) or not path.parent.is_dir():
            return None
        self.put(path)
        if which == "backup":
            self._mark(path)
        if which == "copy":
            self.theirs.add(path.lstat().st_ino)
        return path.read_bytes()

    def put(self, path: Path) -> None:
        """Put a new file there, in the place of what there is."""
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name("new")
        new.write_bytes(self._content())
        self._dated(new)
        new.replace(path)

    def _content(self) -> bytes:
        self._count += 1
        content = (b"%d " % self._count) * (100 + self._count)
        self.age[content] = self._count
        return content

    def _dated(self, path: Path) -> None:
        self._count += 1
        time = LONG_AGO + self._count * 10**9
        os.utime(path, ns=(time, time))

    def _written(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._dated(path)

    def _halved(self, path: Path) -> None:
        content = path.read_bytes()
        half = content[: len(content) // 2]
        self._count += 1
        self.age[half] = self._count if half else -1
        self._written(path, half)

    def _touched(self, path: Path) -> None:
        if not path.is_file():
            return
        self._younger(path)
        self._dated(path)

    def _renamed(self, path: Path) -> None:
        self._count += 1
        path.rename(path.with_name(f"{self._count}.{path.name}"))

    def _linked(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to("nowhere")
        self._mark(path)

    def _folder(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        path.mkdir(parents=True)
        self._mark(path)

    def _moved(self, name: str, *, keep: bool) -> None:
        copy = self.copy(name)
        if kind(copy) != stat.S_IFREG:
            return
        self._younger(copy)
        new = self.original(name).with_name("new")
        shutil.copy2(copy, new)
        new.replace(self.original(name))
        if not keep:
            copy.unlink()

    def _put_back(self, name: str) -> None:
        backup, copy = self.backup(name), self.copy(name)
        # Whether that is to count for more than a copy that was changed, nobody can tell.
        if kind(copy) == stat.S_IFREG:
            self.age[backup.read_bytes()] = self.age[copy.read_bytes()]
        else:
            self._younger(backup)
        self.backup(name).replace(self.original(name))

    def _younger(self, path: Path) -> None:
        self._count += 1
        self.age[path.read_bytes()] = self._count

    def _mark(self, path: Path) -> None:
        self.foreign[path] = path.lstat().st_ino


def _leads_to(path: Path, target: Path) -> bool:
    return path.is_symlink() and path.readlink() == target


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def kind(path: Path) -> int:
    """Return what kind of thing stands at a path, 0 if nothing does."""
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except OSError:
        return 0


def _is_ours(path: Path) -> bool:
    return path.name.startswith(OWN_PREFIX) or path.parent.name == OWN_FOLDER
