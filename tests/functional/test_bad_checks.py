"""``ondeckd check``: one readable line for each thing, and an exit code that says what kind of thing is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.bad_input import memory_disk, plex_down, remount
from tests.support.command_line import Said, config_file, ondeckd
from tests.support.daemon import House, at_home, daemon_running
from tests.support.needs import needs_root
from tests.support.plex import small_library

CHOOSE = "change it to one that is there: Movies, TV Shows"
MAKE = "mount the array, make the file, or change anchor"
WRITE = "mount it, let this user write it, or change cache"
_LINE = re.compile(r"(ok|note|warning|FAULT) +[\w .]+: \S.*")


async def _check(house: House, *words: str) -> Said:
    return await ondeckd(config_file(house.folder / "etc", house.settings), "check", *words)


def _faults(said: Said) -> list[str]:
    lines = said.out.splitlines()
    assert all(_LINE.fullmatch(line) for line in lines), said.out
    return [line.removeprefix("FAULT").strip() for line in lines if line.startswith("FAULT")]


async def test_everything_is_well(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False) as house:
        said = await _check(house)
        assert (said.code, said.err, _faults(said)) == (0, "", [])
        for about in ("configuration", "state", "webhook", "plex", "library TV Shows", "mapping"):
            assert re.search(rf"^(ok|note) +{about}: ", said.out, re.MULTILINE), about
        lines = json.loads((await _check(house, "--json")).out)
        assert {line["level"] for line in lines} <= {"ok", "note", "warning"}


@pytest.mark.parametrize("what", ["token", "down", "starting"])
async def test_plex_is_not_right(tmp_path: Path, what: str) -> None:
    async with at_home(tmp_path, small_library(), start=False) as house:
        url = house.plex.url
        if what == "token":
            house.settings["plex"]["token"] = "wrong"
            why = "Plex refuses the token (401); change plex.token"
        elif what == "down":
            await plex_down(house)
            why = "Plex cannot be reached: Connection refused; change plex.url, unless Plex is only down"
        else:
            await house.plex.restart(maintenance_for=600)
            why = "Plex is starting (503); change plex.url, unless Plex is only down"
        said = await _check(house)
        assert (said.code, _faults(said)) == (69, [f"plex: {url}: {why}"])


async def test_folders_are_not_right(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False) as house:
        films, shows = house.settings["mapping"]
        films["cache"] = str(tmp_path / "nowhere")
        shows["anchor"] = ".mounted"
        said = await _check(house)
        assert said.code == 78
        assert _faults(said) == [
            f"mapping: Movies: cache {tmp_path / 'nowhere'} cannot be written: No such file or directory; {WRITE}",
            f"mapping: TV Shows: anchor .mounted is missing below {shows['array']}; {MAKE}",
        ]


@needs_root
async def test_a_cache_or_a_state_folder_that_cannot_be_written(tmp_path: Path) -> None:
    cache, state = tmp_path / "cache" / "Movies", tmp_path / "state"
    async with at_home(tmp_path, small_library(), start=False) as house:
        with memory_disk(cache, "1m"), memory_disk(state, "1m"):
            remount(cache, "ro")
            remount(state, "ro")
            said = await _check(house)
    assert said.code == 78
    first, second = _faults(said)
    assert first.startswith(f"state: {state}/")
    assert "Read-only file system" in first
    assert second == f"mapping: Movies: cache {cache} cannot be written: Read-only file system; {WRITE}"


async def test_a_library_that_no_mapping_covers_is_a_warning_and_one_that_plex_lacks_a_fault(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False) as house:
        house.settings["mapping"] = house.settings["mapping"][:1]
        said = await _check(house)
        assert said.code == 0
        assert "warning library TV Shows: /data/TV Shows: no [[mapping]] covers it" in said.out
        house.settings["plex"]["libraries"] = ["Movies", "Cartoons"]
        said = await _check(house)
        assert (said.code, _faults(said)) == (
            78,
            [f"plex.libraries: Plex has no movie or show library 'Cartoons'; {CHOOSE}"],
        )


@pytest.mark.parametrize("daemon_first", [True, False])
async def test_the_webhooks_secret_is_shown_whole_once_whoever_made_it(tmp_path: Path, daemon_first: bool) -> None:
    async with at_home(tmp_path, small_library(), start=daemon_first) as house:
        first, second = await _check(house), await _check(house)
    secret = (tmp_path / "state" / "webhook-secret").read_text().strip()
    assert f"/webhook/plex?secret={secret} (shown only this once)" in first.out
    assert "/webhook/plex?secret=… " in second.out
    assert secret not in second.out + first.err + second.err


async def test_a_state_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False, state={"directory": "/proc/nope"}) as house:
        (line,) = _faults(await _check(house))
        assert line.startswith("state: /proc/nope: No such file or directory; ")


async def test_what_has_no_effect_yet_is_named(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False, notify={"levels": ["error"]}) as house:
        said = await _check(house)
        assert said.code == 0
        assert "notify.levels is set but not yet effective in this version" in said.out


async def test_limits_are_compared_with_the_cache(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False, space={"min_free": "100%"}) as house:
        said = await _check(house)
        (fault,) = _faults(said)
        assert said.code == 78
        assert fault.startswith("space: Movies, TV Shows: min_free = 100% is all of the cache of ")
        assert fault.endswith(": nothing can ever be cached; change min_free")

        house.settings["space"] = {"min_free": "1KB", "limit": "1000000TB", "quota": "2000000TB", "evict_to": "0"}
        said = await _check(house)
        assert said.code == 0
        assert re.search(
            r"warning space: .*: limit = 1000000TB is more than the cache of .*, and limits nothing", said.out
        )
        assert re.search(r"warning space: .*: quota = 2000000TB is more than .* allow, and limits nothing", said.out)

        house.settings["space"] = {"min_free": "0", "limit": "1KB", "evict_to": "0"}
        said = await _check(house)
        assert re.search(r"warning space: .*: nothing more is cached until something leaves", said.out)


async def test_excluded_names_that_plex_does_not_know_are_a_warning(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False, users={"exclude": ["ANN", "Bern"]}) as house:
        said = await _check(house)
        assert said.code == 0
        warnings = [line for line in said.out.splitlines() if "users.exclude" in line]
        assert warnings == ["warning users.exclude: Plex knows nobody called 'Bern', so nobody is excluded by it"]


async def test_a_port_that_is_chosen_at_the_start_is_said_to_be(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False) as house:
        assert "http://127.0.0.1:(chosen at each start)/webhook/plex" in (await _check(house)).out
        house.settings["web"]["listen"] = "127.0.0.1:5757"
        assert "http://127.0.0.1:5757/webhook/plex" in (await _check(house)).out


async def test_nothing_is_written_where_a_used_cache_is_not_mounted(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library, start=False) as house:
        async with daemon_running(house):
            await house.plex.frames.wait_for_listeners()
            await house.plex.engine.play("Ann", library.movies[0])
            await house.until(lambda: house.is_cached(library.movies[0]))
            await house.quiet()
        cache = tmp_path / "cache" / "Movies"
        cache.rename(tmp_path / "aside")
        cache.mkdir()
        said = await _check(house)
        (fault,) = _faults(said)
        assert said.code == 78
        assert fault.startswith(f"mapping: Movies: {cache} is not the cache it was; is it mounted?")
        assert list(cache.iterdir()) == []
