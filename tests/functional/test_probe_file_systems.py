"""What `check` says about file systems of every kind, tried out on real ones."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from daemon.storage import linux, trials
from daemon.storage.probe import check_mapping
from tests.support.disks import disk
from tests.support.files import mapping
from tests.support.needs import needs_ext4, needs_mergerfs, needs_root, needs_xfs

GOOD, BAD, DOUBTFUL, NOTE = (True, "info"), (False, "error"), (False, "warning"), (False, "info")
LINKS = {"serve": "symlink", "original": "backup"}
INSTANT = "array /array can replace a file by a link in one instant"
FOLLOWED = "a link on the array leads to the cache"
ADVICE = 'so it cannot be served by links; set serve = "union"'


def check(root: Path, **settings: Any) -> dict[str, tuple[bool, str]]:
    """Return what `check` says, without the temporary folder's name; nothing of it may be left on the array."""
    before = sorted(str(path) for path in (root / "array").rglob("*"))
    found = check_mapping(mapping(root, **settings))
    assert sorted(str(path) for path in (root / "array").rglob("*")) == before
    assert not (root / "cache/.ondeckd").exists(), "on a mount point it would be taken for the cache"
    return {finding.text[4:].replace(str(root), ""): (finding.ok, finding.level) for finding in found}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("array/Show", "cache", "union"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


@contextmanager
def image(kind: str, point: Path) -> Iterator[None]:
    """Have a new file system of this kind at a folder, with a folder in it."""
    file = point.with_name(f"{point.name}.{kind}")
    file.touch()
    os.truncate(file, 320 << 20)
    subprocess.run([f"mkfs.{kind}", "-q", str(file)], check=True)
    subprocess.run(["mount", "-o", "loop", str(file), str(point)], check=True)
    try:
        (point / "Show").mkdir()
        yield
    finally:
        subprocess.run(["umount", str(point)], check=True)
        file.unlink()


@contextmanager
def merged(root: Path, point: str, *branches: str, options: str = "xattr=passthrough") -> Iterator[None]:
    """Have a mergerfs of these branches, the first of which is looked at first."""
    pools = ":".join(f"{root}/{branch}=RW" for branch in branches)
    subprocess.run(["mergerfs", "-o", f"category.search=ff,{options}", pools, f"{root}/{point}"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", f"{root}/{point}"], check=True)


@needs_root
@pytest.mark.parametrize("kind", [pytest.param("ext4", marks=needs_ext4), pytest.param("xfs", marks=needs_xfs)])
def test_a_file_system_that_can_do_everything_is_good_for_links(root: Path, kind: str) -> None:
    with image(kind, root / "array"):
        found = check(root, **LINKS)

    for text in ("array /array can be written", INSTANT, FOLLOWED):
        assert found[text] == GOOD
    assert not [text for text in found if "cannot keep" in text or "union" in text]
    assert BAD not in found.values()


@pytest.mark.parametrize("link", ["absolute", "relative"])
def test_a_link_is_followed_as_it_will_be(root: Path, link: str) -> None:
    assert check(root, **LINKS, link=link)[FOLLOWED] == GOOD


def test_a_link_that_only_plex_can_follow_is_not_tried(root: Path) -> None:
    found = check(root, **LINKS, link_target="/data/cache")

    assert found["links say /data/cache, which only Plex can follow, so that is not tried out here"] == NOTE
    assert FOLLOWED not in found


@needs_root
@pytest.mark.parametrize("kind", ["vfat", "fusefat", "exfat"])
def test_a_poor_file_system_cannot_be_served_by_links_and_keeps_little(root: Path, kind: str) -> None:
    (root / "array/Show").rmdir()
    with disk(kind, root / "array"):
        (root / "array/Show").mkdir()
        found = check(root, **LINKS)

    [links] = [text for text in found if text.startswith("array /array holds no symbolic links (")]
    [lost] = [text for text in found if text.startswith("array /array cannot keep ")]
    assert found[links] == BAD
    assert links.endswith(ADVICE)
    assert found[lost] == NOTE
    assert {"owners", "extended attributes", "exact times"} <= set(lost.partition("keep ")[2].split(", "))


@needs_root
@needs_mergerfs
def test_what_the_cache_cannot_keep_is_told_in_one_line(root: Path) -> None:
    (root / "disk").mkdir()
    with merged(root, "cache", "disk", options="xattr=nosys"):
        found = check(root)

    assert found["cache /cache cannot keep extended attributes"] == NOTE
    assert BAD not in found.values()


def test_without_exchange_and_hard_links_no_link_takes_a_files_place(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(linux, "exchange", lambda *_: False)
    assert check(root, **LINKS)[INSTANT] == GOOD

    monkeypatch.setattr(os, "link", refuse)
    neither = f"array /array can neither exchange two names nor hold hard links, {ADVICE}"
    assert check(root, **LINKS)[neither] == BAD

    monkeypatch.setattr(linux, "rename_new", lambda *_args, **_kwargs: False)
    found = check(root, original="backup")
    assert any(text.startswith("array /array cannot rename without replacing") for text in found)


@needs_root
def test_an_array_that_cannot_be_written_is_bad_where_originals_are_put_aside(root: Path) -> None:
    advice = "let this user write it, or change original"
    subprocess.run(["mount", "--bind", str(root / "array"), str(root / "array")], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(root / "array")], check=True)
        for chosen in (LINKS, {"original": "remove"}):
            found = check(root, **chosen)
            assert found[f"array /array cannot be written: Read-only file system; {advice}"] == BAD
        assert BAD not in check(root).values()
    finally:
        subprocess.run(["umount", str(root / "array")], check=True)


def test_without_a_union_nothing_proves_what_plex_sees_before_originals_go(root: Path) -> None:
    text = "no union is set, so nothing proves that Plex sees the cache's copies before the originals are put aside"
    assert check(root, original="backup")[text] == DOUBTFUL
    assert check(root, original="remove")[text] == DOUBTFUL


@needs_root
@needs_mergerfs
def test_a_pool_is_not_served_by_links(root: Path) -> None:
    (root / "array/Show").rmdir()
    (root / "disk/Show").mkdir(parents=True)
    with merged(root, "array", "disk"):
        assert trials.file_system(f"{root}/array/Show") == "fuse.mergerfs"
        found = check(root, **LINKS)

    [pool] = [text for text in found if text.startswith("array /array is a pool (mergerfs)")]
    assert found[pool] == BAD
    assert 'set serve = "union"' in pool


@needs_root
@needs_mergerfs
@pytest.mark.parametrize("first", ["cache", "array"])
def test_the_union_has_to_show_the_caches_file_where_both_tiers_have_one(root: Path, first: str) -> None:
    branches = ("cache", "array") if first == "cache" else ("array", "cache")
    with merged(root, "union", *branches):
        found = check(root, union=f"{root}/union")

    assert found["union /union shows the cache's files"] == GOOD
    if first == "cache":
        assert found["union /union shows the cache's file where both tiers have one"] == GOOD
        assert BAD not in found.values()
    else:
        wrong = "union /union shows another file than the cache holds; change union, or its order of the tiers"
        assert found[wrong] == BAD
