"""A reload of settings that are in force already: nothing follows from it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.bad_input import logged, problem
from tests.support.command_line import config_file
from tests.support.daemon import House
from tests.support.reloads import change, from_file

SAME = "configuration read: nothing changed"


async def heard(house: House, text: str) -> list[str]:
    """Send SIGHUP; return what the feed says until it says this."""
    said = []
    async with house.app.core.feed.subscribe() as notices:
        os.kill(os.getpid(), signal.SIGHUP)
        async for notice in notices:
            said.append(str(notice.data.get("text", "")))
            if said[-1] == text:
                break
    return said


async def test_saving_the_file_and_sending_sighup_is_one_reload(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with from_file(tmp_path, log={"level": "info"}) as house:
        refresher, asked = house.app.core.sourcing.refresher, []
        refresher.everything_soon = lambda *, sure=False: asked.append(sure)  # type: ignore[method-assign]  # an ear
        await change(house, playback={"next_episodes": 2})
        assert asked == [True]
        live = house.app.core.live.mappings
        assert "configuration reloaded" not in await heard(house, SAME)
        assert asked == [True]
        assert house.app.core.live.mappings is live
        assert logged(capsys, "config_reloaded")[-1].get("what") == "nothing changed"
        await change(house, playback={"next_episodes": 3})
        assert asked == [True, True]


async def test_a_bad_file_that_is_made_good_again_is_in_order_again(tmp_path: Path) -> None:
    async with from_file(tmp_path) as house:
        path = house.folder / "etc" / "config.toml"
        path.write_text("[playback]\nnext_episodes = -1\n")
        await house.until(lambda: problem(house, "config") != "")
        config_file(house.folder / "etc", house.settings)
        await house.until(lambda: problem(house, "config") == "")


async def test_a_log_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    log = tmp_path / "ondeckd.log"
    async with from_file(tmp_path, log={"level": "info", "file": str(log)}) as house:
        log.rename(tmp_path / "old.log")
        await heard(house, SAME)
        assert "config_reloaded" in log.read_text()
