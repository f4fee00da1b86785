"""A week of a household: its array is touched only when a play misses, a copy is made, or the window opens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.demo.files import write
from tests.support.daemon import configuration, merged
from tests.support.daemon_process import write_config
from tests.support.needs import needs_strace
from tests.support.plex_process import RemotePlex, plex_process
from tests.support.quiet_daemon import TracedDaemon, traced_daemon

_SHAPE = {"movies": 3, "shows": 1, "seasons": 1, "episodes": 12, "awkward": False}
_HOUR = 3600.0
_STEP = 1.0
_DAYS = 7
_BEFORE, _OPEN = 9, 4
"""Hours from the beginning of each day to the opening of the window, and for which it is open."""


@dataclass
class _Week:
    """A daemon and its Plex, hour by hour. `reasons`: why the array may have been touched in each hour."""

    daemon: TracedDaemon
    plex: RemotePlex
    hours: int = 0
    reasons: list[str] = field(default_factory=list)
    figures: list[dict[str, float]] = field(default_factory=list)

    async def begin(self) -> None:
        self.figures.append(await self._figures())
        await self.daemon.tell("mark", name="hour 0.")

    async def pass_hours(self, count: int) -> None:
        """Let as many hours go by."""
        for _ in range(count):
            await self.end_hour(_HOUR)

    async def end_hour(self, seconds: float) -> None:
        """Let the rest of an hour go by, and note what was copied and played in it."""
        await self.daemon.tell("turn", seconds=seconds)
        self.hours += 1
        await self.daemon.tell("mark", name=f"hour {self.hours}.")
        self.figures.append(await self._figures())
        before, after = self.figures[-2:]
        hour = (self.hours - 1) % 24
        # One that ends just when the window opens is the window's already.
        said = {
            "miss": after["plays array"] > before["plays array"],
            "copy": after["copied to_cache"] > before["copied to_cache"],
            "window": _BEFORE - 1 <= hour < _BEFORE + _OPEN,
        }
        self.reasons.append(" ".join(name for name, holds in said.items() if holds))

    async def watch(self, user: str, key: str) -> None:
        """Have somebody watch something for three quarters of an hour."""
        session = await self.plex.ask("play", user=user, key=key)
        spent = await self._until_sessions(1)
        await self.daemon.tell("turn", seconds=0.75 * _HOUR)
        await self.plex.ask("advance", session=session, seconds=0.95 * self.plex.library[key].seconds)
        await self.plex.ask("stop", session=session)
        spent += await self._until_sessions(0)
        await self.end_hour(0.25 * _HOUR - spent)

    async def _until_sessions(self, count: int) -> float:
        """Turn the clock until the daemon sees so many sessions; return for how many seconds."""
        spent = 0.0
        while (await self.daemon.get("/api/v1/status"))["sessions"] != count:
            spent += _STEP
            await self.daemon.tell("turn", seconds=_STEP)
        return spent

    def touched(self, array: str) -> list[int]:
        """Return the hours in which the array was touched."""
        return [
            number
            for number, (first, last) in enumerate(pairwise(range(self.hours + 1)))
            if any(array in line for line in self.daemon.calls(f"hour {first}.", f"hour {last}."))
        ]

    async def _figures(self) -> dict[str, float]:
        async with aiohttp.ClientSession() as client, client.get(f"{self.daemon.url}/metrics") as answer:
            text = await answer.text()
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[" ".join([sample.name.removeprefix("ondeckd_"), *sample.labels.values()])] = sample.value
        short = {"plays array": "plays_total array", "copied to_cache": "copied_bytes_total to_cache"}
        return {**found, **{name: found[whole] for name, whole in short.items()}}


def _schedule() -> Mapping[str, str]:
    hour = datetime.fromtimestamp(time.time(), UTC)
    window = (
        f"{(hour.hour + _BEFORE) % 24:02}:{hour.minute:02}-{(hour.hour + _BEFORE + _OPEN) % 24:02}:{hour.minute:02}"
    )
    return {"refresh": "1h", "array_window": window, "spin_down": "20m"}


@needs_strace
@pytest.mark.timeout(180)
async def test_in_a_week_the_array_is_touched_for_misses_copies_and_in_the_window_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    async with plex_process(_SHAPE) as plex:
        await asyncio.to_thread(write, plex.library, tmp_path / "array")
        more = {
            "schedule": _schedule(),
            "playback": {"next_episodes": 3, "stale_session": "5h"},
            "on_deck": {"enabled": True, "episodes": 1},
            "watchlist": {"enabled": True},
            "recent": {"enabled": True},
            "retention": {"after_watched": "1h", "after_stopped": "1h", "min_stay": "1h"},
        }
        etc = tmp_path / "etc"
        etc.mkdir()
        config = write_config(merged(configuration(plex.library, plex, tmp_path), more), etc)
        episodes, movies = plex.library.episodes(plex.library.shows[0]), plex.library.movies
        async with traced_daemon(config, tmp_path / "trace", speed=0) as daemon:
            await plex.ask("listeners")
            week = _Week(daemon, plex)
            await week.begin()
            for day in range(_DAYS):
                await week.pass_hours(3)
                await week.watch("Ann", episodes[day])
                await week.pass_hours(1)
                if day in {2, 5}:
                    await week.watch("Ben", movies[day % 3])
                else:
                    await week.pass_hours(1)
                await week.pass_hours(18)
            left = len((await daemon.get("/api/v1/files"))["items"])

        _judge(week, str(tmp_path / "array"), left)


def _judge(week: _Week, array: str, left: int) -> None:
    touched = week.touched(array)
    # What leaves goes along while the array is still awake, `spin_down` after its last use; that is a use as well. And
    # on a busy machine Plex's answers come an hour of the turned clock late.
    assert [hour for hour in touched if not any(week.reasons[max(0, hour - 3) : hour + 1])] == []
    # The same look sees each reason at work, and most hours have none.
    assert {reason for hour in touched for reason in week.reasons[hour].split()} == {"miss", "copy", "window"}
    quiet = [hour for hour, reason in enumerate(week.reasons) if not reason]
    assert len(quiet) > 100
    # In those hours the daemon is at work: what it does by the hour needs no array. (A busy machine skips some.)
    assert week.figures[-1]["plex_request_seconds_count sessions"] > len(quiet) / 2
    # What has been watched has left all the same.
    gone = week.figures[-1]["copied_bytes_total to_cache"] > week.figures[-1]["cached_bytes"]
    assert gone
    assert left < _DAYS
