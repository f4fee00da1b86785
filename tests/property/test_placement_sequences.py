"""Whatever we, a user, Sonarr and the mover do in whatever order, and wherever we are cut off: no content is lost.

Real files, the real placement, custody and reconciliation, and the real SQLite store; only threads are left out.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from daemon.custody import Custody, entered
from daemon.errors import OndeckdError
from daemon.feed import Feed
from daemon.model import Entry
from daemon.reconcile import Reconcile
from daemon.state import journal, ledger
from daemon.state.store import Store
from tests.support.disturbance import Disturbance, Inline, Killed, MortalStore, close_files_below, disturbed
from tests.support.files import Tiers
from tests.support.sequences import NAMES, VIDEO, Scene, kind

PLACEMENTS = ("union+keep", "union+backup", "union+remove", "symlink+backup", "symlink+remove")
ANYWHERE = ("replaced", "written", "deleted", "touched", "linked elsewhere", "made a folder", "renamed")
OTHERS = (
    *(f"{which} {what}" for which in ("original", "backup", "copy") for what in ANYWHERE),
    *(f"copy {what}" for what in ("halved", "emptied", "moved by the mover", "copied by the mover")),
    *(f"backup {what}" for what in ("put back", "joined")),
)
KINDS = ("kill", "error", "error after", "cancel", "rival original", "rival backup", "rival copy")
CODES = (errno.EIO, errno.ENOSPC, errno.EACCES, errno.ESTALE)
CHANGES = {"cache in": 80, "evict": 45, "restart": 20, "look": 12}
"""About so many changes of disks and rows each of ours makes."""
FAST = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


@dataclass(frozen=True)
class Ours:
    """What we do, and what comes in between."""

    action: str
    kind: str = "error"
    nth: int = 0
    code: int = errno.EIO


def cut_off(action: str) -> st.SearchStrategy[Ours]:
    kinds = st.sampled_from(KINDS)
    return st.builds(Ours, st.just(action), kinds, st.integers(1, CHANGES[action]), st.sampled_from(CODES))


undisturbed = st.builds(Ours, st.sampled_from(["cache in", "evict", "look"]))
by_others = st.tuples(st.sampled_from(OTHERS), st.sampled_from((VIDEO, *NAMES)))
steps = st.one_of(by_others, by_others, by_others, undisturbed, *map(cut_off, CHANGES))
stories = st.builds(
    lambda first, rest: [first, *rest],
    st.one_of(st.just(Ours("cache in")), cut_off("cache in")),
    st.lists(steps, min_size=1, max_size=7),
)
lacking = st.sampled_from([frozenset[str](), frozenset({"exchange"}), frozenset({"exchange", "rename_new"})])


class World:
    """The files, the database, and the daemon that is running now."""

    def __init__(self, root: Path, placement: str, store: Store, disturbance: Disturbance) -> None:
        self.root = root
        self.serve, _, self.kept = placement.partition("+")
        self.scene = Scene(root, links=self.serve == "symlink")
        self.store = store
        self.disturbance = disturbance
        self.shown: dict[str, bytes | None] = {}
        self.versions: set[bytes] = set()
        disturbance.rival = self.rival
        self.start()

    def start(self) -> None:
        """Have a new process, that knows nothing but what was written down."""
        self.tiers = Tiers(self.root, Inline(), transfer={"sidecars": "all"}, serve=self.serve, original=self.kept)
        self.custody = Custody(self.store, self.tiers.placement)
        self.reconcile = Reconcile(self.store, self.tiers.placement, self.custody, Feed(), replan=lambda: None)

    def path(self, name: str) -> str:
        return str(self.scene.original(name))

    async def act(self, action: str) -> None:
        """Do as the daemon does."""
        path = self.path(VIDEO)
        if action == "restart":
            self.start()
            self.tiers.placement.sweep([self.tiers.mapping])
            await self.reconcile.restore()
            await self.custody.recover()
            await self.reconcile.look()
            await self.reconcile.remember()
        elif action == "look":
            await self.reconcile.look()
        elif action == "cache in":
            found = await self.custody.cache_in(self.tiers.file(VIDEO))
            await self.store.run(partial(entered, entries=found))
        else:
            await self.custody.evict(path)

    async def do(self, ours: Ours) -> OndeckdError | None:
        """Do it with what comes in between, and then what the daemon does when something has failed."""
        failed: BaseException | None = None
        with self.unharmed():
            with self.disturbance.armed(ours.kind, ours.nth, ours.code, self.watch):
                try:
                    await asyncio.create_task(self.attempt(ours.action))
                except (OndeckdError, asyncio.CancelledError, Killed) as error:
                    failed = error
            if isinstance(failed, Killed) or (failed and ours.action == "restart"):
                close_files_below(self.root)
                await self.settle()
            elif failed:
                await self.custody.recover(self.path(VIDEO))
        await self.note_strangers()
        return failed if isinstance(failed, OndeckdError) else None

    async def attempt(self, action: str) -> None:
        self.disturbance.begin()
        await self.act(action)

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """Compare before and after."""
        scene = self.scene
        self.versions, self.shown = scene.versions(), {name: scene.shown(name) for name in NAMES}
        yield
        assert scene.versions() == self.versions
        self.watch()
        for path, inode in scene.foreign.items():
            assert os.path.lexists(path), f"{path} is somebody else's, and gone"
            assert path.lstat().st_ino == inode, f"{path} is somebody else's"

    def rival(self, which: str) -> None:
        if which == "backup" and "rename_new" in self.disturbance.lacking:
            return  # there the last look and the rename are two calls
        content = self.scene.rival(which, VIDEO)
        self.versions |= {content} if content else set()

    def watch(self) -> None:
        """What was shown before is shown, or something newer."""
        for name, content in self.shown.items():
            if content is None:
                continue
            now = self.scene.shown(name)
            assert now is not None, f"{name} is not there"
            assert now in self.scene.age, f"{name} is no version that anybody made"
            assert self.scene.age[now] >= self.scene.age[content], f"{name} is an old version"

    async def settle(self) -> None:
        """Start again undisturbed: then ledger and disks agree, and nothing is left of what was cut off."""
        scene = self.scene
        await self.act("restart")
        assert scene.temporary() == []
        assert await self.store.run(journal.rows) == []
        held = await self.held()
        for name in NAMES:
            copy, entry = scene.copy(name), held.get(self.path(name))
            if os.path.lexists(copy) and copy.lstat().st_ino not in scene.theirs:
                assert entry, f"{copy} is ours, and not in the ledger"
            if entry and not os.path.lexists(copy):
                # Its link may have been renamed.
                assert any(path.is_symlink() for path in scene.original(name).parent.iterdir()), (
                    f"{copy} is in the ledger"
                )
            hidden = not os.path.lexists(scene.original(name)) and not os.path.lexists(copy) and name not in scene.gone
            if hidden:
                assert kind(scene.backup(name)) != stat.S_IFREG or scene.backup(name) in scene.foreign

    async def held(self) -> dict[str, Entry]:
        """Return the ledger."""
        return {entry.file.array_path: entry for entry in await self.store.run(ledger.all_entries)}

    async def note_strangers(self) -> None:
        """Remember what stands on the cache and is not ours."""
        held = await self.held()
        under_way = {intent.entry.file.array_path for intent in await self.store.run(journal.rows)}
        for name in NAMES:
            copy = self.scene.copy(name)
            if self.path(name) in {*held, *under_way}:
                self.scene.foreign.pop(copy, None)
            elif os.path.lexists(copy):
                self.scene.foreign[copy] = copy.lstat().st_ino

    async def restore(self) -> None:
        """Bring everything home, and see that it is."""
        with self.unharmed():
            await self.settle()
        before = {name: self.newest(name) for name in NAMES}
        held = await self.held()
        refused = await self.do(Ours("evict"))
        left = await self.held()
        for name in NAMES:
            path = self.path(name)
            if path in held and path not in left:
                self.check_home(name, before[name])
            elif path in left and not (refused and name != VIDEO):
                self.check_undecided(name)

    def newest(self, name: str) -> int:
        """Return how young the youngest version of a file is that is still there."""
        scene = self.scene
        files = [path for path in (scene.original(name), scene.copy(name)) if kind(path) == stat.S_IFREG]
        return max((scene.age[path.read_bytes()] for path in files), default=-1)

    def check_home(self, name: str, newest: int) -> None:
        """See that the newest version is under its name: that of the link, if somebody has renamed that."""
        original, copy = self.scene.original(name), self.scene.copy(name)
        assert not os.path.lexists(copy)
        names = [original, *original.parent.glob(f"*.{original.name}")]
        served = any(path.is_symlink() and path.readlink() == copy for path in names)
        # A link that was renamed before a new file came to its old name is not followed.
        assert not served or kind(original) == stat.S_IFREG
        ages = [self.scene.age[path.read_bytes()] for path in names if path.is_file()]
        assert newest < 0 or max(ages, default=-1) >= newest, f"{original} is not back"

    def check_undecided(self, name: str) -> None:
        original, copy = self.scene.original(name), self.scene.copy(name)
        if kind(copy) == stat.S_IFREG and copy.stat().st_size and original not in self.scene.foreign:
            assert kind(original) == stat.S_IFREG, f"{copy} could have been brought back"
            assert _state(original) != _state(copy)
            changed = copy.lstat().st_ino in self.scene.theirs
            assert changed or os.path.lexists(self.scene.backup(name)), f"{copy} could have been parked"
        else:
            assert os.path.lexists(copy) or self.scene.is_linked(name)


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


async def live(root: Path, placement: str, story: list[Ours | tuple[str, str]], lacks: frozenset[str]) -> None:
    (root / "state").mkdir()
    store = MortalStore(root / "state")
    store._executor.shutdown()
    store._executor = Inline()
    with disturbed() as disturbance:
        store.disturbance = disturbance
        disturbance.lacking = lacks
        async with store:
            world = World(root, placement, store, disturbance)
            for step in story:
                if isinstance(step, Ours):
                    await world.do(step)
                else:
                    world.scene.disturb(*step)
            await world.restore()


def tell(placement: str, story: list[Ours | tuple[str, str]], lacks: frozenset[str]) -> None:
    with tempfile.TemporaryDirectory(dir=FAST) as folder, capture_logs():
        asyncio.run(live(Path(folder), placement, story, lacks))


@pytest.mark.parametrize("placement", PLACEMENTS)
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(stories, lacking)
@example([Ours("cache in"), ("copy replaced", VIDEO)], frozenset())
@example([Ours("cache in"), ("original replaced", VIDEO)], frozenset())
def test_no_content_is_lost_in_any_order(
    placement: str, story: list[Ours | tuple[str, str]], lacks: frozenset[str]
) -> None:
    tell(placement, story, lacks)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("placement", PLACEMENTS)
@settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(stories, lacking)
def test_no_content_is_lost_in_any_order_of_very_many(
    placement: str, story: list[Ours | tuple[str, str]], lacks: frozenset[str]
) -> None:
    tell(placement, story, lacks)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("kind_of", KINDS)
@pytest.mark.parametrize("action", ["cache in", "evict"])
def test_no_content_is_lost_wherever_something_comes_in_between(placement: str, kind_of: str, action: str) -> None:
    before = [Ours("cache in")] if action == "evict" else []
    for nth in range(1, CHANGES[action] + 1):
        tell(placement, [*before, Ours(action, kind_of, nth)], frozenset())
