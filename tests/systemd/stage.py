"""A Plex server and a library for the daemon under test, as a service of the booted system.

Usage: stage.py MEDIA_FOLDER CONFIG_FOLDER. Writes the files and the configuration, tells systemd that it is
ready, and begins to play the first movie whenever it gets SIGUSR1.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from daemon.demo.files import local_path, write
from daemon.demo.generate import Shape, generate
from daemon.demo.library import Library
from daemon.demo.server import DemoServer
from daemon.sdnotify import Notifier

OWNER, GROUP, FILE_MODE, FOLDER_MODE = 1234, 2345, 0o640, 0o2775
"""Whose the files on the array are: nobody whom the daemon runs as."""


def write_media(library: Library, media: Path) -> None:
    write(library, media / "array")
    for folder, _, files in os.walk(media / "array"):
        os.chown(folder, OWNER, GROUP)
        Path(folder).chmod(FOLDER_MODE)
        for file in files:
            os.chown(Path(folder, file), OWNER, GROUP)
            Path(folder, file).chmod(FILE_MODE)


def write_configuration(library: Library, plex: DemoServer, media: Path, folder: Path) -> None:
    lines = [
        "[plex]",
        f'url = "{plex.url}"',
        *(f'{service}_url = "{plex.url}"' for service in ("tv", "clients", "discover", "metadata", "community")),
        "[space]",
        'limit = "100%"',
        'evict_to = "100%"',
        'min_free = "0"',
    ]
    for section in library.sections.values():
        array, cache = (local_path(library, media / tier, section.root) for tier in ("array", "cache"))
        cache.mkdir(parents=True)
        lines += ["[[mapping]]", f'name = "{section.title}"', f'plex = "{section.root}"']
        lines += [f'array = "{array}"', f'cache = "{cache}"']
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("\n".join(lines) + "\n")
    (folder / "plex-token").write_text(plex.token)


async def main(media: Path, configuration: Path) -> None:
    library = generate(Shape(movies=1, shows=1, seasons=1, episodes=2, specials=0, awkward=False))
    play = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, play.set)
    async with DemoServer(library) as plex:
        write_media(library, media)
        write_configuration(library, plex, media, configuration)
        Notifier(os.environ).ready()
        while await play.wait():
            play.clear()
            await plex.engine.play(plex.people.owner, library.movies[0])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
