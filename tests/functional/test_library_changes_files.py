"""Custody is told that a file was deleted, replaced or renamed on purpose: real files, all five placements."""

from __future__ import annotations

import pytest

from daemon.errors import SourceChanged, UnsafeEvict
from daemon.model import File, Goal
from tests.support import outside, placement
from tests.support.outside import (
    E1,
    E2,
    NEW,
    OLD,
    PLACEMENTS,
    UNIONS,
    Household,
    delete_in_view,
    move_over,
    rename_in_view,
    stale,
)

executor = placement.executor
everywhere = outside.everywhere
home = outside.home

OTHER_SEASON = "Show/Season 2/e1 - Pilot.mkv"
KEPT = "Show/Season 1/kept.mkv"


def replacement(home: Household, name: str, content: bytes = NEW) -> File:
    """Return what Sonarr says of a new file."""
    return home.tiers.mappings.resolve(f"/data/tv/{name}", len(content))


async def deleted(home: Household, name: str = E1, **how: object) -> list[str]:
    """Tell custody of a deletion; return why anything stayed."""
    _, kept = await home.custody.delete(str(home.original(name)), **how)  # type: ignore[arg-type]  # as given
    return [settled.why for settled in kept]


async def everything_settles(home: Household) -> None:
    """See that neither a refresh nor a restart changes anything of it, and that no row is left."""
    assert await home.under_way() == []
    await home.look()
    await home.restart()
    assert await home.under_way() == []


@everywhere
async def test_a_file_deleted_on_purpose_never_comes_back(home: Household) -> None:
    await home.cache()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)

    assert await deleted(home) == []
    assert await home.entries() == []
    await everything_settles(home)
    assert home.names() == {home.original(KEPT)}
    assert not home.copy().exists()


@everywhere
async def test_its_sidecars_go_with_it(home: Household) -> None:
    stale(home.original("Show/Season 1/e1.en.srt"), b"a subtitle")
    stale(home.original(KEPT), b"so that the array is not empty")
    await home.cache()
    delete_in_view(home)
    delete_in_view(home, "Show/Season 1/e1.en.srt")

    assert await deleted(home) == []
    assert await home.entries() == []
    await everything_settles(home)
    assert home.names() == {home.original(KEPT)}
    assert home.tiers.cached() == {}


@everywhere
async def test_nothing_goes_as_long_as_the_media_path_shows_the_file(home: Household) -> None:
    await home.cache()
    before = outside.snapshot(home.tiers.array, home.tiers.cache)

    [why] = await deleted(home)
    assert "still" in why
    assert outside.snapshot(home.tiers.array, home.tiers.cache) == before
    assert len(await home.entries()) == 1
    assert home.shown() == OLD


@everywhere
async def test_a_file_that_came_after_the_deletion_stays(home: Household) -> None:
    await home.cache()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)
    move_over(home.original(), NEW)

    await deleted(home)
    await everything_settles(home)
    assert home.original().read_bytes() == NEW


@pytest.mark.parametrize("home", PLACEMENTS[3:], indirect=True)
async def test_a_link_that_was_only_renamed_keeps_what_it_leads_to(home: Household) -> None:
    await home.cache()
    rename_in_view(home, E1, E2)

    (why,) = await deleted(home)
    assert " its link stands at " in why
    assert home.shown(E2) == OLD
    assert len(await home.entries()) == 1


@pytest.mark.parametrize("home", PLACEMENTS[3:], indirect=True)
async def test_a_folder_that_was_deleted_takes_its_copies_along_and_one_that_was_renamed_does_not(
    home: Household,
) -> None:
    await home.cache()
    stale(home.original("Other/kept.mkv"), b"so that the array is not empty")
    folder = home.original().parent
    folder.rename(folder.with_name("Season One"))
    [why] = await deleted(home)
    assert "renamed" in why
    assert folder.with_name("Season One").joinpath("e1.mkv").read_bytes() == OLD

    folder.with_name("Season One").rename(folder)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert await deleted(home) == []
    assert await home.entries() == []
    assert not home.copy().exists()


