"""``ondeckd check`` has Plex look whether it can open what a link leads to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.support.command_line import config_file, free_port, ondeckd
from tests.support.daemon import House, at_home, daemon_running, new_app
from tests.support.plex import small_library


async def links(house: House) -> list[dict[str, str | int]]:
    said = await ondeckd(config_file(house.folder / "etc", house.settings), "check", "--json")
    return [line for line in json.loads(said.out) if line["about"] == "links"]


async def test_plex_is_asked_about_a_file_that_is_served_by_a_link(tmp_path: Path) -> None:
    library = small_library()
    movie = library.movies[0]
    part = library[movie].parts[0]
    async with at_home(tmp_path, library, start=False, web={"listen": f"127.0.0.1:{free_port()}"}) as house:
        for mapping in house.settings["mapping"]:
            mapping |= {"serve": "symlink", "original": "backup"}
        new_app(house)
        text = "no file is served by a link yet; whether Plex can follow one is seen when you check again then"
        assert [line["text"] for line in await links(house)] == [f"Movies: {text}", f"TV Shows: {text}"]

        async with daemon_running(house):
            await house.post("/api/v1/cache", {"target": movie})
            await house.until(lambda: house.is_cached(movie))
            await house.quiet()
        [found, none] = await links(house)
        assert (found["level"], found["text"]) == (
            "ok",
            f"Movies: Plex can open {part.file}, which is a link to the cache",
        )
        assert none["level"] == "note"

        gone = [replace(one, parts=(replace(part, exists=False),)) for one in library[movie].versions]
        library.set_versions(movie, tuple(gone), at=library[movie].updated_at + 1)
        [found, _] = await links(house)
        [copy] = house.cache(movie)
        assert (found["level"], found["exit_code"]) == ("fault", 78)
        assert found["text"] == (
            f"Movies: Plex cannot open {part.file}, which is a link that says {copy}; give Plex that path, or set "
            "link_target to the cache as Plex sees it"
        )
