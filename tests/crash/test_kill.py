"""``kill -9`` at any moment: after each restart the disk, the ledger and the demands agree, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from daemon.demo.files import write
from tests.support.daemon import configuration, merged
from tests.support.daemon_process import PATIENCE, DaemonProcess, daemon_process, write_config
from tests.support.judge import Disk, Rows, lost, read
from tests.support.plex_process import RemotePlex, plex_process

_SHAPE = {
    "movies": 4,
    "shows": 2,
    "seasons": 2,
    "episodes": 5,
    "awkward": False,
    "sizes": [20_000, 60_000],
    "episode_minutes": 1,
    "movie_minutes": 1,
}
_SETTINGS = {
    "playback": {"next_episodes": 3, "min_play": "1s"},
    "retention": {"after_stopped": "3s", "after_watched": "1s", "min_stay": "0"},
    "space": {"quota": "500KB"},
    # Slow enough that a copy takes a while, and a kill meets one on its way.
    "transfer": {"rate_limit": "300KB", "yield_to_playback": False},
}
_LOOK_EVERY = 0.05
_LONGEST_LIFE = 0.6
"""Seconds after which at the latest the next kill comes."""


class Trial:
    """A household, its storage, and a daemon that is killed again and again."""

    def __init__(self, folder: Path, plex: RemotePlex, config: Path, seed: int) -> None:
        self._folder = folder / "state"
        self._plex = plex
        self._config = config
        self._random = Random(seed)
        self._disk = Disk(plex.library, folder)
        self.wrong: list[str] = []
        self.seen: dict[str, int] = dict.fromkeys(("running", "queued", "retentions", "journal", "cached"), 0)

    async def run(self, kills: int) -> None:
        """Kill so many times, and let the last daemon come to rest."""
        await self._plex.ask("busy", seed=self._random.randrange(1000))
        before: Rows | None = None
        for number in range(kills + 1):
            async with daemon_process(self._config) as daemon:
                await self._judge(daemon, before, f"after kill {number}")
                if number == kills:
                    await self._rest(daemon)
                    return
                await self._plex.ask("go")
                # Not a wait for anything: the moment of the kill is what is random here.
                await asyncio.sleep(self._random.uniform(0, _LONGEST_LIFE))
            await self._plex.ask("hold")
            before = self._noted(read(self._folder))

    async def _judge(self, daemon: DaemonProcess, before: Rows | None, when: str) -> None:
        """Judge the daemon frozen at the moment it became ready, then with every worker at rest."""
        daemon.freeze()
        after = read(self._folder)
        self._find(f"{when}, ready", self._disk.wrong(after, settled=False))
        if before:
            sessions = await self._plex.ask("playing")
            self._find(f"{when}, ready", lost(before, after, sessions, time.time()))
        daemon.thaw()
        assert await daemon.post("/api/v1/pause") < 300
        await daemon.until("/api/v1/status", running=0)
        self._find(f"{when}, paused", self._disk.wrong(read(self._folder), settled=True))
        assert await daemon.post("/api/v1/resume") < 300

    async def _rest(self, daemon: DaemonProcess) -> None:
        """Everybody stops: once the retentions are over, only what somebody goes on with is on the cache."""
        await self._plex.ask("calm")
        await daemon.until("/api/v1/status", sessions=0)
        async with asyncio.timeout(PATIENCE):
            while read(self._folder).retentions:  # noqa: ASYNC110 - another process' database tells nobody
                await asyncio.sleep(_LOOK_EVERY)
        # A plan made while it was not known what plays evicts nothing; it is made again within a quarter of a minute.
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while _unwanted(read(self._folder)):  # noqa: ASYNC110 - see above
                    await asyncio.sleep(_LOOK_EVERY)
        await daemon.until("/api/v1/status", running=0, queued=0)
        rows = read(self._folder)
        self._find("at rest", self._disk.wrong(rows, settled=True))
        self._find("at rest", [f"still on the cache: {row}" for row in _unwanted(rows)])
        self._find("at rest", [f"in the journal: {row}" for row in rows.journal])
        self._find("at rest", [f"wanted without end: {row}" for row in rows.demands if row["until"] is None])

    def _find(self, when: str, wrong: list[str]) -> None:
        self.wrong += [f"{when}: {line}" for line in wrong]

    def _noted(self, rows: Rows) -> Rows:
        states = [row["state"] for row in rows.tasks]
        self.seen["running"] += states.count("running")
        self.seen["queued"] += states.count("queued")
        self.seen["retentions"] += len(rows.retentions)
        self.seen["journal"] += len(rows.journal)
        self.seen["cached"] += len(rows.entries)
        return rows


def _unwanted(rows: Rows) -> list[dict[str, Any]]:
    """Return the cached videos that nobody wants."""
    wanted = {row["rating_key"] for row in rows.demands}
    return [row for row in rows.entries if not row["parent"] and not rows.keys_of(row["plex_path"]) & wanted]


async def tried(folder: Path, seed: int, kills: int) -> Trial:
    """Return a trial after so many kills."""
    async with plex_process(_SHAPE) as plex:
        await asyncio.to_thread(write, plex.library, folder / "array")
        config = write_config(merged(configuration(plex.library, plex, folder), _SETTINGS), folder)
        trial = Trial(folder, plex, config, seed)
        await trial.run(kills)
    return trial


async def test_after_a_kill_at_any_moment_disk_ledger_and_demands_agree(tmp_path: Path) -> None:
    trial = await tried(tmp_path, seed=1, kills=6)

    assert trial.wrong == []
    assert trial.seen["cached"]
    assert trial.seen["running"] + trial.seen["queued"]


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_after_two_hundred_kills_disk_ledger_and_demands_agree(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    # Two households side by side, because most of a restart is one processor's work.
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(tried(folder, seed, 100)) for seed, folder in enumerate(folders, start=2)]
    trials = [task.result() for task in running]

    assert [line for trial in trials for line in trial.wrong] == []
    assert all(sum(trial.seen[what] for trial in trials) for what in trials[0].seen)
