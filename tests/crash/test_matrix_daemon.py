"""The whole daemon killed at system calls that change a disk, with any thread at work: each start puts all in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.files import all_files, intact, local_path, write
from daemon.demo.library import Library
from daemon.state.store import Store
from tests.support.daemon import configuration, merged
from tests.support.daemon_process import DaemonProcess, daemon_process, write_config
from tests.support.judge import read
from tests.support.needs import needs_strace
from tests.support.plex import small_library
from tests.support.plex_process import RemotePlex, plex_process
from tests.support.stage import CACHED, PLACEMENTS, UNCACHED

_SHAPE = {
    "movies": 3,
    "shows": 1,
    "seasons": 1,
    "episodes": 5,
    "awkward": False,
    "sizes": [20_000, 60_000],
    "episode_minutes": 1,
    "movie_minutes": 1,
}
_SETTINGS: dict[str, Any] = {
    "playback": {"next_episodes": 2, "min_play": "0"},
    "retention": {"after_stopped": "1s", "after_watched": "1s", "min_stay": "0"},
    "space": {"quota": "200KB"},
    "transfer": {"yield_to_playback": False, "sidecars": "all"},
}
_KILLS = (
    ("renameat2", 1),
    ("renameat2", 2),
    ("symlinkat", 1),
    ("unlinkat", 2),
    ("copy_file_range", 1),
    ("fsync", 3),
    ("mkdirat", 2),
    ("unlinkat", 3),
    ("renameat2", 4),
    ("fdatasync", 5),
)
"""System calls, and at which of them a thread of the daemon is killed, after it has become ready."""
_LONGEST_LIFE = 3.0
"""Seconds after which the daemon is killed if it has not made the call: not every placement makes every call."""
_FILE, _NOTHING, _ = UNCACHED
_LINK = CACHED["symlink+remove"][0]


@dataclass
class Storage:
    """The two tiers of a library below `folder`, judged from outside."""

    library: Library
    folder: Path
    placement: str
    wrong: list[str] = field(default_factory=list)
    cached: int = 0

    def judge(self, when: str, *, settled: bool) -> None:
        """Judge what a reader sees, and if all should be `settled`, also names and rows."""
        listed = {row["array_path"] for row in read(self.folder / "state").entries} if settled else set()
        expected = set()
        for plex_path, size in all_files(self.library):
            names = self._names(plex_path)
            array, _, copy = names
            served = copy if self.placement.startswith("union") and copy.exists() else array
            if not (served.exists() and intact(self.library, plex_path, size, served)):
                self.wrong.append(f"{when}: cannot be read: {served}")
            wanted = CACHED[self.placement] if str(array) in listed else UNCACHED
            seen = tuple(self._at(path, plex_path, size, copy) for path in names)
            if settled and seen != wanted:
                self.wrong.append(f"{when}: {plex_path}: {seen}, not {wanted}")
            expected |= {path for path, at in zip(names, wanted, strict=True) if at != _NOTHING}
        if settled:
            self.cached += len(listed)
            self.wrong += [f"{when}: left behind: {path}" for path in sorted(self._all() - expected)]
            self.wrong += [f"{when}: in the journal: {row}" for row in read(self.folder / "state").journal]

    def _names(self, plex_path: str) -> tuple[Path, Path, Path]:
        original, copy = (local_path(self.library, self.folder / tier, plex_path) for tier in ("array", "cache"))
        return original, original.with_name(f"{original.name}.plexcached"), copy

    def _at(self, path: Path, plex_path: str, size: int, copy: Path) -> str:
        if path.is_symlink():
            return _LINK if path.readlink() == copy else "another link"
        if not os.path.lexists(path):
            return _NOTHING
        return _FILE if intact(self.library, plex_path, size, path) else "another file"

    def _all(self) -> set[Path]:
        found = {path for tier in ("array", "cache") for path in (self.folder / tier).rglob("*")}
        return {path for path in found if path.is_symlink() or not path.is_dir()} - set(
            (self.folder / "cache").rglob(".ondeckd/manifest")
        )


@asynccontextmanager
async def to_be_killed_at(daemon: DaemonProcess, name: str, nth: int) -> AsyncIterator[None]:
    """Have each of the daemon's threads killed, and the daemon with it, as it makes this call."""
    inject = f"inject={name}:signal=KILL:when={nth}"
    command = ["strace", "-f", "-p", str(daemon.process.pid), "-o", "/dev/null", "-e", f"trace={name}", "-e", inject]
    tracer = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert tracer.stderr is not None
    assert b"attached" in await tracer.stderr.readline()
    try:
        yield
    finally:
        if daemon.process.returncode is None:
            with suppress(ProcessLookupError):
                daemon.process.kill()
        await tracer.communicate()


async def live(config: Path, plex: RemotePlex, storage: Storage, name: str, nth: int) -> bool:
    """Start the daemon, judge what it has recovered, and kill it; return whether it was killed at the call."""
    async with daemon_process(config) as daemon:
        await judged_at_rest(daemon, storage, f"before {name} {nth}")
        async with to_be_killed_at(daemon, name, nth):
            await plex.ask("go")
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_LIFE):
                    await daemon.silent.wait()
            await plex.ask("hold")
        killed = daemon.silent.is_set()
    storage.judge(f"killed at {name} {nth}", settled=False)
    return killed


async def judged_at_rest(daemon: DaemonProcess, storage: Storage, when: str) -> None:
    assert await daemon.post("/api/v1/pause") < 300
    await daemon.until("/api/v1/status", running=0)
    storage.judge(when, settled=True)
    assert await daemon.post("/api/v1/resume") < 300


@needs_strace
@pytest.mark.long
@pytest.mark.timeout(200)
@pytest.mark.parametrize("placement", PLACEMENTS)
async def test_each_start_after_a_kill_puts_everything_in_order(tmp_path: Path, placement: str) -> None:
    serve, _, original = placement.partition("+")
    async with plex_process(_SHAPE) as plex:
        await asyncio.to_thread(write, plex.library, tmp_path / "array")
        settings = merged(configuration(plex.library, plex, tmp_path), _SETTINGS)
        for mapping in settings["mapping"]:
            mapping.update(serve=serve, original=original)
        config = write_config(settings, tmp_path)
        storage = Storage(plex.library, tmp_path, placement)
        await plex.ask("busy", seed=3)
        killed = [await live(config, plex, storage, *kill) for kill in _KILLS]
        async with daemon_process(config) as daemon:
            await judged_at_rest(daemon, storage, "in the end")

    assert not storage.wrong, "\n".join(storage.wrong)
    assert sum(killed) >= len(_KILLS) // 2
    assert storage.cached


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (lambda original: original.write_bytes(b"x"), "cannot be read"),
        (lambda original: original.unlink(), "cannot be read"),
        (lambda original: original.with_name(f"{original.name}.plexcached").touch(), "another file"),
        (lambda original: original.with_name(".ondeckd-x.part").touch(), "left behind"),
    ],
)
async def test_what_is_wrong_with_the_storage_is_found(
    tmp_path: Path, spoil: Callable[[Path], object], finding: str
) -> None:
    library = small_library()
    write(library, tmp_path / "array")
    storage = Storage(library, tmp_path, "symlink+backup")
    (tmp_path / "state").mkdir()
    async with Store(tmp_path / "state"):
        storage.judge("before", settled=True)
        assert storage.wrong == []
        plex_path, _ = next(all_files(library))

        spoil(local_path(library, tmp_path / "array", plex_path))

        storage.judge("after", settled=True)
    assert any(finding in line for line in storage.wrong)