@pytest.mark.parametrize("home", ["union+keep"], indirect=True)
async def test_a_kept_original_deleted_on_the_array_alone_takes_its_copy_along(home: Household) -> None:
    await home.cache()
    stale(home.original(KEPT), b"so that the array is not empty")
    home.original().unlink()

    assert await deleted(home) == []
    assert not home.copy().exists()
    assert await home.entries() == []


@pytest.mark.parametrize("home", PLACEMENTS[3:], indirect=True)
async def test_what_lies_in_a_recycle_bin_as_our_link_is_set_aside_or_stays(home: Household) -> None:
    await home.cache()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)

    whys = await deleted(home, aside=True)
    if home.kind == "symlink+backup":
        assert whys == []
        assert (home.copy().exists(), home.backup().read_bytes()) == (False, OLD)
        assert await home.entries() == []
    else:
        assert whys == ["nobody has its content but the copy"]
        assert home.copy().read_bytes() == OLD
        assert len(await home.entries()) == 1
    await everything_settles(home)
    assert home.shown() is None


@everywhere
async def test_an_upgrade_under_another_name_leaves_only_the_new_file(home: Household) -> None:
    await home.cache()
    delete_in_view(home)
    stale(home.original(KEPT), b"so that the array is not empty")
    with pytest.raises(SourceChanged):
        await deleted(home, replaced_by=[replacement(home, E2)])
    move_over(home.original(E2), NEW[:-1])
    with pytest.raises(SourceChanged):  # it is still being copied
        await deleted(home, replaced_by=[replacement(home, E2)])

    move_over(home.original(E2), NEW)
    assert await deleted(home, replaced_by=[replacement(home, E2)]) == []
    assert await home.entries() == []
    await everything_settles(home)
    assert home.names() == {home.original(E2), home.original(KEPT)}
    assert home.tiers.cached() == {}


@everywhere
async def test_an_upgrade_under_the_same_name_leaves_only_the_new_file(home: Household) -> None:
    await home.cache()
    delete_in_view(home)
    move_over(home.original(), NEW)

    assert await deleted(home, replaced_by=[replacement(home, E1)]) == []
    assert await home.entries() == []
    await everything_settles(home)
    assert (home.shown(), home.names()) == (NEW, {home.original()})
    await home.cache()
    assert home.shown() == NEW


@pytest.mark.parametrize("home", UNIONS, indirect=True)
async def test_a_new_version_that_the_union_put_on_the_cache_is_left_alone(home: Household) -> None:
    await home.cache()
    delete_in_view(home)
    stale(home.original(KEPT), b"so that the array is not empty")
    move_over(home.copy(), NEW)

    assert await deleted(home, replaced_by=[replacement(home, E1)]) == []
    assert await home.entries() == []
    await everything_settles(home)
    assert home.names() == {home.original(KEPT)}
    assert (home.shown(), home.copy().read_bytes()) == (NEW, NEW)


@pytest.mark.parametrize("home", UNIONS, indirect=True)
async def test_an_old_copy_does_not_hide_the_new_version_of_the_array(home: Household) -> None:
    await home.cache()
    move_over(home.original(), NEW)

    assert await deleted(home, replaced_by=[replacement(home, E1)]) == []
    await everything_settles(home)
    assert (home.shown(), home.names()) == (NEW, {home.original()})
    assert home.tiers.cached() == {}


@everywhere
async def test_an_upgrade_that_replaced_nothing_changes_nothing(home: Household) -> None:
    await home.cache()
    before = outside.snapshot(home.tiers.array, home.tiers.cache)
    with pytest.raises(SourceChanged):
        await deleted(home, replaced_by=[replacement(home, E1)])
    assert outside.snapshot(home.tiers.array, home.tiers.cache) == before
    assert home.shown() == OLD


def renamed(home: Household, new: str) -> None:
    """Rename the file and its subtitle as Sonarr does, folders included."""
    for name, target in ((E1, new), (E1.replace(".mkv", ".en.srt"), new.replace(".mkv", ".en.srt"))):
        if home.links:
            home.original(target).parent.mkdir(parents=True, exist_ok=True)
            home.original(name).rename(home.original(target))
            continue
        for find in (home.copy, home.original):
            if find(name).exists():
                find(target).parent.mkdir(parents=True, exist_ok=True)
                find(name).rename(find(target))


