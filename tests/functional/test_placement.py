from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from daemon.config import TransferSettings
from daemon.errors import (
    AnchorMissing,
    NoSpace,
    Skipped,
    SourceChanged,
    SourceMissing,
    StorageError,
    TierUnavailable,
    UnmappedPath,
    UnsafeEvict,
    VerifyFailed,
)
from daemon.model import Entry
from daemon.storage import linux, tree
from daemon.storage.paths import OWN_FOLDER
from tests.support.files import LONG_AGO, Tiers, open_descriptors, threads

E1 = "Show/Season 1/e1.mkv"
SLOW = {"rate_limit": "1MB"}
"""Settings under which 100 kB are a slice of 100 ms."""


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with threads() as found:
        yield found


@pytest.fixture
def tiers(tmp_path: Path, executor: ThreadPoolExecutor) -> Tiers:
    return Tiers(tmp_path, executor)


def known(entries: list[Entry]) -> dict[str, Entry]:
    return {entry.file.array_path: entry for entry in entries}


async def test_a_file_comes_to_the_cache_and_its_original_stays(tiers: Tiers) -> None:
    file = tiers.film(content=b"the film")

    [entry] = await tiers.cache_in(file)

    assert tiers.cached() == tiers.on_array() == {E1: b"the film"}
    assert entry == Entry(replace(file, size=8), LONG_AGO, 1_700_000_000.0)
    assert tiers.progress[-1] == (8, 8)


