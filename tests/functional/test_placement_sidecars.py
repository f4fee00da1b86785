"""Subtitles and other companions travel with their video, and never hold it back."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog

from daemon.model import Entry
from tests.support import placement
from tests.support.files import Tiers
from tests.support.placement import E1

executor = placement.executor
tiers = placement.tiers


async def test_sidecars_travel_with_their_video_and_know_it(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.film("Show/Season 1/e1.en.srt", b"hello")
    tiers.film("Show/Season 1/Subs/e1.fr.srt", b"bonjour")
    tiers.film("Show/Season 1/e2.mkv")
    tiers.film("Show/Season 1/e2.en.srt")

    video, *sidecars = await tiers.cache_in(file)

    assert sorted(tiers.cached()) == ["Show/Season 1/Subs/e1.fr.srt", "Show/Season 1/e1.en.srt", E1]
    assert video.parent == ""
    assert {entry.parent for entry in sidecars} == {file.array_path}
    assert tiers.progress[-1] == (16, 16)


@pytest.mark.parametrize(("kinds", "count"), [("none", 1), ("subtitles", 2), ("all", 3)])
async def test_the_setting_says_which_sidecars_travel(
    tmp_path: Path, executor: ThreadPoolExecutor, kinds: str, count: int
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"sidecars": kinds})
    tiers.film("Show/Season 1/e1.srt")
    tiers.film("Show/Season 1/e1.nfo")

    assert len(await tiers.cache_in(tiers.film())) == count


async def test_a_sidecar_that_cannot_come_does_not_hold_its_video_back(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.film("Show/Season 1/e1.en.srt")
    (tiers.cache / "Show/Season 1").mkdir(parents=True)
    (tiers.cache / "Show/Season 1/e1.en.srt").write_bytes(b"foreign")

    with structlog.testing.capture_logs() as logs:
        entries = await tiers.cache_in(file)

    assert len(entries) == 1
    assert tiers.cached()["Show/Season 1/e1.en.srt"] == b"foreign"
    assert [line["event"] for line in logs] == ["sidecar_left"]


async def test_a_sidecar_that_changes_leaves_nothing_of_itself(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.film("Show/Season 1/e1.en.srt")

    async def publishing(entry: Entry) -> None:
        if entry.parent:
            tiers.film("Show/Season 1/e1.en.srt", b"corrected")

    await tiers.cache_in(file, publishing=publishing)

    assert tiers.cached() == {E1: b"film"}


async def test_a_folder_that_cannot_be_listed_does_not_hold_its_video_back(tiers: Tiers) -> None:
    file = tiers.film("e1.mkv")
    tiers.film("e1.srt")
    listed = os.scandir

    def refuse(folder: int | str) -> object:
        if isinstance(folder, int):
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    with structlog.testing.capture_logs() as logs, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        assert len(await tiers.cache_in(file)) == 1

    assert [line["event"] for line in logs] == ["sidecars_unknown"]


async def test_a_second_cancel_does_not_stop_the_tidying(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.film("Show/Season 1/e1.en.srt")
    named = asyncio.Event()

    async def publishing(entry: Entry) -> None:
        if entry.parent:
            named.set()
            await asyncio.Event().wait()

    copying = asyncio.create_task(tiers.cache_in(file, publishing=publishing))
    await named.wait()
    copying.cancel()
    await asyncio.sleep(0)
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    await asyncio.to_thread(tiers.executor.shutdown)

    assert tiers.cached() == {}


async def test_a_cancel_while_a_sidecar_comes_takes_the_video_back_too(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.film("Show/Season 1/e1.en.srt")

    async def publishing(entry: Entry) -> None:
        if entry.parent:
            assert E1 in tiers.cached()
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await tiers.cache_in(file, publishing=publishing)

    assert tiers.cached() == {}
    assert tiers.folders() == set()


async def test_a_copy_without_its_original_is_not_taken_back(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.film("Show/Season 1/e1.en.srt")

    async def publishing(entry: Entry) -> None:
        if entry.parent:
            (tiers.array / E1).unlink()
            raise asyncio.CancelledError

    with structlog.testing.capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await tiers.cache_in(file, publishing=publishing)

    assert tiers.cached() == {E1: b"film"}
    assert [line["event"] for line in logs] == ["cleaning_failed"]
