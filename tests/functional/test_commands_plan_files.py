"""``ondeckd plan`` and ``ondeckd files`` of a real daemon: what, why, for whom, until when."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from daemon.cli import cli
from daemon.planning.scores import score
from daemon.situation import survey
from tests.support.daemon import House, at_home
from tests.support.plex import small_library

pytestmark = pytest.mark.usefixtures("_no_environment")


@pytest.fixture
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ONDECKD_")]:
        monkeypatch.delenv(name)


@asynccontextmanager
async def home(folder: Path, **settings: Any) -> AsyncIterator[House]:
    async with at_home(folder, small_library(), **settings) as house:
        yield house


async def said(house: House, *words: str) -> str:
    """Return what a command prints."""
    config = house.folder / "commands.toml"
    config.write_text(f'[plex]\ntoken = "t"\n[web]\nlisten = "{house.app.url.removeprefix("http://")}"\n')
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["--config", str(config), *words])
    assert result.exit_code == 0, result.output
    return str(result.stdout)


async def watching(house: House) -> list[str]:
    """Let Ben watch a show, and Ann the episode after; return the show's episodes."""
    keys = house.library.episodes(house.library.shows[0])
    await house.plex.engine.play("Ben", keys[0])
    await house.plex.engine.play("Ann", keys[1], client="phone")

    async def told() -> bool:
        rows = (await house.get("/api/v1/demands?limit=1000"))["items"]
        # Both with the episodes that follow.
        return len({(row["user"], row["position"]) for row in rows if row["kind"] == "next_up"}) > 6

    await house.until(told)
    return keys


async def test_files_say_why_for_whom_and_until_when(tmp_path: Path) -> None:
    async with home(tmp_path) as house:
        keys = await watching(house)
        await house.until(lambda: house.is_cached(*keys[:6]))
        await house.quiet()
        shown = await said(house, "files")
        rows = {row["plex_path"]: row for row in (await house.get("/api/v1/files"))["items"]}
    texts = [rows[house.library[key].parts[0].file]["text"] for key in keys[:3]]
    assert texts[0].startswith("playing for Ben; stays as long as that holds, and until ")
    assert texts[1].startswith("playing for Ann, next up for Ben; ")
    assert texts[2].startswith("next up for Ann, next up for Ben (2 ahead); ")
    for text in texts:
        assert text in shown


@pytest.mark.parametrize("how", ["name", "array path", "cache path", "Plex path", "rating key", "Plex URL"])
async def test_one_file_is_shown_in_full_however_it_is_named(how: str, tmp_path: Path) -> None:
    async with home(tmp_path) as house:
        keys = await watching(house)
        await house.until(lambda: house.is_cached(*keys[:6]))
        await house.quiet()
        key = keys[2]
        plex_path = house.library[key].parts[0].file
        named = {
            "name": Path(plex_path).stem.upper(),
            "array path": str(house.array(key)[0]),
            "cache path": str(house.cache(key)[0]),
            "Plex path": plex_path,
            "rating key": key,
            "Plex URL": f"https://app.plex.tv/desktop/#!/server/abc/details?key=%2Flibrary%2Fmetadata%2F{key}",
        }
        shown = await said(house, "files", named[how])
        ((row,),) = [[row for row in (await house.get("/api/v1/files"))["items"] if row["plex_path"] == plex_path]]
    assert shown.startswith(plex_path)
    for text in (row["text"], f"{row['score']}: {row['why']}", "union+keep", str(house.cache(key)[0]), "a play"):
        assert text in shown, text
    wanted = shown.partition("wanted")[2]
    assert re.search(r"next up for Ann +a play +20\d\d-\d\d-\d\d \d\d:\d\d UTC", wanted)
    assert "next up for Ben (2 ahead)" in wanted
    assert house.library[keys[3]].parts[0].file not in shown


async def test_text_that_several_files_contain_lists_them(tmp_path: Path) -> None:
    async with home(tmp_path) as house:
        keys = await watching(house)
        await house.until(lambda: house.is_cached(*keys[:6]))
        await house.quiet()
        every, nothing = await said(house, "files", "s01"), await said(house, "files", "no such thing")
        as_json = json.loads(await said(house, "files", keys[2], "--json"))
    assert all(house.library[key].parts[0].file in every for key in keys[:4])
    assert nothing == "no files\n"
    assert as_json["total"] >= 1


