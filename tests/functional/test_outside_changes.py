"""Sonarr, Plex, the Unraid mover or the user change a file that is cached: the newest content wins, nothing is lost.

Each row of ``docs/outside-changes.md`` is one of these tests, or of those beside this file that begin with the same
word.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemon.errors import UnsafeEvict
from tests.support import outside, placement
from tests.support.outside import (
    BACKED_UP,
    E1,
    E2,
    NEW,
    NEWEST,
    NOT_KEPT,
    OLD,
    REMOVED,
    UNIONS,
    Household,
    move_over,
    moved_by_the_mover,
    stale,
    write_over,
)

executor = placement.executor
everywhere = outside.everywhere
home = outside.home


@everywhere
@pytest.mark.parametrize("change", [write_over, move_over])
async def test_a_new_version_on_the_cache_gets_the_media_path(
    home: Household, change: Callable[[Path, bytes], None]
) -> None:
    await home.cache()
    change(home.copy(), NEW)
    await home.look()
    await home.restart()
    assert home.shown() == NEW

    await home.evict()

    assert (home.shown(), home.original().read_bytes()) == (NEW, NEW)
    assert not home.copy().exists()
    if home.kind in REMOVED:
        # The only file that had the old content was the one that was written over.
        assert home.names() == {home.original()}
    else:
        assert home.backup().read_bytes() == OLD


@everywhere
async def test_a_new_version_on_the_array_gets_the_media_path_and_the_old_one_stays_beside_it(home: Household) -> None:
    await home.cache()
    move_over(home.original(), NEW)
    await home.look()
    await home.restart()
    # A union shows the cache's file as long as there is one.
    assert home.shown() == (NEW if home.links else OLD)

    await home.evict()

    assert home.shown() == NEW
    assert home.backup().read_bytes() == OLD
    assert not home.copy().exists()
    assert await home.entries() == []


@everywhere
async def test_two_new_versions_both_stay_and_it_is_said(home: Household) -> None:
    await home.cache()
    write_over(home.copy(), NEW)
    move_over(home.original(), NEWEST)
    await home.restart()

    with pytest.raises(UnsafeEvict, match="both changed, and nobody can tell which is newer"):
        await home.evict()

    assert (home.copy().read_bytes(), home.original().read_bytes()) == (NEW, NEWEST)
    assert home.kind not in BACKED_UP or home.backup().read_bytes() == OLD
    assert [entry.file.array_path for entry in await home.entries()] == [str(home.original())]


@everywhere
async def test_a_new_version_that_lies_on_both_tiers_leaves_the_cache(home: Household) -> None:
    await home.cache()
    move_over(home.copy(), NEW)
    found = home.copy().stat()
    move_over(home.original(), NEW)
    os.utime(home.original(), ns=(found.st_mtime_ns, found.st_mtime_ns))

    await home.evict()

    assert home.shown() == NEW
    assert not home.copy().exists()
    assert home.kind not in BACKED_UP or home.backup().read_bytes() == OLD


@everywhere
async def test_a_writer_that_was_cut_off_at_the_beginning_takes_nothing_with_it(home: Household) -> None:
    await home.cache()
    home.copy().write_bytes(b"")

    with pytest.raises(UnsafeEvict):
        await home.evict()

    assert home.copy().read_bytes() == b""
    assert home.kind in REMOVED or OLD in {path.read_bytes() for path in home.names()}


@everywhere
async def test_a_copy_that_somebody_deletes_is_replaced_by_its_original(
    home: Household,
) -> None:
    await home.cache()
    home.copy().unlink()
    with capture_logs() as said:
        await home.look()
    told = "recovery_incomplete" if home.kind == "symlink+remove" else "copy_missing"
    assert (told, str(home.original())) in {(line["event"], line["path"]) for line in said}

    assert home.shown() == (None if home.kind in REMOVED else OLD)
    assert home.kind in REMOVED or home.names() == {home.original()}
    # A link that leads nowhere is the last that tells of the file, so its entry stays, and is told of.
    assert len(await home.entries()) == (home.kind == "symlink+remove")


@everywhere
async def test_originals_and_backups_that_somebody_deletes_come_back_from_the_copy(home: Household) -> None:
    await home.cache()
    stale(home.original(E2), b"so that the array is not empty")
    for path in (home.original(), home.backup()):
        path.unlink(missing_ok=True)
    await home.look()
    await home.restart()

    await home.evict()

    assert home.original().read_bytes() == OLD
    assert not home.copy().exists()


@everywhere
@pytest.mark.parametrize("tier", ["cache", "array"])
async def test_what_plex_makes_beside_a_cached_file_stays_where_it_is(home: Household, tier: str) -> None:
    await home.cache()
    root = home.tiers.cache if tier == "cache" else home.tiers.array
    beside = root / "Show/Season 1/e1.en.srt"
    optimized = root / "Show/Season 1/Plex Versions/Optimized for TV/e1.mp4"
    for path in (beside, optimized):
        stale(path, NEW)

    await home.restart()
    await home.evict()
    await home.restart()

    assert home.original().read_bytes() == OLD
    assert not home.copy().exists()
    assert (beside.read_bytes(), optimized.read_bytes()) == (NEW, NEW)


@everywhere
@pytest.mark.parametrize("running", [True, False])
async def test_what_the_mover_has_moved_to_the_array_is_there_once(home: Household, running: bool) -> None:
    await home.cache()
    moved_by_the_mover(home)
    await (home.look() if running else home.restart())

    assert home.shown() == OLD
    assert home.names() == {home.original()}
    assert await home.entries() == []


@pytest.mark.parametrize("home", NOT_KEPT, indirect=True)
async def test_what_the_mover_has_moved_with_a_coarser_time_is_kept_beside_the_backup(home: Household) -> None:
    await home.cache()
    moved_by_the_mover(home, exact=False)
    await home.look()

    assert home.shown() == OLD
    assert home.backup().exists() == (home.kind in BACKED_UP)
    assert await home.entries() == []


@everywhere
async def test_an_old_backup_is_never_brought_back_over_a_newer_file(home: Household) -> None:
    await home.cache()
    home.copy().unlink()
    move_over(home.original(), NEW)
    await home.look()
    await home.restart()

    assert home.shown() == NEW
    assert home.kind not in BACKED_UP or home.backup().read_bytes() == OLD
    assert await home.entries() == []


@pytest.mark.parametrize("home", UNIONS[1:], indirect=True)
async def test_a_new_file_on_the_cache_after_the_old_one_came_back_is_nobodys_copy(home: Household) -> None:
    await home.cache()
    home.copy().unlink()
    await home.look()
    move_over(home.copy(), NEW)
    await home.restart()

    assert home.shown() == NEW
    assert await home.entries() == []
    await home.evict()
    assert home.shown() == NEW


@pytest.mark.parametrize("home", BACKED_UP, indirect=True)
async def test_a_backup_that_somebody_changed_is_left_where_it_is(home: Household) -> None:
    await home.cache()
    write_over(home.backup(), NEW)

    await home.evict()

    assert (home.shown(), home.backup().read_bytes()) == (OLD, NEW)


@pytest.mark.parametrize("home", NOT_KEPT, indirect=True)
@pytest.mark.parametrize("step", ["publish", "hide", "link", "remove", "restore", "drop"])
async def test_what_changed_while_the_daemon_lay_dead_in_a_step_is_not_put_away(home: Household, step: str) -> None:
    entry = await home.cache()
    await home.interrupted(entry, step)
    move_over(home.original(), NEW)
    await home.restart()

    assert home.original().read_bytes() == NEW
    assert await home.under_way() == []
    await home.evict()
    assert home.shown() == NEW
    assert home.backup().read_bytes() == OLD


@everywhere
async def test_a_new_date_makes_a_new_version_and_new_rights_do_not(home: Household) -> None:
    for name in (E1, E2):
        await home.cache(name)
    os.utime(home.copy(E1), ns=(10**18, 10**18))
    home.copy(E2).chmod(0o600)
    before = home.copy(E1).stat().st_mode

    for name in (E1, E2):
        await home.evict(name)

    assert (home.shown(E1), home.shown(E2)) == (OLD, OLD)
    assert home.original(E1).stat().st_mtime_ns == 10**18
    assert home.backup(E1).exists() == (home.kind not in REMOVED)
    # Where there still is an original, it has the rights that it had; else the copy has them.
    assert home.original(E2).stat().st_mode == (stat.S_IFREG | 0o600 if home.kind in REMOVED else before)
