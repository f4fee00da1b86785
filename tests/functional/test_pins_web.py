"""Pins by the API and by the commands, on a whole daemon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import ClientSession
from click.testing import CliRunner, Result

from daemon.cli import cli
from daemon.model import TaskState
from daemon.web.openapi import document
from daemon.web.server import WebServer
from tests.support.daemon import House, at_home
from tests.support.pins import pinning
from tests.support.plex import small_library

UNUSABLE, UNREACHABLE = 1, 69


@dataclass
class Front:
    """A daemon, and the ways to it."""

    house: House
    http: ClientSession
    config: Path

    async def run(self, *words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, ["--config", str(self.config), *words])

    async def post(self, name: str, target: object) -> tuple[int, dict[str, object]]:
        headers = {"Origin": str(self.http._base_url).rstrip("/")}
        async with self.http.post(f"/api/v1/{name}", json={"target": target}, headers=headers) as answer:
            return answer.status, await answer.json()

    async def pins(self, query: str = "") -> list[dict[str, object]]:
        async with self.http.get(f"/api/v1/pins{query}") as answer:
            rows: list[dict[str, object]] = (await answer.json())["items"]
            return rows


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with _front(tmp_path) as made:
        yield made


@asynccontextmanager
async def _front(folder: Path) -> AsyncIterator[Front]:
    async with at_home(folder, small_library()) as house:
        context = replace(house.app.core.web_context(), pinner=pinning(house))
        async with WebServer(context) as server, ClientSession(server.url) as http:
            config = folder / "config.toml"
            config.write_text(f'[plex]\ntoken = "t"\n[web]\nlisten = "{server.url.removeprefix("http://")}"\n')
            yield Front(house, http, config)


async def test_a_pin_by_the_api_is_answered_with_its_tasks(front: Front) -> None:
    library = front.house.library
    status, answer = await front.post("pin", int(library.shows[0]))
    assert (status, answer["note"]) == (202, "")
    assert answer["tasks"] == sorted(task.id for task in await front.house.tasks())
    assert len(await front.house.tasks()) == 8
    await front.house.quiet()
    (row,) = await front.pins()
    assert row["cached_files"] == row["files"] == 8
    schemas = document()["components"]["schemas"]
    assert set(row) == set(schemas["Pin"]["required"])
    assert set(answer) == set(schemas["Pinned"]["required"])
    assert await front.post("unpin", library.shows[0]) == (202, {"tasks": [], "note": ""})
    assert await front.pins() == []


async def test_the_list_is_cut_searched_and_sorted(front: Front) -> None:
    movies = front.house.library.movies
    for key in movies:
        await front.post("pin", key)
    assert [row["rating_key"] for row in await front.pins()] == movies
    assert [row["rating_key"] for row in await front.pins("?sort=-title&limit=2")] == movies[:0:-1]
    assert [row["rating_key"] for row in await front.pins("?q=movie+2")] == [movies[1]]


@pytest.mark.parametrize(
    ("target", "status"), [("999999", 404), ("nonsense", 404), ("/elsewhere/x.mkv", 422), ("", 400)]
)
async def test_a_target_that_names_nothing_is_an_error(front: Front, target: str, status: int) -> None:
    assert (await front.post("pin", target))[0] == status
    assert await front.pins() == []


async def test_the_commands_pin_list_and_unpin(front: Front) -> None:
    house = front.house
    movie = house.library.movies[0]
    result = await front.run("pin", str(house.array(movie)[0]), "--wait")
    assert result.exit_code == 0, result.output
    assert house.is_cached(movie)
    await house.quiet()
    assert [task.state for task in await house.tasks()] == [TaskState.SUCCEEDED]

    listed = await front.run("pins")
    for text in (movie, house.library[movie].title, "1 of 1"):
        assert text in listed.stdout
    assert json.loads((await front.run("pins", "--json")).stdout)["items"] == await front.pins()

    result = await front.run("unpin", movie, "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"tasks": []})
    assert "no pins" in (await front.run("pins")).stdout


async def test_the_commands_say_what_stands_in_the_way(front: Front) -> None:
    movie = front.house.library.movies[0]
    result = await front.run("unpin", movie)
    assert result.exit_code == 0
    assert f"{movie} is not pinned" in result.stderr
    assert (await front.run("pin", "99999")).exit_code == UNUSABLE
    front.house.plex.faults.http(reset=True)
    assert (await front.run("pin", movie)).exit_code == UNREACHABLE