async def test_bytes_and_names_are_on_the_disk_before_what_relies_on_them(
    tiers: Tiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def noted(name: str, function: Callable[..., object], what: Callable[..., str]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            calls.append(re.sub(r"(\.ondeckd-)?[0-9a-f]{32}", "TEMPORARY", f"{name} {what(*args)}"))
            return function(*args, **kwargs)

        return call

    def named(descriptor: int) -> str:
        return Path(f"/proc/self/fd/{descriptor}").readlink().name

    file = tiers.film("Show/e1.mkv")
    monkeypatch.setattr(os, "fsync", noted("fsync", os.fsync, named))
    monkeypatch.setattr(linux, "rename_new", noted("rename", linux.rename_new, lambda old, new: f"{old} {new}"))
    monkeypatch.setattr(os, "unlink", noted("unlink", os.unlink, str))

    [entry] = await tiers.cache_in(file)
    calls.append("cached")
    await tiers.placement.evict(entry)

    assert [call for call in calls if call != "unlink TEMPORARY.probe"] == [
        "fsync TEMPORARY.part",
        "fsync manifest",
        "fsync .ondeckd",
        "fsync TEMPORARY.part",
        "rename TEMPORARY.part Show",
        "fsync cache",
        "rename TEMPORARY.part e1.mkv",
        "fsync Show",
        "cached",
        "unlink e1.mkv",
        "fsync Show",
        "fsync cache",
    ]


async def test_an_evicted_file_leaves_nothing_but_its_original(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())

    await tiers.placement.evict(entry)

    assert tiers.cached() == {}
    assert tiers.folders() == set()
    assert tiers.on_array() == {E1: b"film"}


async def test_nothing_stays_open(tiers: Tiers) -> None:
    await tiers.placement.evict((await tiers.cache_in(tiers.film()))[0])
    before = open_descriptors()

    await tiers.placement.evict((await tiers.cache_in(tiers.film()))[0])
    with pytest.raises(SourceMissing):
        await tiers.cache_in(tiers.file("gone.mkv"))

    assert open_descriptors() == before


async def test_mode_time_and_attributes_come_along(tiers: Tiers) -> None:
    file = tiers.film()
    original, folder = tiers.array / E1, tiers.array / "Show"
    os.setxattr(original, "user.rating", b"5")
    original.chmod(0o640)
    folder.chmod(0o2770)
    os.utime(original, ns=(LONG_AGO, LONG_AGO))

    await tiers.cache_in(file)

    copy = tiers.cache / E1
    assert copy.stat().st_mtime_ns == LONG_AGO
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640
    assert os.getxattr(copy, "user.rating") == b"5"
    assert stat.S_IMODE((tiers.cache / "Show").stat().st_mode) == 0o2770


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_the_owner_of_files_and_folders_comes_along(tiers: Tiers) -> None:
    file = tiers.film()
    for path in (tiers.array / E1, tiers.array / "Show/Season 1"):
        os.chown(path, 1234, 2345)
        path.chmod(0o6755)

    await tiers.cache_in(file)

    for path in (tiers.cache / E1, tiers.cache / "Show/Season 1"):
        found = path.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1234, 2345, 0o6755)
    assert (tiers.cache / "Show").stat().st_uid == 0


def acl(*, owner: int, for_user: int, group: int) -> bytes:
    """Return a POSIX ACL as the kernel stores it: owner, one user r, group, mask rwx, others nothing."""
    entries = [(1, owner, -1), (2, 4, for_user), (4, group, -1), (16, 7, -1), (32, 0, -1)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)


async def test_an_acl_comes_along_and_one_that_the_original_lacks_does_not(tiers: Tiers) -> None:
    file = tiers.film()
    try:
        os.setxattr(tiers.array / E1, "system.posix_acl_access", acl(owner=6, for_user=1234, group=4))
    except OSError:
        pytest.skip("the temporary folder's file system has no ACLs")
    os.setxattr(tiers.cache, "system.posix_acl_default", acl(owner=7, for_user=4321, group=7))
    original = os.getxattr(tiers.array / E1, "system.posix_acl_access")

    await tiers.cache_in(file)

    assert os.getxattr(tiers.cache / E1, "system.posix_acl_access") == original
    assert (tiers.cache / E1).stat().st_mode == (tiers.array / E1).stat().st_mode
    assert not any("acl" in name for name in os.listxattr(tiers.cache / "Show"))


async def test_attributes_that_cannot_be_kept_are_said_once(tiers: Tiers, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    files = [tiers.film(f"e{n}.mkv") for n in range(3)]
    os.setxattr(tiers.array / "e0.mkv", "user.rating", b"5")
    os.setxattr(tiers.array / "e1.mkv", "user.rating", b"5")
    monkeypatch.setattr(os, "setxattr", refuse)

    with structlog.testing.capture_logs() as logs:
        for file in files:
            await tiers.cache_in(file)

    assert [line["why"] for line in logs if line["event"] == "attributes_lost"] == ["user.rating"]


async def test_folders_that_were_there_keep_their_mode_and_stay(tiers: Tiers) -> None:
    file = tiers.film()
    (tiers.cache / "Show").mkdir(mode=0o711)

    [entry] = await tiers.cache_in(file)
    await tiers.placement.evict(entry)

    assert stat.S_IMODE((tiers.cache / "Show").stat().st_mode) == 0o711
    assert tiers.folders() == {"Show"}


async def test_a_folder_with_other_files_stays(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    (tiers.cache / "Show/Season 1/new download.mkv").write_bytes(b"new")

    await tiers.placement.evict(entry)

    assert tiers.cached() == {"Show/Season 1/new download.mkv": b"new"}


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


async def test_a_foreign_file_at_the_target_is_left_alone(tiers: Tiers) -> None:
    file = tiers.film()
    (tiers.cache / "Show/Season 1").mkdir(parents=True)
    (tiers.cache / E1).write_bytes(b"foreign")

    with pytest.raises(Skipped, match="not placed by ondeckd, and is left alone"):
        await tiers.cache_in(file)

    assert tiers.cached() == {E1: b"foreign"}
    assert ("open", "cache_in") not in tiers.touches


@pytest.mark.parametrize("no_rename", [False, True])
async def test_a_foreign_file_that_appears_at_the_last_moment_is_not_overwritten(
    tiers: Tiers, monkeypatch: pytest.MonkeyPatch, no_rename: bool
) -> None:
    if no_rename:
        monkeypatch.setattr(linux, "rename_new", lambda *_, **__: False)
    file = tiers.film()

    async def appear(_entry: Entry) -> None:
        (tiers.cache / "Show/Season 1").mkdir(parents=True)
        (tiers.cache / E1).write_bytes(b"foreign")

    with pytest.raises(Skipped):
        await tiers.cache_in(file, publishing=appear)

    assert tiers.cached() == {E1: b"foreign"}


async def test_a_file_system_without_exclusive_renames_serves_too(
    tiers: Tiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linux, "rename_new", lambda *_, **__: False)

    [entry] = await tiers.cache_in(tiers.film())

    assert tiers.cached() == {E1: b"film"}
    assert (tiers.cache / E1).stat().st_nlink == 1
    await tiers.placement.evict(entry)
    assert tiers.folders() == set()


async def test_a_copy_that_stands_as_recorded_is_not_made_again_and_the_array_sleeps(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.film("Show/Season 1/e1.en.srt")
    entries = await tiers.cache_in(file)
    inode = (tiers.cache / E1).stat().st_ino
    tiers.touches.clear()

    assert await tiers.cache_in(file, known=known(entries)) == entries

    assert (tiers.cache / E1).stat().st_ino == inode
    assert tiers.touches == []


async def test_a_copy_that_was_lost_is_made_again(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.film("Show/Season 1/e1.en.srt")
    entries = await tiers.cache_in(file)
    (tiers.cache / E1).unlink()

    assert await tiers.cache_in(file, known=known(entries)) == entries

    assert len(tiers.cached()) == 2


async def test_the_ledger_hears_of_a_copy_before_it_has_its_name(tiers: Tiers) -> None:
    file = tiers.film()
    heard: list[tuple[Entry, bool]] = []

    async def publishing(entry: Entry) -> None:
        heard.append((entry, await tiers.placement.stands(entry)))

    [entry] = await tiers.cache_in(file, publishing=publishing)

    assert heard == [(entry, False)]
    assert await tiers.placement.stands(entry)


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


async def test_an_array_without_its_anchor_is_not_read(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor, anchor=".mounted")
    file = tiers.film()

    with pytest.raises(AnchorMissing, match=r"TV: \.mounted is missing below .*; is the array mounted\?"):
        await tiers.cache_in(file)

    (tiers.array / ".mounted").touch()
    [entry] = await tiers.cache_in(file)
    (tiers.array / ".mounted").unlink()
    with pytest.raises(AnchorMissing):
        await tiers.placement.evict(entry)
    assert tiers.cached() == {E1: b"film"}


async def test_an_array_that_vanished_costs_no_copy(tiers: Tiers) -> None:
    file = tiers.film()
    [entry] = await tiers.cache_in(file)
    tiers.array.rename(tiers.array.with_name("unmounted"))

    for mounted in (False, True):
        if mounted:
            tiers.array.mkdir()
        with pytest.raises(AnchorMissing, match="is empty; is the array mounted"):
            await tiers.cache_in(tiers.file("e2.mkv"))
        with pytest.raises(AnchorMissing):
            await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"film"}


async def test_a_file_that_is_not_there_is_missing(tiers: Tiers) -> None:
    tiers.film("other.mkv")

    with pytest.raises(SourceMissing, match="No such file"):
        await tiers.cache_in(tiers.file(E1))

    assert tiers.cached() == {}
    assert tiers.folders() == set()


async def test_a_cache_that_is_not_there_is_unavailable_and_is_not_made(tiers: Tiers) -> None:
    file = tiers.film()
    tiers.cache.rmdir()

    with pytest.raises(TierUnavailable):
        await tiers.cache_in(file)

    assert not tiers.cache.exists()


async def test_an_unmounted_cache_does_not_look_like_an_empty_one(tiers: Tiers) -> None:
    file = tiers.film()
    entries = await tiers.cache_in(file)
    tiers.cache.rename(tiers.cache.with_name("unmounted"))
    tiers.cache.mkdir()

    with pytest.raises(TierUnavailable, match="is it mounted"):
        await tiers.placement.evict(entries[0])
    with pytest.raises(TierUnavailable, match="is it mounted"):
        await tiers.cache_in(file, known=known(entries))
    with pytest.raises(TierUnavailable, match="is it mounted"):
        await tiers.cache_in(file, used=True)
    with pytest.raises(TierUnavailable, match="is it mounted"):
        await tiers.placement.stands(entries[0])

    assert tiers.cached() == {}


async def test_an_array_that_shows_the_cache_proves_nothing(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor)
    [entry] = await tiers.cache_in(tiers.film())
    tiers.array.rename(tiers.array.with_name("disks"))
    tiers.array.symlink_to(tiers.cache)

    with pytest.raises(TierUnavailable, match="must be the slow tier alone"):
        await tiers.placement.evict(entry)
    with pytest.raises(TierUnavailable, match="must be the slow tier alone"):
        await tiers.cache_in(tiers.file("e2.mkv"))

    assert tiers.cached() == {E1: b"film"}


async def test_no_copy_begins_without_room_for_it_and_for_what_must_stay_free(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers = Tiers(tmp_path, executor, keep_free=lambda total: total)

    with pytest.raises(NoSpace, match="bytes more than"):
        await tiers.cache_in(tiers.film())

    assert tiers.cached() == {}
    assert tiers.folders() == set()


async def test_room_that_goes_meanwhile_ends_the_copy_without_a_trace(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    reserve = [0]
    tiers = Tiers(tmp_path, executor, transfer=SLOW, keep_free=lambda _total: reserve[0])

    def taken(_done: int, _total: int) -> None:
        reserve[0] = 1 << 62

    with pytest.raises(NoSpace):
        await tiers.placement.cache_in(tiers.film(content=bytes(250_000)), taken)

    assert tiers.cached() == {}


async def test_a_source_that_changes_under_the_copy_leaves_no_copy(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers = Tiers(tmp_path, executor, transfer=SLOW)
    file = tiers.film(content=bytes(250_000))

    def grow(_done: int, _total: int) -> None:
        with (tiers.array / E1).open("ab") as original:
            original.write(b"more")

    with pytest.raises(SourceChanged):
        await tiers.placement.cache_in(file, grow)

    assert tiers.cached() == {}


def upgrade(tiers: Tiers) -> None:
    new = tiers.array / "new"
    new.write_bytes(b"film")
    os.utime(new, ns=(LONG_AGO, LONG_AGO))
    new.rename(tiers.array / E1)


def delete(tiers: Tiers) -> None:
    (tiers.array / E1).unlink()
    (tiers.array / "other.mkv").touch()


@pytest.mark.parametrize(("change", "error"), [(upgrade, SourceChanged), (delete, SourceMissing)])
async def test_a_source_that_is_replaced_before_the_copy_has_its_name_leaves_no_copy(
    tiers: Tiers, change: Callable[[Tiers], None], error: type[StorageError]
) -> None:
    async def publishing(_entry: Entry) -> None:
        change(tiers)

    with pytest.raises(error):
        await tiers.cache_in(tiers.film(), publishing=publishing)

    assert tiers.cached() == {}
    assert tiers.folders() == set()


async def test_a_cancelled_copy_leaves_nothing(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor, transfer=SLOW)
    begun = asyncio.Event()
    file = tiers.film(content=bytes(250_000))
    copying = asyncio.create_task(tiers.placement.cache_in(file, lambda *_: begun.set()))
    await begun.wait()
    assert list(tiers.cached()) != []

    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying

    assert tiers.cached() == {}
    assert tiers.on_array() == {E1: bytes(250_000)}


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


async def test_the_union_must_show_the_original_before_a_copy_is_made(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers = Tiers(tmp_path, executor, union=f"{tmp_path}/union")
    file = tiers.film()

    with pytest.raises(TierUnavailable, match="No such file"):
        await tiers.cache_in(file)
    (tmp_path / "union/Show/Season 1").mkdir(parents=True)
    (tmp_path / "union" / E1).write_bytes(b"another film")
    with pytest.raises(TierUnavailable, match="the union is not right"):
        await tiers.cache_in(file)

    assert tiers.cached() == {}
    assert ("read", "cache_in") not in tiers.touches


async def test_a_copy_that_the_union_does_not_show_is_taken_back(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor, union=f"{tmp_path}/union")
    file = tiers.film()
    shutil.copytree(tiers.array, tmp_path / "union")

    async def publishing(_entry: Entry) -> None:
        (tmp_path / "union" / E1).unlink()

    with pytest.raises(TierUnavailable):
        await tiers.cache_in(file, publishing=publishing)

    assert tiers.cached() == {}


def missing(tiers: Tiers) -> None:
    (tiers.array / E1).unlink()
    (tiers.array / "other.mkv").touch()


def replaced(tiers: Tiers) -> None:
    tiers.film(content=b"a better film")


def retimed(tiers: Tiers) -> None:
    tiers.film(mtime_ns=LONG_AGO + 1)


def linked(tiers: Tiers) -> None:
    (tiers.array / E1).unlink()
    os.link(tiers.cache / E1, tiers.array / E1)


def a_folder(tiers: Tiers) -> None:
    (tiers.array / E1).unlink()
    (tiers.array / E1).mkdir()


@pytest.mark.parametrize("change", [missing, replaced, retimed, linked, a_folder])
async def test_a_copy_whose_original_is_not_proven_stays(tiers: Tiers, change: Callable[[Tiers], None]) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    change(tiers)

    with pytest.raises(UnsafeEvict, match="stays on the cache"):
        await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"film"}


async def test_an_original_that_leads_out_of_the_array_proves_nothing(tiers: Tiers, tmp_path: Path) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    (tiers.array / E1).rename(tmp_path / "outside.mkv")
    (tiers.array / E1).symlink_to(tmp_path / "outside.mkv")

    with pytest.raises(UnmappedPath):
        await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"film"}


async def test_a_copy_that_somebody_changed_stays(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    (tiers.cache / E1).write_bytes(b"transcoded")

    with pytest.raises(UnsafeEvict, match="it was changed on the cache"):
        await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"transcoded"}


async def test_a_copy_that_has_gone_needs_no_eviction_and_no_array(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    shutil.rmtree(tiers.cache / "Show")
    tiers.touches.clear()

    await tiers.placement.evict(entry)

    assert tiers.touches == []


async def test_a_checksum_is_recorded_and_proves_the_original_at_the_end(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"verify": "checksum"})
    [entry] = await tiers.cache_in(tiers.film())
    assert entry.checksum.startswith("blake2b:")

    tiers.film(content=b"rot!")
    with pytest.raises(UnsafeEvict, match="has other content"):
        await tiers.placement.evict(entry)
    assert tiers.cached() == {E1: b"film"}

    tiers.film()
    await tiers.placement.evict(entry)
    assert tiers.cached() == {}
    await tiers.placement.evict(entry)


async def test_a_disk_that_gives_back_other_bytes_gets_no_name(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"verify": "checksum"})
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda target, data, offset: write(target, bytes(len(data)), offset))

    with pytest.raises(VerifyFailed, match="gave back other bytes"):
        await tiers.cache_in(tiers.film())

    assert tiers.cached() == {}


async def test_an_original_that_is_replaced_while_its_checksum_is_read_proves_nothing(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"verify": "checksum"})
    [entry] = await tiers.cache_in(tiers.film())

    def replaced_by_rot(operation: str, _reason: str) -> None:
        if operation == "read":
            (tiers.array / E1).unlink()
            tiers.film(content=b"rot!")

    tiers.when_touched = replaced_by_rot
    with pytest.raises(UnsafeEvict, match="changed while it was read"):
        await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"film"}


@pytest.mark.parametrize("yields", [True, False])
async def test_a_copy_yields_to_a_stream_if_the_setting_says_so(
    tmp_path: Path, executor: ThreadPoolExecutor, yields: bool
) -> None:
    tiers = Tiers(tmp_path, executor, transfer={"yield_to_playback": yields})
    asked: list[bool] = []

    def busy() -> bool:
        asked.append(True)
        return True

    await tiers.cache_in(tiers.film(), busy=busy)

    assert bool(asked) is yields


async def test_new_settings_hold_for_what_begins_after_them(tiers: Tiers) -> None:
    settings = TransferSettings(sidecars="none")
    tiers.film("Show/Season 1/e1.srt")

    tiers.placement.configure(tiers.mappings, settings, keep_free=lambda _total: 0)

    assert len(await tiers.cache_in(tiers.film())) == 1


async def test_an_entry_of_a_mapping_that_has_gone_is_refused(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())

    with pytest.raises(UnmappedPath):
        await tiers.placement.evict(replace(entry, file=replace(entry.file, mapping="Old")))


async def test_the_sweep_removes_what_a_crash_left_and_nothing_else(tiers: Tiers) -> None:
    await tiers.cache_in(tiers.film())
    stray = "0123456789abcdef0123456789abcdef.part"
    ours = [tiers.cache / ".ondeckd" / stray, tiers.cache / f"Show/.ondeckd-{stray}"]
    theirs = [
        tiers.cache / ".ondeckd/manifest",
        tiers.cache / "Show" / stray,
        tiers.cache / ".ondeckd-notes.txt",
    ]
    for path in [*ours, *theirs]:
        path.write_bytes(b"")
    folder = tiers.cache / f".ondeckd-{stray}"
    folder.mkdir()

    assert sorted(tiers.sweep()) == sorted(str(path) for path in [*ours, folder])

    assert all(path.exists() for path in theirs)
    assert tiers.sweep() == []


async def test_a_cache_that_is_not_there_at_the_start_is_swept_before_the_next_copy(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    left = tiers.cache / ".ondeckd/0123456789abcdef0123456789abcdef.part"
    left.touch()
    started = Tiers(tiers.array.parent, tiers.executor)
    tiers.cache.rename(aside := tiers.cache.with_name("aside"))
    assert started.sweep() == []
    aside.rename(tiers.cache)

    await started.cache_in(started.film(), known=known([entry]))

    assert list(tiers.cached()) == [E1]


async def test_a_cache_that_went_away_under_a_copy_is_swept_before_the_next(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    tiers.sweep()
    aside = tiers.cache.with_name("aside")
    tiers.cache.rename(aside)
    with pytest.raises(TierUnavailable):
        await tiers.cache_in(tiers.film("e2.mkv"))
    (aside / ".ondeckd/0123456789abcdef0123456789abcdef.part").touch()
    aside.rename(tiers.cache)

    await tiers.cache_in(tiers.film(), known=known([entry]))

    assert list(tiers.cached()) == [E1]


async def test_a_sweep_leaves_what_running_copies_and_probes_use(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor, transfer=SLOW)
    swept = []

    def sweep(_done: int, _total: int) -> None:
        swept.append(tiers.sweep())

    await tiers.placement.cache_in(tiers.film(content=bytes(200_000)), sweep)
    with tree.probe_file(str(tiers.cache)) as probe:
        assert tiers.sweep() == []
        assert (tiers.cache / probe).exists()

    assert len(swept) > 1
    assert not any(swept)
    assert tiers.cached() == tiers.on_array()


@pytest.mark.parametrize("changed", ["cache", "array"])
async def test_a_copy_below_roots_that_the_mapping_had_once_is_neither_claimed_nor_forgotten(
    tiers: Tiers, changed: str
) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    new = tiers.array.parent / "new"
    (new / OWN_FOLDER).mkdir(parents=True)
    roots: dict[str, Any] = {changed: str(new)}
    moved = Tiers(tiers.array.parent, tiers.executor, **roots)

    for question in (moved.placement.evict, moved.placement.is_gone, moved.placement.stands):
        with pytest.raises(UnsafeEvict, match=f"^{entry.file.cache_path} stays .* set the mapping back, or remove"):
            await question(entry)

    assert tiers.cached() == tiers.on_array() == {E1: b"film"}
    (tiers.cache / E1).unlink()
    assert await moved.placement.is_gone(entry)


async def test_roots_that_move_together_by_a_folder_keep_their_copies(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    deeper: dict[str, Any] = {"array": f"{tiers.array}/Show", "cache": f"{tiers.cache}/Show", "plex": "/data/tv/Show"}

    await Tiers(tiers.array.parent, tiers.executor, **deeper).placement.evict(entry)

    assert tiers.cached() == {}


async def test_a_copy_that_moved_with_nothing_but_the_array_s_root_is_not_called_gone(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    moved = Tiers(tiers.array.parent, tiers.executor, array=f"{tiers.array}/Show")

    with pytest.raises(UnsafeEvict, match="other roots"):
        await moved.placement.evict(entry)


async def test_a_copy_without_room_leaves_the_array_asleep(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = Tiers(tmp_path, executor, keep_free=lambda total: total - 100)
    file = replace(tiers.film(), size=1 << 60)
    tiers.array.rename(tmp_path / "asleep")

    with pytest.raises(NoSpace, match="bytes more than"):
        await tiers.cache_in(file)

    assert tiers.touches == []
    assert tiers.progress == []


async def test_many_files_of_one_folder_come_and_go_at_once(tiers: Tiers) -> None:
    files = [tiers.film(f"Show/Season 1/e{n}.mkv", os.urandom(1000)) for n in range(20)]

    for _ in range(3):
        found = await asyncio.gather(*(tiers.cache_in(file) for file in files))
        assert tiers.cached() == tiers.on_array()
        await asyncio.gather(*(tiers.placement.evict(entry) for [entry] in found))
        assert tiers.cached() == {}
        assert tiers.folders() == set()


async def test_every_touch_of_the_array_is_counted_with_its_reason(tiers: Tiers) -> None:
    [entry] = await tiers.cache_in(tiers.film())
    await tiers.placement.evict(entry)

    assert {reason for _, reason in tiers.touches} == {"cache_in", "evict"}
    assert {operation for operation, _ in tiers.touches} == {"open", "read", "stat", "list"}
