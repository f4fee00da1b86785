"""The library's files on a real disk, with bytes that each path decides, so that they can be checked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from random import Random
from zlib import crc32

from daemon.demo.library import Library
from daemon.demo.names import NAME_LIMIT

_BLOCK = 1 << 20


def video_files(library: Library) -> Iterator[tuple[str, int]]:
    """Yield (path as Plex sees it, size) of each video that is there, once."""
    seen: set[str] = set()
    for node in library.items.values():
        for part in node.parts:
            if part.file and part.exists and part.file not in seen:
                seen.add(part.file)
                yield part.file, part.size


def sidecar_files(plex_path: str) -> list[tuple[str, int]]:
    """Return (path, size) of the subtitles beside a video; which ones, its path decides."""
    video = PurePosixPath(plex_path)
    choices: tuple[tuple[str, ...], ...] = (
        (),
        (f"{video.stem}.en.srt",),
        (f"{video.stem}.en.srt", f"{video.stem}.EN.forced.SRT"),
        (f"Subs/{video.stem}.de.ass", f"{video.stem}.srt"),
    )
    number = crc32(plex_path.encode())
    if "Plex Versions" in video.parts:
        return []
    return [
        (str(video.parent / name), 200 + number % 1500)
        for name in choices[number % len(choices)]
        if len(PurePosixPath(name).name.encode()) <= NAME_LIMIT
    ]


def all_files(library: Library) -> Iterator[tuple[str, int]]:
    """Yield (path as Plex sees it, size) of every file: the videos and their subtitles."""
    for path, size in video_files(library):
        yield path, size
        yield from sidecar_files(path)


def content(seed: int, plex_path: str, size: int) -> Iterator[bytes]:
    """Yield the bytes of a file, a block at a time."""
    random = Random(f"{seed}:{plex_path}")
    for start in range(0, size, _BLOCK):
        yield random.randbytes(min(_BLOCK, size - start))


def local_path(library: Library, folder: Path, plex_path: str) -> Path:
    """Return where a file lies when `folder` stands for the library's root."""
    return folder / PurePosixPath(plex_path).relative_to(library.root or "/")


def write_file(library: Library, folder: Path, plex_path: str, size: int) -> Path:
    """Write one file below `folder`, dated in the past as files of a library are. Return its path."""
    path = local_path(library, folder, plex_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.writelines(content(library.seed, plex_path, size))
    # Odd nanoseconds, so that a copy that keeps only whole seconds is found out.
    moment = (1_600_000_000 + crc32(plex_path.encode()) % 50_000_000) * 1_000_000_000 + 123_456_789
    os.utime(path, ns=(moment, moment))
    return path


def write(library: Library, folder: Path) -> list[Path]:
    """Write all files of the library below `folder`; return their paths."""
    return [write_file(library, folder, path, size) for path, size in all_files(library)]


def intact(library: Library, plex_path: str, size: int, path: Path) -> bool:
    """Say whether `path` holds exactly the bytes that belong to this file."""
    with path.open("rb") as file:
        same = all(file.read(len(block)) == block for block in content(library.seed, plex_path, size))
        return same and not file.read(1)
