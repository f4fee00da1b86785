"""A running daemon, and a library that changes under it: what Plex says of it is followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.clock import Clock
from daemon.demo.files import local_path
from daemon.errors import PlexError
from daemon.model import TaskState
from daemon.plex.changes import LibraryChanged
from daemon.state import demands
from tests.support import arr
from tests.support.daemon import House, at_home, daemon_running, new_app
from tests.support.plex import small_library, without_media

ANN = "Ann"
_FAST = 30.0
"""Seconds of the daemon's clock in one of the test's."""


def versions(house: House, key: str) -> tuple[str, int]:
    """Return path (as Plex sees it) and size of an item's file."""
    [part] = house.library[key].parts
    return part.file, part.size


async def listed(house: House, key: str) -> list[str]:
    """Return the files that the daemon knows of an item."""
    known = await house.app.core.store.run(lambda connection: demands.item(connection, key))
    return [file.plex_path for file in known.files] if known else []


async def replaced(house: House, key: str, name: str, size: int) -> str:
    """Replace an item's file by another as Sonarr does; return its path. Plex has not noticed yet."""
    old, _ = versions(house, key)
    for path in (*house.array(key), *house.cache(key)):
        path.unlink(missing_ok=True)
    new = str(Path(old).with_name(name))
    path = local_path(house.library, house.folder / "array", new)
    path.write_bytes(b"n" * size)
    return new


def copy_of(house: House, plex_path: str) -> Path:
    return local_path(house.library, house.folder / "cache", plex_path)


async def watching(house: House, key: str) -> None:
    """Have Ann play an episode until what follows is cached."""
    await house.plex.engine.play(ANN, key)
    await house.until(lambda: house.is_cached(key))
    await house.quiet()


async def test_an_upgrade_replaces_the_cached_copy_of_whoever_wants_it(tmp_path: Path) -> None:
    library = small_library()
    first, second, *_ = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, clock=Clock(_FAST)) as house:
        await watching(house, first)
        old, _ = versions(house, second)
        assert house.is_cached(second)
        new = await replaced(house, second, "better.mkv", 70_000)
        await house.plex.librarian.upgrade(second, (new, 70_000))

        await house.until(lambda: copy_of(house, new).exists())
        await house.quiet()
        assert await listed(house, second) == [new]
        assert not copy_of(house, old).exists()

        async def followed() -> bool:
            paths = {entry.file.plex_path for entry in await house.entries()}
            return new in paths and old not in paths

        await house.until(followed)


async def test_another_content_under_the_same_name_is_cached_anew(tmp_path: Path) -> None:
    library = small_library()
    first, second, *_ = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, clock=Clock(_FAST)) as house:
        await watching(house, first)
        old, _ = versions(house, second)
        [original] = house.array(second)
        original.unlink()
        original.write_bytes(b"n" * 70_000)
        await house.plex.librarian.upgrade(second, (old, 70_000))

        await house.until(lambda: copy_of(house, old).exists() and copy_of(house, old).stat().st_size == 70_000)
        await house.quiet()
        [entry] = [entry for entry in await house.entries() if entry.file.plex_path == old]
        assert entry.file.size == 70_000


async def test_an_item_that_plex_has_no_longer_is_wanted_by_nobody(tmp_path: Path) -> None:
    library = small_library()
    first, second, *_ = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, clock=Clock(_FAST), retention={"min_stay": "0s"}) as house:
        await watching(house, first)
        copy = house.cache(second)[0]
        await house.plex.librarian.delete(second)
        await house.until(lambda: not copy.exists())
        assert await listed(house, second) == []
        assert house.is_cached(first)


async def test_a_deletion_that_plex_does_not_confirm_changes_nothing(tmp_path: Path) -> None:
    library = small_library()
    first, second, *_ = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, retention={"min_stay": "0s"}) as house:
        await watching(house, first)
        before = await listed(house, second)
        await house.app.core.following.library.apply(LibraryChanged(deleted={second: library.shows[0]}))
        await house.quiet()
        assert await listed(house, second) == before
        assert house.is_cached(first, second)


async def test_a_server_that_finds_nothing_while_it_is_not_well_makes_nobody_forget_anything(tmp_path: Path) -> None:
    library = small_library()
    first, second, *_ = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, retention={"min_stay": "0s"}) as house:
        await watching(house, first)
        before = await listed(house, second)
        house.plex.faults.http(f"^/library/metadata/{second}$", status=404)
        house.plex.faults.http("^/library/sections$", status=503)
        with pytest.raises(PlexError):
            await house.app.core.following.library.apply(LibraryChanged(deleted={second: library.shows[0]}))
        await house.quiet()
        assert await listed(house, second) == before
        assert house.is_cached(first, second)


async def test_an_item_that_lists_no_file_for_a_moment_keeps_the_one_that_was_known(tmp_path: Path) -> None:
    library = small_library()
    first, second, *_ = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, retention={"min_stay": "0s"}) as house:
        await watching(house, first)
        before = await listed(house, second)
        house.plex.faults.http("^/library/metadata", mangle=lambda answer: without_media(answer, second))
        await house.app.core.following.library.apply(LibraryChanged({second: ""}))
        await house.quiet()
        assert await listed(house, second) == before != []
        assert house.is_cached(second)


