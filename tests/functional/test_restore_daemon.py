"""``ondeckd restore`` through a running daemon, and a daemon that is started after it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.sessions import Session
from daemon.model import Goal, Intent
from daemon.state import journal
from daemon.state.store import Store
from tests.support.command_line import Said, config_file, free_port, ondeckd
from tests.support.daemon import House, at_home, daemon_running, new_app
from tests.support.judge import read
from tests.support.plex import small_library
from tests.support.process import python

NOTHING = "Everything is on the array already; there was nothing to do."
PAUSED = "ondeckd stays paused: it caches nothing until `ondeckd resume`."


async def watched(house: House, episodes: list[str]) -> Session:
    """Have somebody play the first of these episodes until all are cached; return the session."""
    session = await house.plex.engine.play("Ann", episodes[0], client="tv")
    await house.until(lambda: house.is_cached(*episodes))
    await house.quiet()
    return session


def listening(**more: Any) -> dict[str, Any]:
    return {"web": {"listen": f"127.0.0.1:{free_port()}"}, "playback": {"min_play": "0"}, **more}


async def restore(house: House, *words: str) -> Said:
    return await ondeckd(config_file(house.folder / "etc", house.settings), "restore", *words)


async def test_a_daemon_takes_everything_back_and_caches_nothing_until_it_is_told_to(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])[:6]
    async with at_home(tmp_path, library, **listening()) as house:
        session = await watched(house, episodes)
        await house.plex.engine.stop(session)
        await house.until(lambda: not house.app.core.listener.plays())

        said = await restore(house)

        assert (said.code, said.err) == (0, "")
        assert said.out.splitlines() == [
            "6 files came back to the array. Nothing of ondeckd's is left on the cache.",
            PAUSED,
        ]
        assert await house.entries() == []
        assert house.damaged() == []
        assert (await restore(house)).out.splitlines() == [NOTHING, PAUSED]

        await house.plex.engine.play("Ann", episodes[0], client="tv")
        await house.until(lambda: bool(house.app.core.listener.plays()))
        assert not house.is_cached(episodes[1])
        await house.post("/api/v1/resume")
        await house.until(lambda: house.is_cached(*episodes))


async def test_what_plays_stays_and_is_named(tmp_path: Path) -> None:
    library = small_library()
    episodes = library.episodes(library.shows[0])[:6]
    async with at_home(tmp_path, library, **listening()) as house:
        await watched(house, episodes)

        said = await restore(house, "--json")

        assert said.code == 1
        [path] = house.array(episodes[0])
        report = json.loads(said.out)
        assert report["left"] == [{"path": str(path), "why": "it is being played"}]
        assert (report["restored"], report["paused"]) == (5, True)
        assert house.is_cached(episodes[0])
        assert not any(house.is_cached(key) for key in episodes[1:])


async def test_a_daemon_that_cannot_go_on_says_why(tmp_path: Path) -> None:
    library = small_library()
    async with at_home(tmp_path, library, **listening()) as house:
        await house.post("/api/v1/cache", {"target": library.movies[0]})
        await house.until(lambda: house.is_cached(library.movies[0]))
        await house.quiet()
        [path] = house.array(library.movies[0])
        root = Path(house.settings["mapping"][0]["array"])
        root.rename(tmp_path / "unmounted")
        root.mkdir()

        said = await restore(house, "--json")

        assert said.code == 1
        [left] = json.loads(said.out)["left"]
        assert left["path"] == str(path)
        assert "is the array mounted?" in left["why"]
        root.rmdir()
        (tmp_path / "unmounted").rename(root)


@pytest.mark.parametrize("placement", ["union+keep", "symlink+backup", "symlink+remove"])
async def test_a_daemon_started_after_an_offline_restore_drops_what_it_remembers(
    tmp_path: Path, placement: str
) -> None:
    library = small_library()
    serve, _, original = placement.partition("+")
    async with at_home(tmp_path, library, start=False, **listening()) as house:
        for mapping in house.settings["mapping"]:
            mapping |= {"serve": serve, "original": original}
        new_app(house)
        async with daemon_running(house):
            for movie in library.movies[:2]:
                await house.post("/api/v1/cache", {"target": movie})
            await house.until(lambda: house.is_cached(*library.movies[:2]))
            await house.quiet()
            await house.post("/api/v1/pause")
            entries = await house.entries()
        async with Store(tmp_path / "state") as store:
            # As if it had been killed on the way.
            await store.run(lambda c: journal.begin(c, Intent(entries[0], Goal.CACHED, "link")))

        said = await restore(house, "--offline")
        assert said.code == 0, said
        assert house.damaged() == []
        looks = {path: path.stat() for movie in library.movies for path in house.array(movie)}

        new_app(house)
        async with daemon_running(house):
            assert await house.entries() == []
        rows = read(tmp_path / "state")
        assert rows.entries == rows.journal == []
        assert house.damaged() == []
        assert {path: path.stat() for path in looks} == looks


@pytest.mark.parametrize("what", ["cache", "copy"])
async def test_through_a_daemon_what_is_lost_has_its_remedy_named(tmp_path: Path, what: str) -> None:
    library = small_library()
    async with at_home(tmp_path, library, start=False, **listening()) as house:
        for mapping in house.settings["mapping"]:
            mapping |= {"serve": "symlink", "original": "remove"}
        new_app(house)
        async with daemon_running(house):
            await house.post("/api/v1/cache", {"target": library.movies[0]})
            await house.until(lambda: house.is_cached(library.movies[0]))
            await house.quiet()
            [path] = house.array(library.movies[0])
            copy = path.readlink()
            [root] = [Path(m["cache"]) for m in house.settings["mapping"] if copy.is_relative_to(m["cache"])]
            gone = copy if what == "copy" else root
            gone.rename(tmp_path / "gone")

            said = await restore(house, "--json")

            assert said.code == 1
            report = json.loads(said.out)
            assert (report["restored"], [row["path"] for row in report["left"]]) == (0, [str(path)])
            if what == "copy":
                assert report["left"][0]["why"].endswith("get the file anew, or remove its link")
            else:
                assert "--offline" in report["notes"][0]
            gone.parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "gone").rename(gone)


async def test_ctrl_c_leaves_the_daemon_at_it_and_says_so(tmp_path: Path) -> None:
    library = small_library()
    slow = {"transfer": {"rate_limit": "1KB"}}
    async with at_home(tmp_path, library, start=False, **listening(**slow)) as house:
        for mapping in house.settings["mapping"]:
            mapping |= {"serve": "union", "original": "remove"}
        house.settings["transfer"] = {}
        new_app(house)
        async with daemon_running(house):
            await house.post("/api/v1/cache", {"target": library.movies[0]})
            await house.until(lambda: house.is_cached(library.movies[0]))
            await house.quiet()
            await house.post("/api/v1/pause")
        house.settings |= slow
        house.settings["state"] |= {"shutdown_grace": "1s"}
        new_app(house)
        async with daemon_running(house):
            config = config_file(house.folder / "etc", house.settings)
            async with python(["-m", "daemon", "--config", str(config), "restore"]) as process:
                await house.until(lambda: any(house.array(library.movies[0])[0].parent.glob(".ondeckd-*")))
                process.send_signal(signal.SIGINT)
                _, err = await process.communicate()

    assert process.returncode == 130
    assert b"the daemon goes on by itself; `ondeckd stop` ends it" in err
    assert b"run this again" not in err
