"""What somebody does in the very last moment, between the look and the change that it allowed."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from daemon.custody import Custody, entered
from daemon.errors import OndeckdError, Skipped, SourceChanged, TierUnavailable, UnsafeEvict
from daemon.state.store import Store
from daemon.storage import linux, safeguards
from daemon.storage.paths import temporary_beside
from tests.support import placement
from tests.support.files import Tiers
from tests.support.placement import E1

executor = placement.executor
BACKUP = ".plexcached"
PLACEMENTS = ["union+keep", "union+backup", "union+remove", "symlink+backup", "symlink+remove"]
everywhere = pytest.mark.parametrize("placement", PLACEMENTS)
aside = pytest.mark.parametrize("placement", PLACEMENTS[1:])
linked = pytest.mark.parametrize("placement", PLACEMENTS[3:])


def made(root: Path, executor: ThreadPoolExecutor, placement: str, **settings: Any) -> Tiers:
    serve, original = placement.split("+")
    return Tiers(root, executor, serve=serve, original=original, **settings)


def move_over(path: Path, content: bytes) -> None:
    """Replace a file as Sonarr does: by a new one that is moved over it."""
    new = path.with_name("new file")
    new.write_bytes(content)
    new.rename(path)


def before_asked(
    monkeypatch: pytest.MonkeyPatch, question: str, act: Callable[[], None], *, after: bool = False
) -> None:
    """Do something once, just before (or after) one of the safeguards asks its question."""
    asked = getattr(safeguards, question)
    waiting = [act]

    def ask(*args: Any) -> Any:
        answer = asked(*args) if after else None
        if waiting:
            waiting.pop()()
        return answer if after else asked(*args)

    monkeypatch.setattr(safeguards, question, ask)


@everywhere
async def test_a_copy_that_is_replaced_while_it_is_about_to_go_is_not_deleted(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiers = made(tmp_path, executor, placement)
    [entry] = await tiers.cache_in(tiers.film())
    before_asked(monkeypatch, "demand_proof", lambda: move_over(tiers.cache / E1, b"NEWER"))

    with pytest.raises(OndeckdError):
        await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"NEWER"}
    await tiers.placement.evict(entry)
    assert (tiers.array / E1).read_bytes() == b"NEWER"


@aside
async def test_an_original_that_is_replaced_while_it_is_put_aside_keeps_its_name(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiers = made(tmp_path, executor, placement)
    file = tiers.film()
    before_asked(monkeypatch, "settle_copy", lambda: move_over(tiers.array / E1, b"NEWER"), after=True)

    with pytest.raises(SourceChanged):
        await tiers.cache_in(file)

    assert (tiers.array / E1).read_bytes() == b"NEWER"
    assert not (tiers.array / E1).is_symlink()


@pytest.mark.parametrize("placement", ["union+remove", "symlink+remove"])
async def test_a_backup_is_not_deleted_while_somebody_writes_to_the_copy(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiers = made(tmp_path, executor, placement)
    file = tiers.film(content=b"x" * 400)

    def rewrite() -> None:
        if (tiers.array / (E1 + BACKUP)).exists():
            (tiers.cache / E1).write_bytes(b"par")

    asked = safeguards.demand_unwritten

    def ask(site: Any, name: str) -> None:
        asked(site, name)
        rewrite()

    monkeypatch.setattr(safeguards, "demand_unwritten", ask)
    with pytest.raises(OndeckdError):
        await tiers.cache_in(file)

    assert b"x" * 400 in tiers.on_array().values()


@linked
@pytest.mark.parametrize("exchange", [True, False])
async def test_a_relative_link_that_would_lead_elsewhere_is_not_made(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str, exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(linux, "exchange", lambda *_: False)
    tiers = made(tmp_path, executor, placement, link="relative")
    (tmp_path / "disks/deep").mkdir(parents=True)
    tiers.array.rename(tmp_path / "disks/deep/array")
    tiers.array.symlink_to(tmp_path / "disks/deep/array")
    file = tiers.film()

    with pytest.raises(Skipped, match=r'Set link = "absolute"'):
        await tiers.cache_in(file)

    assert (tiers.on_array(), tiers.cached()) == ({E1: b"film"}, {})


@pytest.mark.parametrize("placement", ["union+backup", "union+remove"])
async def test_an_original_whose_union_does_not_show_the_cache_stays(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str
) -> None:
    tiers = made(tmp_path, executor, placement, union=f"{tmp_path}/union")
    # It shows the array alone, and so a file of the right size and time.
    (tmp_path / "union").symlink_to(tiers.array)

    with pytest.raises(TierUnavailable, match="does not show what lies on"):
        await tiers.cache_in(tiers.film())

    assert (tiers.on_array(), tiers.cached()) == ({E1: b"film"}, {})


@aside
async def test_a_refused_eviction_leaves_the_file_served_as_it_was(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str
) -> None:
    tiers = made(tmp_path, executor, placement)
    (tmp_path / "state").mkdir()
    async with Store(tmp_path / "state") as store:
        custody = Custody(store, tiers.placement)
        found = await custody.cache_in(tiers.film())
        await store.run(lambda connection: entered(connection, found))
        before = _names(tiers.array)

        with (tiers.cache / E1).open("ab"), pytest.raises((UnsafeEvict, SourceChanged)):
            await custody.evict(str(tiers.array / E1))

        await custody.recover()
        assert _names(tiers.array) == before
        await custody.evict(str(tiers.array / E1))
    assert (tiers.on_array(), tiers.cached()) == ({E1: b"film"}, {})


@linked
async def test_a_link_whose_folder_was_renamed_goes_on_leading_to_the_copy(
    tmp_path: Path, executor: ThreadPoolExecutor, placement: str
) -> None:
    tiers = made(tmp_path, executor, placement)
    [entry] = await tiers.cache_in(tiers.film())
    (tiers.array / "Show").rename(tiers.array / "Show (2020)")

    with pytest.raises(UnsafeEvict, match="is gone or renamed"):
        await tiers.placement.evict(entry)

    assert (tiers.array / "Show (2020)/Season 1/e1.mkv").read_bytes() == b"film"


async def test_a_copy_on_its_way_back_is_not_mistaken_for_that_of_another_process(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiers = made(tmp_path, executor, "union+remove")
    [entry] = await tiers.cache_in(tiers.film())
    temporary = (tiers.array / E1).with_name(temporary_beside("e1.mkv", "copy"))

    def replace() -> None:
        temporary.unlink()
        temporary.write_bytes(b"half of it")

    synced = os.fsync

    def fsync(descriptor: int) -> None:
        synced(descriptor)
        if temporary.exists() and temporary.stat().st_ino == os.fstat(descriptor).st_ino:
            replace()

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(SourceChanged):
        await tiers.placement.evict(entry)

    assert tiers.cached() == {E1: b"film"}
    assert not (tiers.array / E1).exists()


def _names(root: Path) -> set[tuple[str, bool]]:
    return {(str(path.relative_to(root)), path.is_symlink()) for path in root.rglob("*") if not path.is_dir()}