@everywhere
@pytest.mark.parametrize("new", [E2, OTHER_SEASON])
async def test_a_renamed_file_is_followed_with_its_sidecars(home: Household, new: str) -> None:
    stale(home.original("Show/Season 1/e1.en.srt"), b"a subtitle")
    await home.cache()
    copied = home.copy().stat().st_ino
    renamed(home, new)

    await home.custody.follow(home.tiers.file(E1), home.tiers.file(new))
    subtitle = new.replace(".mkv", ".en.srt")
    entries = {entry.file.array_path: entry for entry in await home.entries()}
    assert entries.keys() == {str(home.original(new)), str(home.original(subtitle))}
    assert entries[str(home.original(subtitle))].parent == str(home.original(new))
    assert (home.shown(new), home.shown(subtitle), home.shown()) == (OLD, b"a subtitle", None)
    assert home.copy(new).stat().st_ino == copied
    await everything_settles(home)
    assert len(await home.entries()) == 2
    assert set(home.tiers.cached()) == {new, subtitle}
    if home.kind.endswith("+backup"):
        assert home.backup(new).read_bytes() == OLD
        assert not home.backup().exists()

    await home.evict(new)
    assert (home.shown(new), home.shown(subtitle), home.tiers.cached()) == (OLD, b"a subtitle", {})
    assert {path for path in home.tiers.array.rglob("*") if path.is_file()} == {
        home.original(new),
        home.original(subtitle),
    }


@pytest.mark.parametrize("home", ["union+keep"], indirect=True)
async def test_a_copy_follows_an_original_renamed_on_the_array_alone(home: Household) -> None:
    await home.cache()
    home.original().rename(home.original(E2))

    await home.custody.follow(home.tiers.file(E1), home.tiers.file(E2))
    assert set(home.tiers.cached()) == {E2}
    await everything_settles(home)
    assert [entry.file.array_path for entry in await home.entries()] == [str(home.original(E2))]


@everywhere
async def test_what_was_not_renamed_is_not_followed(home: Household) -> None:
    await home.cache()
    before = outside.snapshot(home.tiers.array, home.tiers.cache)
    home.original(E2).parent.mkdir(parents=True, exist_ok=True)
    with pytest.raises(UnsafeEvict):
        await home.custody.follow(home.tiers.file(E1), home.tiers.file(E2))
    assert outside.snapshot(home.tiers.array, home.tiers.cache) == before
    assert await home.under_way() == []
    await everything_settles(home)
    assert (home.shown(), len(await home.entries())) == (OLD, 1)


@everywhere
async def test_somebody_elses_file_under_the_new_name_is_not_taken_for_ours(home: Household) -> None:
    await home.cache()
    delete_in_view(home)
    move_over(home.original(E2), NEW)
    with pytest.raises(UnsafeEvict):
        await home.custody.follow(home.tiers.file(E1), home.tiers.file(E2))
    assert home.original(E2).read_bytes() == NEW


@everywhere
async def test_a_deletion_that_was_interrupted_is_finished_at_the_next_start(home: Household) -> None:
    entry = await home.cache()
    stale(home.original(KEPT), b"so that the array is not empty")
    delete_in_view(home)
    await home.interrupted(entry, "delete copy", Goal.DELETED)

    await home.restart()
    assert await home.under_way() == []
    # What is never asked for again: a union's backup was brought back before the journal was read, or is gone with it.
    assert await home.entries() == []
    assert home.names() == {home.original(KEPT)}
    assert home.tiers.cached() == {}


@everywhere
async def test_a_file_that_is_back_when_its_deletion_goes_on_is_kept(home: Household) -> None:
    entry = await home.cache()
    await home.interrupted(entry, "delete copy", Goal.DELETED)
    await home.restart()
    assert await home.under_way() == []
    assert (home.shown(), len(await home.entries())) == (OLD, 1)
