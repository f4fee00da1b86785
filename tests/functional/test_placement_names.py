"""Links, pipes and awkward names."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.errors import Skipped, UnmappedPath
from tests.support import placement
from tests.support.files import Tiers
from tests.support.placement import E1

executor = placement.executor
tiers = placement.tiers


@pytest.mark.parametrize("setting", ["skip", "copy"])
async def test_hard_links_are_left_alone_or_copied_as_the_setting_says(
    tmp_path: Path, executor: ThreadPoolExecutor, setting: str
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"hardlinks": setting})
    file = tiers.film()
    os.link(tiers.array / E1, tiers.array / "seeding.mkv")

    if setting == "skip":
        with pytest.raises(Skipped, match=r'has 2 hard links and transfer.hardlinks is "skip"'):
            await tiers.cache_in(file)
        assert tiers.cached() == {}
    else:
        await tiers.cache_in(file)
        assert tiers.cached() == {E1: b"film"}


async def test_a_link_that_leads_out_of_the_array_is_refused(tiers: Tiers, tmp_path: Path) -> None:
    tiers.film("other.mkv")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/e1.mkv").write_bytes(b"secret")
    (tiers.array / "Show").symlink_to(tmp_path / "secret")
    (tiers.array / "e1.mkv").symlink_to(tmp_path / "secret/e1.mkv")

    for name in ("Show/e1.mkv", "e1.mkv"):
        with pytest.raises(UnmappedPath, match="a link leads out"):
            await tiers.cache_in(tiers.file(name))

    assert tiers.cached() == {}


async def test_a_link_to_another_place_in_the_array_is_followed(tiers: Tiers) -> None:
    tiers.film("Real/e1.mkv", b"real")
    (tiers.array / "Show").symlink_to("Real")

    await tiers.cache_in(tiers.file("Show/e1.mkv"))

    assert tiers.cached() == {"Show/e1.mkv": b"real"}


async def test_a_link_that_leads_out_of_the_cache_is_refused(tiers: Tiers, tmp_path: Path) -> None:
    file = tiers.film()
    (tmp_path / "elsewhere").mkdir()
    (tiers.cache / "Show").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UnmappedPath, match="a link leads out"):
        await tiers.cache_in(file)

    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_a_pipe_in_a_media_folder_is_not_waited_for(tiers: Tiers) -> None:
    os.mkfifo(tiers.array / "e1.mkv")

    with pytest.raises(Skipped, match="is not a regular file"):
        await tiers.cache_in(tiers.file("e1.mkv"))


@pytest.mark.parametrize("name", ["x" * 251 + ".mkv", "e\udcff\n 1.mkv", "'\"$(e1).mkv"])
async def test_awkward_names_are_names(tiers: Tiers, name: str) -> None:
    [entry] = await tiers.cache_in(tiers.film(name))
    assert tiers.cached() == {name: b"film"}

    await tiers.placement.evict(entry)
    assert tiers.cached() == {}


async def test_a_name_that_no_file_system_takes_is_skipped(tiers: Tiers) -> None:
    tiers.film()

    with pytest.raises(Skipped, match="File name too long"):
        await tiers.cache_in(tiers.file("x" * 300 + ".mkv"))