async def test_a_rating_key_finds_its_own_files_among_all_others(tmp_path: Path) -> None:
    async with home(tmp_path) as house:
        keys = await watching(house)
        await house.until(lambda: house.is_cached(*keys[:6]))
        movie = house.library.movies[0]
        await house.post("/api/v1/cache", {"target": movie})
        await house.quiet()
        show = json.loads(await said(house, "files", house.library.shows[0], "--json"))
        unwanted = await said(house, "files", movie)
        some = json.loads(await said(house, "files", house.library.shows[0], "--json", "--limit", "2", "--offset", "1"))
        other = await said(house, "files", "987654")
    paths = {row["plex_path"] for row in show["items"]}
    assert {house.library[key].parts[0].file for key in keys[:6]} <= paths
    assert all(house.library.shows[0] in row["rating_keys"] for row in show["items"])
    assert [row["plex_path"] for row in some["items"]] == sorted(paths)[1:3]
    assert unwanted.startswith(f"{house.library[movie].parts[0].file}\n")
    assert "nobody wants it; stays until" in unwanted
    assert other == "no files\n"


async def test_a_copy_that_waits_says_so(tmp_path: Path) -> None:
    async with home(tmp_path) as house:
        await house.post("/api/v1/pause")
        keys = await watching(house)
        shown = await said(house, "files", house.library[keys[0]].parts[0].file)
    assert "playing for Ben; waits to be copied" in shown
    assert re.search(r"task +cache_in queued", shown)


async def test_plan_says_what_why_for_whom_when_and_what_it_comes_to(tmp_path: Path) -> None:
    async with home(tmp_path) as house:
        await house.post("/api/v1/pause")
        keys = await watching(house)
        shown = await said(house, "plan")
        plan = await house.get("/api/v1/plan")
        wants = await house.app.core.store.run(
            lambda connection: survey(connection, house.app.core.live.mappings, house.clock.now())[1]
        )
        scores = {one.file.plex_path: score(one.demands, house.clock.now()) for one in wants}
    assert {one["plex_path"] for one in plan["cache_in"]} == {
        part.file for key in keys[:7] for part in house.library[key].parts
    }
    for one in plan["cache_in"]:
        assert (one["score"], one["why"]) == (scores[one["plex_path"]].value, scores[one["plex_path"]].why)
        assert one["text"] in shown
        assert one["plex_path"] in shown
    total = sum(part.size for key in keys[:7] for part in house.library[key].parts)
    assert plan["totals"]["cache_in_bytes"] == total
    assert sum(cache["cache_in_bytes"] for cache in plan["caches"]) == total
    names = {one["plex_path"]: one["users"] for one in plan["cache_in"]}
    assert [names[house.library[key].parts[0].file] for key in keys[:3]] == [["Ben"], ["Ann", "Ben"], ["Ann", "Ben"]]
    assert "7 files in" in shown


async def test_plan_says_what_is_left_out_and_why(tmp_path: Path) -> None:
    async with home(tmp_path, space={"quota": "1 KB"}) as house:
        keys = await watching(house)
        shown = await said(house, "plan")
        plan = await house.get("/api/v1/plan")
    assert plan["cache_in"] == []
    assert {one["plex_path"] for one in plan["refused"]} == {
        part.file for key in keys[:7] for part in house.library[key].parts
    }
    assert plan["totals"]["refused_bytes"] == sum(one["size"] for one in plan["refused"])
    assert shown.count("no room") == len(plan["refused"])


async def test_each_demand_says_the_same_in_words(tmp_path: Path) -> None:
    async with home(tmp_path) as house:
        await watching(house)
        rows = (await house.get("/api/v1/demands?q=next up for Ben (2 ahead)"))["items"]
    assert [(row["user"], row["kind"], row["position"], row["source"]) for row in rows] == [
        ("Ben", "next_up", 2, "a play")
    ]
