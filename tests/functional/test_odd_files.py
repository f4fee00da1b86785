"""Files with odd names, at odd depths, with holes: in, and out again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.errors import Skipped
from daemon.storage import tree
from tests.support import placement
from tests.support.files import Tiers
from tests.support.placement import E1

executor = placement.executor
tiers = placement.tiers

EVERY_BYTE = [bytes(range(1, 256)).replace(b"/", b"")[at : at + 100] for at in (0, 100, 200)]
NAMES = [
    *(os.fsdecode(name) for name in EVERY_BYTE),
    "e1\n.mkv",
    "e1\r\n.mkv",
    "\n",
    " ",
    "e1.mkv ",
    " e1.mkv",
    "e1.mkv.",
    "-rf",
    "--help.mkv",
    "-",
    "~",
    "e1\t\x07\x1b[31m.mkv",
    "\udcff\udcfe.mkv",
    "e\u0301.mkv",
    "\xe9.mkv",
    "\u202egnp.mkv",
    "\\e1\\.mkv",
    "C:e1.mkv",
    "*?[a-z].mkv",
    "$(e1)`e1`'\"&;|<>.mkv",
    "%s%n{e1}.mkv",
    "#e1.mkv",
    "e1.mkv (deleted)",
    "...",
    "x" * 255,
    "x" * 251 + ".mkv",
    "\xe9" * 127 + "x",
]


@pytest.mark.parametrize("name", NAMES)
async def test_any_name_is_a_name(tiers: Tiers, name: str) -> None:
    [entry] = await tiers.cache_in(tiers.film(f"{name}/{name}"))
    assert tiers.cached() == {f"{name}/{name}": b"film"}

    await tiers.placement.evict(entry)

    assert tiers.cached() == {}
    assert tiers.folders() == set()
    assert tiers.on_array() == {f"{name}/{name}": b"film"}


async def test_names_that_look_alike_are_different_files(tiers: Tiers) -> None:
    looks = ["\xe9.mkv", "e\u0301.mkv", "E\u0301.mkv", "\udce9.mkv"]
    entries = [
        entry for name in looks for entry in await tiers.cache_in(tiers.film(name, name.encode(errors="replace")))
    ]
    assert tiers.cached() == {name: name.encode(errors="replace") for name in looks}

    await tiers.placement.evict(entries[0])

    assert set(tiers.cached()) == set(looks[1:])


@pytest.mark.parametrize("name", ["x" * 256, "x" * 300 + ".mkv", "\xe9" * 128])
async def test_a_name_that_no_file_system_takes_is_skipped_in_any_folder(tiers: Tiers, name: str) -> None:
    tiers.film()

    with pytest.raises(Skipped, match="File name too long"):
        await tiers.cache_in(tiers.file(f"Show/Season 1/{name}"))


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Give a place of which the content is removed however deep it lies."""
    yield tmp_path
    subprocess.run(["rm", "-rf", str(tmp_path)], check=True)


@pytest.mark.parametrize("length", [4095, 4000])
async def test_a_film_at_the_end_of_the_longest_path_is_cached_below_a_longer_root(
    deep: Path, executor: ThreadPoolExecutor, length: int
) -> None:
    tiers = Tiers(deep, executor, cache=f"{deep}/{'c' * 255}")
    cache = tiers.mapping.cache
    Path(cache).mkdir()
    # Folders of 100 characters, then a name that makes the whole path as long as it may be.
    room = length - len(f"{tiers.array}/")
    folders = ("d" * 100,) * (room // 101 - 1)
    parts = (*folders, "e" * (room - 101 * len(folders)))
    file = tiers.film("/".join(parts))
    assert len(file.array_path) == length
    assert len(file.cache_path) > 4096

    [entry] = await tiers.cache_in(file)

    copy = tree.open_file(cache, parts)
    assert os.read(copy, 100) == b"film"
    os.close(copy)
    assert await tiers.placement.stands(entry)

    await tiers.placement.evict(entry)

    assert [path.name for path in Path(cache).iterdir()] == [".ondeckd"]


@pytest.mark.parametrize("verify", ["size", "checksum"])
async def test_a_sparse_film_takes_no_more_room_on_the_cache(
    tmp_path: Path, executor: ThreadPoolExecutor, verify: str
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"verify": verify})
    file = tiers.film(E1, b"film")
    os.truncate(tiers.array / E1, 50_000_000)

    [entry] = await tiers.cache_in(file)

    copy = tiers.cache / E1
    assert copy.stat().st_blocks * 512 < 1_000_000
    assert copy.read_bytes() == (tiers.array / E1).read_bytes()
    assert tiers.progress[-1] == (50_000_000, 50_000_000)
    await tiers.placement.evict(entry)
    assert tiers.cached() == {}
