"""Folders and files at every depth, opened and made so that no link leads out of a root."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from daemon.errors import UnmappedPath
from daemon.storage import tree
from tests.support.files import open_descriptors

PATH_MAX = 4096
LONG = "x" * 200
DEEP = (LONG,) * 25
"""The way to a folder that lies deeper than a path can say."""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[str]:
    """Give a root whose content may lie too deep for what clears up after tests."""
    made = tmp_path / "root"
    made.mkdir()
    before = open_descriptors()
    yield str(made)
    assert open_descriptors() == before
    subprocess.run(["rm", "-rf", str(tmp_path)], check=True)


def make(root: str | Path, parts: tuple[str, ...], content: bytes | None = None) -> None:
    """Make folders, and a file as the last of `parts` if it has content, step by step."""
    above = os.open(root, os.O_RDONLY)
    for part in parts if content is None else parts[:-1]:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=above)
        below = os.open(part, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    if content is not None:
        file = os.open(parts[-1], os.O_CREAT | os.O_WRONLY, dir_fd=above)
        os.write(file, content)
        os.close(file)
    os.close(above)


def names(folder: int | str) -> list[str]:
    with os.scandir(folder) as found:
        return sorted(item.name for item in found)


def read(root: str, parts: tuple[str, ...]) -> bytes:
    file = tree.open_file(root, parts)
    try:
        return os.read(file, 100)
    finally:
        os.close(file)


def test_a_file_opens_however_deep_it_lies(root: str) -> None:
    make(root, (*DEEP, "e1.mkv"), b"film")

    assert len(root) + 201 * len(DEEP) > PATH_MAX
    assert read(root, (*DEEP, "e1.mkv")) == b"film"
    with tree.folder(root, DEEP) as folder:
        assert names(folder) == ["e1.mkv"]


def test_every_length_of_a_path_around_the_limit_is_read(root: str) -> None:
    room = PATH_MAX - len(root) - 1
    whole, rest = divmod(room, 201)
    # The last two parts share what is left, and have less than 255 bytes each.
    half, left = divmod(201 + rest, 2)
    for beyond in range(-8, 8):
        parts = (*(LONG,) * (whole - 1), "y" * half, "z" * (half + left - 1 + beyond))
        make(root, parts, b"film")
        assert read(root, parts) == b"film"


def test_a_root_that_is_a_link_to_a_deep_place_holds_deeper_ones(root: str, tmp_path: Path) -> None:
    room = (PATH_MAX - len(root) - 1) // 201
    make(root, (*DEEP[: room + 2], "e1.mkv"), b"film")
    link = tmp_path / "link"
    link.symlink_to(Path(root, *DEEP[:room]))

    assert read(str(link), (*DEEP[:2], "e1.mkv")) == b"film"


def test_what_is_missing_down_there_is_missing(root: str) -> None:
    make(root, DEEP)

    with pytest.raises(FileNotFoundError):
        tree.open_file(root, (*DEEP, "e1.mkv"))
    with pytest.raises(FileNotFoundError):
        tree.open_folder(root, (*DEEP[:3], "no", *DEEP))


def test_a_file_down_there_is_no_folder(root: str) -> None:
    make(root, (*DEEP, "e1.mkv"), b"film")

    with pytest.raises(NotADirectoryError):
        tree.open_folder(root, (*DEEP, "e1.mkv"))
    with pytest.raises(NotADirectoryError):
        tree.open_file(root, (*DEEP, "e1.mkv", "more"))


@pytest.mark.parametrize("above", [(), DEEP])
def test_a_name_that_is_too_long_is_too_long_at_every_depth(root: str, above: tuple[str, ...]) -> None:
    make(root, above)

    for open_it in (tree.open_file, tree.open_folder):
        with pytest.raises(OSError, match="File name too long") as caught:
            open_it(root, (*above, "x" * 256))
        assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize("at", [2, len(DEEP)])
@pytest.mark.parametrize("call", [tree.open_folder, tree.open_file])
def test_no_link_is_followed_on_a_way_that_is_too_long(
    root: str, tmp_path: Path, at: int, call: Callable[[str, tuple[str, ...]], int]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    make(outside, (*DEEP[at:], "e1.mkv"), b"secret")
    make(root, DEEP[: at - 1])
    with tree.folder(root, DEEP[: at - 1]) as folder:
        os.symlink(outside, LONG, dir_fd=folder)
    parts = (*DEEP, "e1.mkv") if call is tree.open_file else DEEP

    with pytest.raises(UnmappedPath, match="a link in so long a path is not followed"):
        call(root, parts)


def test_a_link_at_the_end_of_a_way_that_is_too_long_is_not_followed(root: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    make(root, DEEP)
    with tree.folder(root, DEEP) as folder:
        os.symlink(secret, "e1.mkv", dir_fd=folder)

    with pytest.raises(UnmappedPath, match="is not followed"):
        tree.open_file(root, (*DEEP, "e1.mkv"))


def test_links_within_the_root_are_followed_and_those_out_of_it_are_not(root: str, tmp_path: Path) -> None:
    make(root, ("Real", "e1.mkv"), b"film")
    make(tmp_path, ("outside", "e1.mkv"), b"secret")
    Path(root, "In").symlink_to("Real")
    Path(root, "Out").symlink_to("../outside")

    assert read(root, ("In", "e1.mkv")) == b"film"
    with pytest.raises(UnmappedPath, match="a link leads out"):
        tree.open_file(root, ("Out", "e1.mkv"))
    with pytest.raises(UnmappedPath, match="a link leads out"):
        tree.open_folder(root, ("Out",))


def test_a_root_that_is_a_link_and_one_beside_it_with_a_longer_name_are_told_apart(root: str, tmp_path: Path) -> None:
    make(tmp_path, ("root2", "e1.mkv"), b"another mapping")
    make(root, ("e1.mkv",), b"film")
    (tmp_path / "link").symlink_to(root)
    Path(root, "Out").symlink_to("../root2")

    assert read(str(tmp_path / "link"), ("e1.mkv",)) == b"film"
    with pytest.raises(UnmappedPath, match="a link leads out"):
        tree.open_file(root, ("Out", "e1.mkv"))


@pytest.mark.parametrize("there", [0, 3, len(DEEP) - 1, len(DEEP)])
def test_the_nearest_folder_is_found_at_every_depth(root: str, there: int) -> None:
    make(root, DEEP[:there])

    with tree.nearest_folder(root, DEEP) as found, tree.folder(root, DEEP[:there]) as expected:
        assert os.path.sameopenfile(found, expected)


@pytest.mark.parametrize("there", [0, 3, len(DEEP) - 1, len(DEEP)])
def test_folders_are_made_at_every_depth_like_their_twins(root: str, tmp_path: Path, there: int) -> None:
    twins = tmp_path / "twins"
    twins.mkdir()
    make(twins, DEEP)
    make(root, DEEP[:there])
    for depth in range(there + 1, len(DEEP) + 1):
        with tree.folder(str(twins), DEEP[:depth]) as twin:
            os.fchmod(twin, 0o700 + depth)

    with tree.made_folder(root, DEEP, str(twins)) as made, tree.folder(root, DEEP) as found:
        assert os.path.sameopenfile(made, found)

    for depth in range(there + 1, len(DEEP) + 1):
        with tree.folder(root, DEEP[:depth]) as made:
            assert stat.S_IMODE(os.fstat(made).st_mode) == 0o700 + depth
            assert names(made) == ([LONG] if depth < len(DEEP) else [])
    tree.remove_empty(root, DEEP)
    with tree.nearest_folder(root, DEEP) as left, tree.folder(root, DEEP[:there]) as theirs:
        assert os.path.sameopenfile(left, theirs)


def test_more_folders_in_each_other_than_python_can_nest_calls_are_made(root: str, tmp_path: Path) -> None:
    parts = ("d",) * 1500
    twins = tmp_path / "twins"
    twins.mkdir()
    make(twins, parts)

    with tree.made_folder(root, parts, str(twins)) as made:
        assert names(made) == []


def test_a_temporary_file_that_a_sweep_took_at_once_is_made_again(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, made = "a.part", []
    claim = tree._claim

    def sweep_first(descriptor: int) -> None:
        claim(descriptor)
        made.append(descriptor)
        if len(made) == 1:
            Path(root, name).unlink()

    monkeypatch.setattr(tree, "_claim", sweep_first)
    with tree.folder(root) as folder:
        os.close(tree.new_temporary(name, folder))

    assert len(made) == 2
    assert names(root) == [name]


def test_a_file_system_that_counts_no_links_takes_temporary_files(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    look = os.fstat

    def uncounted(descriptor: int) -> os.stat_result:
        found = list(look(descriptor))
        found[stat.ST_NLINK] = 0
        return os.stat_result(found)

    monkeypatch.setattr(os, "fstat", uncounted)
    with tree.folder(root) as folder:
        os.close(tree.new_temporary("a.part", folder))
        os.close(tree._new_folder("b.part", folder))

    assert names(root) == ["a.part", "b.part"]
