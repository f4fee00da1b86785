"""A household of 25 on a library of 100,000: few requests, and a daemon that stays small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.demo.library import Library
from tests.support.crowd import names
from tests.support.daemon import configuration, merged
from tests.support.daemon_process import daemon_process, write_config
from tests.support.plex_process import plex_process
from tests.support.records import everything, reading

_SHAPE: dict[str, Any] = {"movies": 20_000, "shows": 2_000, "seasons": 4, "episodes": 10, "awkward": False}
_AT_THE_START, _REQUESTS, _BYTES = 600, 500, 250_000_000
"""At the start what the history tells of is read once more, while the slowest lists are still coming."""


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_everything_of_25_people_costs_a_few_hundred_requests_and_little_memory(tmp_path: Path) -> None:
    shape = {**_SHAPE, "sizes": [200, 600]}
    async with plex_process(shape, users=names(25)) as plex:
        made = await plex.ask("crowd", array=str(tmp_path / "array"), deck=8, listed=[20, 50], fresh=0)
        tables = merged(configuration(Library(), plex, tmp_path), everything(made["trakt"]))
        async with daemon_process(write_config(tables, tmp_path)) as daemon:
            at = await reading(daemon)
            assert 0 < sum((await plex.ask("requests")).values()) < _AT_THE_START
            for _ in range(3):
                assert await daemon.post("/api/v1/refresh") == 202
                at = await reading(daemon, at)
                assert 0 < sum((await plex.ask("requests")).values()) < _REQUESTS
            users = await daemon.get("/api/v1/users?limit=1000")
            sources = [one for row in users["items"] for one in row["sources"] if one["on"]]

            assert {one["problem"] for one in sources} == {""}
            assert sum(one["found"] for one in sources) > 2_000
            assert daemon.memory("VmHWM") < _BYTES