async def test_a_new_episode_is_cached_for_who_is_at_the_last_one(tmp_path: Path) -> None:
    library = small_library()
    last = library.episodes(library.shows[0])[-1]
    async with at_home(tmp_path, library, clock=Clock(_FAST)) as house:
        await watching(house, last)
        node = library[last]
        plex_path = str(Path(versions(house, last)[0]).with_name("new episode.mkv"))
        path = local_path(library, house.folder / "array", plex_path)
        path.write_bytes(b"n" * 50_000)
        await house.plex.librarian.add_episode(node.parent, node.index + 1, "New", (plex_path, 50_000))

        await house.until(lambda: copy_of(house, plex_path).exists())


async def test_a_new_episode_of_a_show_on_deck_is_cached_though_nobody_plays(tmp_path: Path) -> None:
    library = small_library()
    show = library.shows[0]
    second_last, last = library.episodes(show)[-2:]
    nothing_next = {"next_episodes": 0, "min_play": "0"}
    async with at_home(
        tmp_path, library, clock=Clock(_FAST), on_deck={"enabled": True}, playback=nothing_next
    ) as house:
        engine = house.plex.engine
        session = await engine.play(house.plex.people.owner, second_last)
        await engine.seek(session, library[second_last].seconds * 0.99)
        await engine.stop(session)
        await house.until(lambda: house.is_cached(last))
        plex_path = str(Path(versions(house, last)[0]).with_name("new episode.mkv"))
        path = local_path(library, house.folder / "array", plex_path)
        path.write_bytes(b"n" * 50_000)
        node = library[last]
        await house.plex.librarian.add_episode(node.parent, node.index + 1, "New", (plex_path, 50_000))

        await house.until(lambda: copy_of(house, plex_path).exists())


async def test_a_refresh_of_metadata_asks_plex_and_changes_nothing(tmp_path: Path) -> None:
    library = small_library()
    first, second, *_ = library.episodes(library.shows[0])
    async with at_home(tmp_path, library) as house:
        await watching(house, first)
        before = await house.tasks(*TaskState)
        await house.app.core.following.library.apply(
            LibraryChanged(dict.fromkeys(library.episodes(library.shows[1]), "x"))
        )
        await house.app.core.following.library.apply(LibraryChanged({first: "", second: ""}))
        assert await house.tasks(*TaskState) == before


async def test_after_a_lost_connection_what_was_missed_is_found(tmp_path: Path) -> None:
    library = small_library()
    first, second, *_ = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, clock=Clock(_FAST)) as house:
        await watching(house, first)
        new = await replaced(house, second, "better.mkv", 70_000)
        library.set_versions(second, (library.new_version((new, 70_000)),), at=1)
        await house.plex.sockets.drop()
        await house.until(lambda: copy_of(house, new).exists())
        assert await listed(house, second) == [new]


@pytest.mark.parametrize(
    ("serve", "original"),
    [("union", "keep"), ("union", "backup"), ("union", "remove"), ("symlink", "backup"), ("symlink", "remove")],
)
async def test_sonarrs_upgrade_is_cached_before_plex_has_scanned_it(tmp_path: Path, serve: str, original: str) -> None:
    library = small_library()
    first, second, *_ = library.episodes(library.shows[0])
    async with at_home(tmp_path, library, clock=Clock(_FAST), start=False) as house:
        for mapping in house.settings["mapping"]:
            mapping |= {"serve": serve, "original": original}
        await _upgrade(house, first, second)


async def _upgrade(house: House, first: str, second: str) -> None:
    new_app(house)
    async with daemon_running(house):
        await house.plex.frames.wait_for_listeners()
        await watching(house, first)
        old, size = versions(house, second)
        new = await replaced(house, second, "better.mkv", 70_000)
        assert await _says(house, arr.imported(new, 70_000, arr.file(old, size)))
        await house.until(lambda: copy_of(house, new).exists())
        await house.quiet()
        assert await listed(house, second) == [new]
        left = [path.name for path in house.array(second)[0].parent.iterdir() if "plexcached" in path.name]
        assert f"{Path(old).name}.plexcached" not in left
        assert not copy_of(house, old).exists()
        await house.plex.librarian.upgrade(second, (new, 70_000))


async def _says(house: House, payload: dict[str, object]) -> bool:
    return await house.app.core.following.arr.announce("sonarr", payload)


async def test_a_deleted_copy_whose_original_was_put_aside_is_left_to_who_deleted_it(tmp_path: Path) -> None:
    library = small_library()
    first, second, *_ = library.episodes(library.shows[0])
    keep = {"min_stay": "0s"}
    async with at_home(tmp_path, library, clock=Clock(_FAST), start=False, retention=keep) as house:
        for mapping in house.settings["mapping"]:
            mapping |= {"original": "backup"}
        new_app(house)
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            await watching(house, first)
            old, size = versions(house, second)
            new = await replaced(house, second, "better.mkv", 70_000)
            # Plex is first, Sonarr speaks a while after it.
            await house.plex.librarian.upgrade(second, (new, 70_000))
            await house.until(lambda: copy_of(house, new).exists())
            assert await _says(house, arr.imported(new, 70_000, arr.file(old, size)))

            async def gone() -> bool:
                return old not in {entry.file.plex_path for entry in await house.entries()}

            await house.until(gone)
            assert not house.array(second)[0].with_name(Path(old).name).exists()
            assert not house.array(second)[0].with_name(f"{Path(old).name}.plexcached").exists()
