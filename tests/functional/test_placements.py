"""The five placements, each there and back."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import structlog

from daemon.errors import Skipped, SourceChanged, TierUnavailable, UnsafeEvict
from daemon.model import Entry, Goal, Intent
from daemon.storage import linux
from tests.support import placement
from tests.support.files import LONG_AGO, Tiers
from tests.support.placement import E1

executor = placement.executor

SRT = "Show/Season 1/e1.en.srt"
BACKUP = ".plexcached"
FILM = os.urandom(300_000)
PLACEMENTS = ["union+keep", "union+backup", "union+remove", "symlink+backup", "symlink+remove"]
LINKED = PLACEMENTS[3:]


def made(root: Path, executor: ThreadPoolExecutor, placement: str, **settings: Any) -> Tiers:
    serve, original = placement.split("+")
    return Tiers(root, executor, serve=serve, original=original, **settings)


def names(root: Path) -> dict[str, str]:
    """Return what stands below a folder: for a link where it leads, for a file its size; our own folder left out."""
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else str(path.stat().st_size)
        for path in root.rglob("*")
        if not path.is_dir() and ".ondeckd" not in path.parts
    }


def settled(tiers: Tiers, placement: str, name: str, size: int) -> dict[str, str]:
    """Return what has to stand on the array while a file is cached."""
    copy = str(tiers.cache / name)
    return {
        "union+keep": {name: str(size)},
        "union+backup": {name + BACKUP: str(size)},
        "union+remove": {},
        "symlink+backup": {name: copy, name + BACKUP: str(size)},
        "symlink+remove": {name: copy},
    }[placement]


async def evict(tiers: Tiers, entries: list[Entry]) -> None:
    for entry in entries:
        await tiers.placement.evict(entry)


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "no exchange"])
@pytest.mark.parametrize("noreplace", [True, False], ids=["noreplace", "no noreplace"])
@pytest.mark.parametrize("placement", PLACEMENTS)
async def test_a_video_and_its_subtitle_go_there_and_back(
    tmp_path: Path,
    executor: ThreadPoolExecutor,
    placement: str,
    exchange: bool,
    noreplace: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not exchange:
        monkeypatch.setattr(linux, "exchange", lambda *_: False)
    if not noreplace:
        monkeypatch.setattr(linux, "rename_new", lambda *_, **__: False)
    tiers = made(tmp_path, executor, placement)
    tiers.film(SRT, b"subtitle")
    file = tiers.film(content=FILM)
    (tiers.array / E1).chmod(0o640)
    before = names(tiers.array)

    entries = await tiers.cache_in(file)

    assert {entry.placement for entry in entries} == {placement}
    assert names(tiers.array) == settled(tiers, placement, E1, len(FILM)) | settled(tiers, placement, SRT, 8)
    assert tiers.cached() == {E1: FILM, SRT: b"subtitle"}
    await evict(tiers, entries)
    assert (names(tiers.array), tiers.cached()) == (before, {})
    assert (tiers.array / E1).read_bytes() == FILM
    found = (tiers.array / E1).stat()
    assert (found.st_mtime_ns, found.st_mode & 0o7777) == (LONG_AGO, 0o640)


async def test_the_same_file_can_come_again_and_again(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    for each in PLACEMENTS:
        (tmp_path / each).mkdir()
        tiers = made(tmp_path / each, executor, each)
        file = tiers.film(content=FILM)
        for _ in range(3):
            await evict(tiers, await tiers.cache_in(file))
        assert (tiers.on_array(), tiers.cached()) == ({E1: FILM}, {})


async def test_parts_and_versions_of_an_item_do_not_disturb_each_other(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    parts = ["Heat (1995) [1080p].mkv", "Heat (1995) [2160p].mkv", "Heat (1995) - cd1.mkv", "Heat (1995) - cd2.mkv"]
    for each in PLACEMENTS:
        (tmp_path / each).mkdir()
        tiers = made(tmp_path / each, executor, each)
        files = [tiers.film(f"Heat/{name}", os.urandom(1000)) for name in parts]
        before = tiers.on_array()

        entries = [entry for file in files for entry in await tiers.cache_in(file)]

        assert tiers.cached() == before
        await evict(tiers, entries[::-1])
        assert (tiers.on_array(), tiers.cached()) == (before, {})


@pytest.mark.parametrize(
    ("settings", "leads_to"),
    [
        ({}, "{cache}/Show/Season 1/e1.mkv"),
        ({"link": "relative"}, "../../../cache/Show/Season 1/e1.mkv"),
        ({"link_target": "/fast/tv"}, "/fast/tv/Show/Season 1/e1.mkv"),
        ({"link_target": "/fast/tv", "link": "relative"}, "../../../../fast/tv/Show/Season 1/e1.mkv"),
    ],
)
async def test_a_link_says_where_the_copy_is_as_plex_sees_it(
    tmp_path: Path, executor: ThreadPoolExecutor, settings: dict[str, str], leads_to: str
) -> None:
    tiers = made(tmp_path, executor, "symlink+backup", **settings)

    [entry] = await tiers.cache_in(tiers.film(content=FILM))

    assert os.readlink(tiers.array / E1) == leads_to.format(cache=tiers.cache)  # noqa: PTH115 - the bare text
    await tiers.placement.evict(entry)
    assert (tiers.on_array(), tiers.cached()) == ({E1: FILM}, {})


@pytest.mark.parametrize("placement", LINKED)
async def test_a_link_whose_text_was_changed_by_the_settings_meanwhile_is_still_ours(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str
) -> None:
    [entry] = await made(tmp_path, executor, placement, link_target="/old").cache_in(
        made(tmp_path, executor, placement).film(content=FILM)
    )

    tiers = made(tmp_path, executor, placement, link="relative")
    await tiers.placement.evict(entry)

    assert (tiers.on_array(), tiers.cached()) == ({E1: FILM}, {})


@pytest.mark.parametrize("placement", LINKED)
async def test_a_link_that_somebody_renamed_is_followed(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str
) -> None:
    tiers = made(tmp_path, executor, placement)
    [entry] = await tiers.cache_in(tiers.film(content=FILM))
    renamed = "Show/Season 1/e1 - The Title.mkv"
    (tiers.array / E1).rename(tiers.array / renamed)

    await tiers.placement.evict(entry)

    assert (tiers.on_array(), tiers.cached()) == ({renamed: FILM}, {})


def a_second_name(tiers: Tiers) -> None:
    (tiers.array / "seeding.mkv").hardlink_to(tiers.array / E1)


def a_backup(tiers: Tiers) -> None:
    (tiers.array / f"{E1}{BACKUP}").write_bytes(b"somebody else's")


def a_link(tiers: Tiers) -> None:
    (tiers.array / E1).rename(tiers.array / "elsewhere.mkv")
    (tiers.array / E1).symlink_to(tiers.array / "elsewhere.mkv")


@pytest.mark.parametrize("bind", [a_second_name, a_backup, a_link])
@pytest.mark.parametrize("placement", PLACEMENTS[1:])
async def test_an_original_that_cannot_be_put_aside_stays(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str, bind: Callable[[Tiers], None]
) -> None:
    tiers = made(tmp_path, executor, placement, transfer={"hardlinks": "copy"})
    file = tiers.film(content=FILM)
    bind(tiers)
    before = names(tiers.array)

    if placement in LINKED:
        with pytest.raises(Skipped, match="cannot be replaced by a link"):
            await tiers.cache_in(file)
        assert tiers.cached() == {}
    else:
        with structlog.testing.capture_logs() as logs:
            [entry] = await tiers.cache_in(file)
        assert entry.placement == "union+keep"
        assert [line["event"] for line in logs] == ["original_kept"]
        await tiers.placement.evict(entry)

    assert names(tiers.array) == before


async def test_a_name_that_is_too_long_with_the_suffix_stays(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    for each, length in (("union+backup", 255), ("union+remove", 245)):
        tiers = made(tmp_path, executor, each)
        name = "x" * (length - 4) + ".mkv"

        [entry] = await tiers.cache_in(tiers.film(name, FILM))

        assert (entry.placement, names(tiers.array)) == ("union+keep", {name: str(len(FILM))})
        await tiers.placement.evict(entry)
        (tiers.array / name).unlink()


@pytest.mark.parametrize("placement", PLACEMENTS[1:])
async def test_an_original_that_somebody_writes_to_is_not_put_aside(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str
) -> None:
    tiers = made(tmp_path, executor, placement)
    file = tiers.film(content=FILM)

    with (tiers.array / E1).open("ab"), pytest.raises(SourceChanged, match="is being written"):
        await tiers.cache_in(file)

    assert (tiers.on_array(), tiers.cached()) == ({E1: FILM}, {})
    assert len(await tiers.cache_in(file)) == 1


@pytest.mark.parametrize("placement", ["union+backup", "union+remove"])
async def test_an_original_is_put_aside_only_when_the_union_shows_the_copy(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str
) -> None:
    tiers = made(tmp_path, executor, placement, union=f"{tmp_path}/union")
    file = tiers.film(content=FILM)
    shown = tmp_path / "union" / E1
    shown.parent.mkdir(parents=True)
    shown.write_bytes(FILM)
    os.utime(shown, ns=(LONG_AGO, LONG_AGO))

    async def disappear(_entry: Entry) -> None:
        shown.unlink()

    with pytest.raises(TierUnavailable):
        await tiers.cache_in(file, publishing=disappear)

    assert (tiers.on_array(), tiers.cached()) == ({E1: FILM}, {})


@pytest.mark.parametrize("placement", ["union+remove", "symlink+remove"])
async def test_what_comes_back_is_proven_by_its_checksum(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str
) -> None:
    tiers = made(tmp_path, executor, placement, transfer={"verify": "checksum"})
    [entry] = await tiers.cache_in(tiers.film(content=FILM))
    rotten = bytes([FILM[0] ^ 1]) + FILM[1:]
    (tiers.cache / E1).write_bytes(rotten)
    os.utime(tiers.cache / E1, ns=(LONG_AGO, LONG_AGO))

    with pytest.raises(UnsafeEvict, match="has rotted"):
        await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: rotten}
    (tiers.cache / E1).write_bytes(FILM)
    os.utime(tiers.cache / E1, ns=(LONG_AGO, LONG_AGO))
    await tiers.placement.evict(entry)
    assert (tiers.on_array(), tiers.cached()) == ({E1: FILM}, {})


async def test_each_step_is_written_down_before_it_is_done(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    tiers = made(tmp_path, executor, "symlink+remove")
    file = tiers.film(content=FILM)
    seen: list[tuple[str, str, dict[str, str]]] = []

    async def note(intent: Intent) -> None:
        seen.append((intent.goal, intent.step, names(tiers.array)))

    [entry] = await tiers.placement.cache_in(file, lambda *_: None, note=note)
    await tiers.placement.evict(entry, note=note)

    original, link, put_aside = {E1: str(len(FILM))}, {E1: str(tiers.cache / E1)}, {E1 + BACKUP: str(len(FILM))}
    assert seen == [
        (Goal.CACHED, "publish", original),
        (Goal.CACHED, "link", original),
        (Goal.CACHED, "remove", link | put_aside),
        (Goal.UNCACHED, "copy back", link),
        (Goal.UNCACHED, "drop", original),
    ]


@pytest.mark.parametrize("placement", PLACEMENTS[1:])
async def test_an_array_that_cannot_be_changed_keeps_everything(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiers = made(tmp_path, executor, placement)
    file = tiers.film(content=FILM)

    def refuse(*_: object, **__: object) -> bool:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(linux, "exchange", refuse)
        patch.setattr(os, "symlink", refuse)
        patch.setattr(linux, "rename_new", _only_on(tiers.cache, linux.rename_new, refuse))
        with pytest.raises(TierUnavailable):
            await tiers.cache_in(file)

    assert (tiers.on_array(), tiers.cached()) == ({E1: FILM}, {})


def _only_on(root: Path, real: Callable[..., bool], otherwise: Callable[..., bool]) -> Callable[..., bool]:
    def called(old: str, new: str, *, old_folder: int, new_folder: int) -> bool:
        below = Path(f"/proc/self/fd/{new_folder}").readlink().is_relative_to(root)
        return (real if below else otherwise)(old, new, old_folder=old_folder, new_folder=new_folder)

    return called
