"""Arrays on which no file can be replaced by a link in one instant: nothing is begun there, and that is said."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest

from daemon.errors import Skipped
from daemon.storage import linux
from tests.support import placement
from tests.support.disks import disk
from tests.support.files import Tiers
from tests.support.placement import E1

executor = placement.executor


def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.fixture(params=["neither exchange nor hard links", "vfat", "fusefat", "exfat"])
def poor(
    tmp_path: Path, executor: ThreadPoolExecutor, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tiers]:
    """Give tiers that are to be served by links, with an array that cannot be."""
    (tmp_path / "array").mkdir()
    if "fat" in request.param:
        if os.geteuid() != 0:
            pytest.skip("needs root")
        with disk(request.param, tmp_path / "array"):
            yield Tiers(tmp_path, executor, serve="symlink", original="backup")
        return
    monkeypatch.setattr(linux, "exchange", lambda *_: False)
    monkeypatch.setattr(os, "link", refuse)
    yield Tiers(tmp_path, executor, serve="symlink", original="backup")


async def test_a_file_that_cannot_be_replaced_by_a_link_is_left_as_it_was(poor: Tiers) -> None:
    file = poor.film(E1, b"film", mtime_ns=1_400_000_000 * 10**9)

    with pytest.raises(Skipped, match=r"cannot be replaced by a link, because .*/array lacks .*; set serve"):
        await poor.cache_in(file)

    assert poor.on_array() == {E1: b"film"}
    assert sorted(path.name for path in (poor.array / E1).parent.iterdir()) == ["e1.mkv"]
    assert poor.cached() == {}
    assert poor.folders() == set()


async def test_hard_links_are_enough(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linux, "exchange", lambda *_: False)
    tiers = Tiers(tmp_path, executor, serve="symlink", original="backup")

    [entry] = await tiers.cache_in(tiers.film(E1, b"film"))
    assert (tiers.array / E1).is_symlink()
    await tiers.placement.evict(entry)

    assert tiers.on_array() == {E1: b"film"}
    assert not (tiers.array / E1).is_symlink()
