"""One household's files with their ledger, in one process, for tests in which others change files behind its back."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.custody import Custody, entered
from daemon.feed import Feed
from daemon.model import Entry, Goal, Intent
from daemon.reconcile import Reconcile
from daemon.state import journal, ledger
from daemon.state.store import Store
from daemon.storage.paths import OWN_FOLDER
from daemon.storage.states import BACKUP_SUFFIX
from tests.support.files import LONG_AGO, Tiers

PLACEMENTS = ("union+keep", "union+backup", "union+remove", "symlink+backup", "symlink+remove")
UNIONS = PLACEMENTS[:3]
BACKED_UP = ("union+backup", "symlink+backup")
REMOVED = ("union+remove", "symlink+remove")
NOT_KEPT = PLACEMENTS[1:]
SOME = [
    kind if kind in {"union+backup", "symlink+remove"} else pytest.param(kind, marks=pytest.mark.long)
    for kind in PLACEMENTS
]
"""For tests that take a while: the two placements that differ most, and the others in the long run."""

E1 = "Show/Season 1/e1.mkv"
E2 = "Show/Season 1/e2.mkv"
OLD = b"the old film " * 3000
NEW = b"the new and better film " * 4000
NEWEST = b"the newest film of them all " * 5000


class Household:
    """Two tiers under one placement, with a real store, journal and custody."""

    def __init__(self, tiers: Tiers, store: Store, placement: str) -> None:
        self.tiers = tiers
        self.store = store
        self.kind = placement
        self.links = placement.startswith("symlink")
        self.custody = Custody(store, tiers.placement)
        self.replans = 0
        self.reconcile = Reconcile(store, tiers.placement, self.custody, Feed(), replan=self._replan)

    def _replan(self) -> None:
        self.replans += 1

    def original(self, name: str = E1) -> Path:
        """Return the media path on the array."""
        return self.tiers.array / name

    def backup(self, name: str = E1) -> Path:
        """Return where its original is put aside."""
        return self.tiers.array / (name + BACKUP_SUFFIX)

    def copy(self, name: str = E1) -> Path:
        """Return where it lies on the cache."""
        return self.tiers.cache / name

    def view(self, name: str = E1) -> Path:
        """Return the path that Plex, Sonarr and the user work with: in a union the first branch that has the file."""
        if self.tiers.mapping.union:
            return Path(self.tiers.mapping.union, name)
        if not self.links and os.path.lexists(self.copy(name)):
            return self.copy(name)
        return self.original(name)

    def shown(self, name: str = E1) -> bytes | None:
        """Return what Plex reads, None if it finds no such file."""
        try:
            return self.view(name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, name: str = E1) -> set[Path]:
        """Return everything in this file's folder on the array."""
        return set(self.original(name).parent.iterdir())

    async def cache(self, name: str = E1, content: bytes = OLD) -> Entry:
        """Put a film on the array, if there is none, and bring it to the cache."""
        if not os.path.lexists(self.original(name)):
            self.tiers.film(name, content)
        [entry, *rest] = await self.custody.cache_in(self.tiers.file(name))
        await self.store.run(partial(entered, entries=[entry, *rest]))
        return entry

    async def evict(self, name: str = E1) -> None:
        """Take it off again."""
        await self.custody.evict(str(self.original(name)))

    async def entries(self) -> list[Entry]:
        """Return the ledger."""
        return await self.store.run(ledger.all_entries)

    async def look(self) -> None:
        """Do what the daemon does at every refresh."""
        await self.reconcile.look()

    async def restart(self) -> None:
        """Do what the daemon does at its start."""
        self.tiers.placement.sweep([self.tiers.mapping])
        await self.reconcile.restore()
        await self.custody.recover()
        await self.reconcile.look()
        await self.reconcile.remember()

    async def interrupted(self, entry: Entry, step: str, goal: Goal = Goal.CACHED) -> None:
        """Have the journal say that a step was under way when the daemon was killed."""
        await self.store.run(partial(journal.begin, new=Intent(entry, goal, step)))

    async def under_way(self) -> list[Intent]:
        """Return the rows of the journal."""
        return await self.store.run(journal.rows)


@asynccontextmanager
async def household(
    root: Path, executor: ThreadPoolExecutor, placement: str, **settings: Any
) -> AsyncIterator[Household]:
    """Give a household whose files are placed this way."""
    serve, _, original = placement.partition("+")
    tiers = Tiers(root, executor, serve=serve, original=original, **settings)
    (root / "state").mkdir()
    async with Store(root / "state") as store:
        yield Household(tiers, store, placement)


def write_over(path: Path, content: bytes) -> None:
    """Write another content into the file that stands there, as ``cp`` does."""
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(content)


def move_over(path: Path, content: bytes) -> None:
    """Put a new file in the place of what stands there, as Sonarr, Radarr and Tdarr do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.replace(path)


def delete_in_view(home: Household, name: str = E1) -> None:
    """Delete a file as Plex or Sonarr do: a union deletes what all its branches have of that name."""
    if home.links or home.tiers.mapping.union:
        home.view(name).unlink()
        return
    for path in (home.copy(name), home.original(name)):
        path.unlink(missing_ok=True)


def rename_in_view(home: Household, name: str, new: str) -> None:
    """Rename a file as Plex or Sonarr do: a union renames what all its branches have of that name."""
    if home.links or home.tiers.mapping.union:
        home.view(name).rename(home.view(name).with_name(Path(new).name))
        return
    for find in (home.copy, home.original):
        if find(name).exists():
            find(name).rename(find(new))


def moved_by_the_mover(home: Household, *, exact: bool = True) -> None:
    """Move the copy to the array with its time, as the mover of Unraid does."""
    copy, original = home.copy(), home.original()
    found = copy.stat()
    partial_name = original.with_name(f".{original.name}.moving")
    shutil.copyfile(copy, partial_name)
    time = found.st_mtime_ns if exact else found.st_mtime_ns // 10**9 * 10**9
    os.utime(partial_name, ns=(time, time))
    partial_name.replace(original)
    copy.unlink()


def away(root: Path) -> Callable[[], None]:
    """Unmount a tier: an empty mount point is left. Return what mounts it again."""
    aside = root.with_name(f"{root.name}.aside")
    root.rename(aside)
    root.mkdir()

    def back() -> None:
        root.rmdir()
        aside.rename(root)

    return back


def new_disk(root: Path) -> None:
    """Put an empty cache in the place of the dead one, and have the user say that it is the cache."""
    root.rename(root.with_name(f"{root.name}.dead"))
    (root / OWN_FOLDER).mkdir(parents=True)


def snapshot(*roots: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Return everything below some folders, with all that a change of it would change."""
    found = {}
    for root in roots:
        for path in sorted(root.rglob("*")):
            seen = path.lstat()
            content = os.fsencode(path.readlink()) if path.is_symlink() else b""
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
            found[str(path)] = (seen.st_ino, seen.st_mode, seen.st_mtime_ns, content)
    return found


def stale(path: Path, content: bytes) -> None:
    """Put a file of the library's age there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))


everywhere = pytest.mark.parametrize("home", PLACEMENTS, indirect=True)


@pytest.fixture
async def home(
    tmp_path: Path, executor: ThreadPoolExecutor, request: pytest.FixtureRequest
) -> AsyncIterator[Household]:
    """Have the household of a placement; a test file takes it by name: ``home = outside.home``."""
    async with household(tmp_path, executor, request.param) as found:
        yield found
