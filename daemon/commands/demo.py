"""``ondeckd demo``: the real daemon on throw-away folders against the simulated Plex server."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from daemon.app import App
from daemon.clock import Clock
from daemon.config import Loaded, build
from daemon.demo.files import all_files, intact, local_path, write
from daemon.demo.generate import Shape, generate
from daemon.demo.household import Household, Viewing
from daemon.demo.library import Library
from daemon.demo.server import DemoServer

SPEED = 300.0
"""How much faster than real time the household lives: an episode lasts a few seconds."""

_SHAPE = Shape(movies=12, shows=3, seasons=2, episodes=10, episode_minutes=25, sizes=(4_000_000, 12_000_000))


@dataclass(slots=True)
class Tally:
    """What was played, and what of it lay on the cache at that moment."""

    plays: int = 0
    from_cache: int = 0
    following: int = 0
    late: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stage:
    """The throw-away folders: the two tiers and the daemon's own state."""

    library: Library
    folder: Path

    @property
    def array(self) -> Path:
        """Return the folder that stands for the array."""
        return self.folder / "array"

    @property
    def cache(self) -> Path:
        """Return the folder that stands for the cache."""
        return self.folder / "cache"

    def is_cached(self, plex_path: str) -> bool:
        """Say whether a file is on the cache."""
        return local_path(self.library, self.cache, plex_path).exists()

    def damaged(self) -> list[str]:
        """Return every file of either tier that is not what it must be."""
        found = []
        for plex_path, size in all_files(self.library):
            original = local_path(self.library, self.array, plex_path)
            copy = local_path(self.library, self.cache, plex_path)
            if not intact(self.library, plex_path, size, original):
                found.append(str(original))
            if copy.exists() and not intact(self.library, plex_path, size, copy):
                found.append(str(copy))
        return found


async def demo(seconds: float, listen: str, env: Mapping[str, str]) -> int:
    """Run the show for so many seconds (0: until stopped) and return the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="ondeckd-demo-"))
    try:
        stage = Stage(generate(_SHAPE), folder)
        click.echo(f"Making a library of throw-away files in {folder} …")
        await asyncio.to_thread(write, stage.library, stage.array)
        tally, copied = await _perform(stage, seconds, listen, env)
        damaged = await asyncio.to_thread(stage.damaged)
        return _summary(tally, copied, damaged, len(list(all_files(stage.library))))
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)


async def _perform(stage: Stage, seconds: float, listen: str, env: Mapping[str, str]) -> tuple[Tally, int]:
    clock = Clock(SPEED)
    tally = Tally()
    async with DemoServer(stage.library, clock=clock) as plex:
        app = App(_configuration(stage, plex, listen), env, clock=clock)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(app.run(), name="daemon")
            ready = group.create_task(app.ready.wait(), name="ready")
            await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            click.echo(f"Dashboard: {app.url}/  ({SPEED:.0f} times as fast as life; Ctrl-C ends)")
            household = Household(plex, lambda viewing: _note(viewing, stage, tally))
            watching = group.create_task(household.watch(), name="household")
            stopping = group.create_task(app.stop.wait(), name="stopping")
            await asyncio.wait({watching, stopping}, timeout=seconds or None, return_when=asyncio.FIRST_COMPLETED)
            watching.cancel()
            stopping.cancel()
            app.stop.set()
    return tally, app.core.metrics.copied_bytes()


def _configuration(stage: Stage, plex: DemoServer, listen: str) -> Loaded:
    mappings = [
        {
            "name": section.title,
            "plex": section.root,
            "array": str(local_path(stage.library, stage.array, section.root)),
            "cache": str(local_path(stage.library, stage.cache, section.root)),
        }
        for section in stage.library.sections.values()
    ]
    for mapping in mappings:
        Path(mapping["cache"]).mkdir(parents=True)
    services = ("tv_url", "clients_url", "discover_url", "metadata_url", "community_url")
    settings = build(
        {
            "plex": {"url": plex.url, "token": plex.token, **dict.fromkeys(services, plex.url)},
            "mapping": mappings,
            "retention": {"after_watched": "30m", "after_stopped": "3h", "min_stay": "5m"},
            "space": {"limit": "100%", "evict_to": "100%", "min_free": "0"},
            "state": {"directory": str(stage.folder / "state"), "shutdown_grace": "5s"},
            "web": {"listen": listen},
            "log": {"level": "error"},
        }
    )
    return Loaded(settings, None, (), {})


def _note(viewing: Viewing, stage: Stage, tally: Tally) -> None:
    cached = all(stage.is_cached(part.file) for part in viewing.node.parts if part.exists)
    show = stage.library.show_of(viewing.node)
    name = f"{show.title} - {viewing.node.title}" if show else viewing.node.title
    tally.plays += 1
    tally.from_cache += cached
    tally.following += viewing.follows
    if viewing.follows and not cached:
        tally.late.append(name)
    click.echo(f"{viewing.person.title} plays {name} from the {'cache' if cached else 'array'}")


def _summary(tally: Tally, copied: int, damaged: list[str], files: int) -> int:
    click.echo()
    click.echo(f"Plays: {tally.plays}, of which {tally.from_cache} from the cache")
    click.echo(f"Next episodes: {tally.following}, of which {len(tally.late)} were not on the cache in time")
    click.echo(f"Copied to the cache: {copied / 1e6:.1f} MB")
    if not tally.following:
        click.echo("Nothing was played next in this time, so nothing was shown: let it run longer")
    for name in tally.late:
        click.echo(f"Late: {name}")
    for path in damaged:
        click.echo(f"Damaged: {path}")
    click.echo(
        f"Files on the array: {files}; " + ("all files on both tiers are intact" if not damaged else "NOT all intact")
    )
    return 1 if damaged or tally.late or not tally.following else 0
