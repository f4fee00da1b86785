"""What has the sources read at once: a whole daemon, and everything that may happen around it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from daemon.app import App
from daemon.config import load
from daemon.model import DemandKind
from tests.support.command_line import config_file
from tests.support.daemon import daemon_running
from tests.support.reloads import change
from tests.support.sources import Home, Round, household, new_episode

ON_DECK, WATCHLIST, PINNED = DemandKind.ON_DECK, DemandKind.WATCHLIST, DemandKind.PINNED


def read_by(rounds: list[Round]) -> set[tuple[DemandKind, str]]:
    """Return what was read in these refreshes."""
    return {key for one in rounds for key in one.read}


async def watches(home: Home, who: str, key: str, share: float) -> None:
    """Have somebody play an item up to some share of it, and stop."""
    session = await home.plex.engine.play(who, key)
    await home.house.until(lambda: plays(home, 1))
    await home.plex.engine.advance(session, share * session.node.seconds)
    await home.plex.engine.stop(session)
    await home.house.until(lambda: plays(home, 0))


async def plays(home: Home, count: int) -> bool:
    return len(home.house.app.core.listener.plays()) == count


@pytest.mark.parametrize("share", [0.3, 0.95], ids=["stopped", "watched"])
async def test_what_somebody_watches_has_the_own_lists_read_and_nobody_elses(tmp_path: Path, share: float) -> None:
    async with household(tmp_path) as home:
        before = home.rounds.begun
        _, second, *_ = home.library.episodes(home.library.shows[2])
        await watches(home, "Ben", second, share)
        ben = home.keys(ON_DECK, "Ben") | home.keys(WATCHLIST, "Ben")
        found = await home.rounds.until(lambda done: ben <= read_by(done), after=before)
        assert read_by(found) <= ben | {(DemandKind.RECENT, "")}
        assert not any(one.whole for one in found)
        assert (second in await home.wanted(ON_DECK, "Ben")) == (share < 0.9)


async def test_a_new_episode_of_what_somebody_watches_is_wanted_and_cached_as_soon_as_it_appears(
    tmp_path: Path,
) -> None:
    async with household(tmp_path, on_deck={"episodes": 4}) as home:
        key = await new_episode(home, home.library.shows[1])

        async def wanted() -> bool:
            return key in await home.wanted(ON_DECK, "Dan") and home.house.is_cached(key)

        await home.house.until(wanted)
        assert not any(one.whole for one in home.rounds.done[1:])


async def test_a_pin_has_the_pins_read_and_nothing_else(tmp_path: Path) -> None:
    async with household(tmp_path) as home:
        await home.rounds.until(lambda done: (PINNED, "") in read_by(done), after=1)
        before = home.rounds.begun
        await home.house.post("/api/v1/pin", {"target": home.library.movies[20]})
        found = await home.rounds.until(lambda done: (PINNED, "") in read_by(done), after=before)
        assert read_by(found) == {(PINNED, "")}


async def test_changed_settings_have_everything_read_at_once(tmp_path: Path) -> None:
    async with household(tmp_path, start=False) as home:
        path = config_file(tmp_path / "etc", home.house.settings)
        home.house.app = App(load(path, {}), {}, clock=home.clock)
        async with daemon_running(home.house):
            await home.rounds.until(bool)
            before = home.rounds.begun
            assert len(await home.wanted(ON_DECK, "Ben")) == 3
            await change(home.house, on_deck={"episodes": 3})
            await home.rounds.until(lambda done: any(one.whole for one in done), after=before)
            assert len(await home.wanted(ON_DECK, "Ben")) == 4


async def test_the_schedule_has_everything_read_again_and_again(tmp_path: Path) -> None:
    async with household(tmp_path, schedule={"refresh": "10m"}) as home:
        await home.rounds.until(lambda done: sum(one.whole for one in done) >= 4)
        moments = [one.began for one in home.rounds.done if one.whole]
        assert all(after - before >= 600 for before, after in pairwise(moments))
        assert home.rounds.most_at_once == 1
