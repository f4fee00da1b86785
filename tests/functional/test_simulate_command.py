from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from daemon.cli import cli
from daemon.demo.server import DemoServer
from daemon.simulation.load import HistoryFault
from daemon.simulation.load_csv import from_csv
from daemon.simulation.load_plex import complete, from_plex
from tests.support.command_line import config_file, ondeckd
from tests.support.plex import small_library
from tests.support.plex_library import connected

DAY = 86_400
HEAD = "at,user,rating_key,show,season,episode,size,duration"
NOON = 1_714_564_800
ROWS = [f"{NOON + n * DAY},Ann,{n},Show,1,{n},2GB,45m" for n in range(1, 9)]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ONDECKD_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.csv"
    path.write_text("\n".join([HEAD, *ROWS]) + "\n")
    return path


def simulate(tmp_path: Path, *words: str | Path, **settings: Any) -> Result:
    config = config_file(tmp_path / "etc", settings)
    return CliRunner().invoke(cli, ["--config", str(config), "simulate", *map(str, words)])


def policies(result: Result) -> dict[str, dict[str, Any]]:
    return {one["policy"]: one for one in json.loads(result.stdout)["policies"]}


async def test_a_small_csv_becomes_a_table_end_to_end(tmp_path: Path, history: Path) -> None:
    said = await ondeckd(
        config_file(tmp_path / "etc", {}), "simulate", str(history), "--capacity", "20GB", "--no-advice"
    )
    assert said.code == 0
    assert "8 plays in 7 days; 8 titles, 16.0 GB; a cache of 20.0 GB" in said.out
    rows = {line.split()[0]: line for line in said.out.splitlines() if line}
    assert rows["policy"].split()[:3] == ["policy", "plays", "cached"]
    assert "0 of 7" in rows["ondeckd"]
    assert "7 of 7" in rows["nothing"]
    assert set(rows) >= {"ondeckd", "batch", "lru", "nothing", "clairvoyant"}


def test_the_settings_decide_what_ondeckd_serves(tmp_path: Path, history: Path) -> None:
    words = (history, "--capacity", "50GB", "--json", "--no-advice")
    usual = policies(simulate(tmp_path, *words))
    bare = policies(simulate(tmp_path, *words, playback={"next_episodes": 0}, on_deck={"enabled": False}))
    assert usual["ondeckd"]["plays_cached"] == 7
    assert bare["ondeckd"]["plays_cached"] == 0
    assert usual["batch"] == bare["batch"]


def test_a_share_is_of_the_titles_that_are_known(tmp_path: Path, history: Path) -> None:
    result = simulate(tmp_path, history, "--capacity", "50%", "--json", "--no-advice")
    assert json.loads(result.stdout)["capacity"] == 8_000_000_000


def test_without_a_capacity_it_is_what_the_settings_allow_on_the_cache(tmp_path: Path, history: Path) -> None:
    roots = {name: str(tmp_path / name) for name in ("array", "cache")}
    for root in roots.values():
        Path(root).mkdir()
    mapping = [{"name": "TV", "plex": "/data/tv", **roots}]
    space = {"quota": "7GB", "limit": "100%", "min_free": "0"}
    result = simulate(tmp_path, history, "--json", "--no-advice", mapping=mapping, space=space)
    assert json.loads(result.stdout)["capacity"] == 7_000_000_000
    result = simulate(tmp_path, history, "--json", "--no-advice")
    assert json.loads(result.stdout)["capacity"] == 500_000_000_000


def test_the_last_days_of_a_csv_can_be_chosen(tmp_path: Path, history: Path) -> None:
    result = simulate(tmp_path, history, "--days", "3", "--json", "--no-advice")
    assert policies(result)["nothing"]["plays"] == 4


def test_better_settings_are_found_and_printed(tmp_path: Path, history: Path) -> None:
    poor = {"playback": {"next_episodes": 0, "cache_current": False}, "on_deck": {"episodes": 0, "enabled": False}}
    result = simulate(tmp_path, history, "--capacity", "20GB", **poor)
    assert result.exit_code == 0
    assert "These settings would have done better:" in result.stdout
    assert "playback.next_episodes = 3, on_deck.episodes = 3" in result.stdout
    assert "plays missed 8 → 1" in result.stdout
    found = json.loads(simulate(tmp_path, history, "--capacity", "20GB", "--json", **poor).stdout)["advice"]
    assert found[0]["result"]["plays_cached"] == 7


def test_a_plot_is_drawn_where_it_is_asked_for(tmp_path: Path, history: Path) -> None:
    result = simulate(tmp_path, history, "--svg", tmp_path / "plot.svg", "--no-advice")
    assert result.exit_code == 0
    assert ET.parse(tmp_path / "plot.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_the_table_of_generated_households_is_written(tmp_path: Path) -> None:
    words = ("--generated", "--kind", "starters", "--kind", "shift_worker", "--days", "4", "--capacity", "3%")
    result = simulate(tmp_path, *words, "--seed", "7", "--write", tmp_path / "table.md")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "table.md").read_text()
    assert "## A cache of 3% of the library" in text
    assert "| starters |" in text
    assert "| shift_worker |" in text
    assert "--days 4 --seed 7 --kind starters --kind shift_worker --capacity 3%" in text


def test_one_generated_household_is_reported_like_a_history_of_one_s_own(tmp_path: Path) -> None:
    result = simulate(tmp_path, "--generated", "--kind", "starters", "--days", "4", "--json", "--no-advice")
    said = json.loads(result.stdout)
    assert said["history"] == "starters"
    assert said["capacity"] == int(said["library_bytes"] * 0.05)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{csv}", "--capacity", "0"], "without any cache there is nothing to simulate"),
        (["{csv}", "--capacity", "5"], "'5' has no unit"),
        (["{csv}", "--capacity", "1GB", "--capacity", "2GB"], "more than one --capacity"),
        (["{csv}", "--days", "0"], "0 is not in the range"),
        (["{csv}", "--generated"], "leave out the CSV"),
        (["{csv}", "--write", "x.md"], "go with --generated"),
        (["{csv}", "--svg", "{tmp}/none/x.svg"], "there is no folder"),
        (["--generated", "--kind", "martians"], "'martians' is none; allowed: serial"),
        (["--generated", "--svg", "{tmp}/x.svg"], "choose one with --kind"),
        (["{tmp}/none.csv"], "does not exist"),
    ],
)
def test_wrong_words_end_with_two(tmp_path: Path, history: Path, words: list[str], said: str) -> None:
    result = simulate(tmp_path, *(word.format(csv=history, tmp=tmp_path) for word in words))
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_a_faulty_csv_ends_with_two_and_one_line_for_each_fault(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text("at,user,rating_key\nx,Ann,1\n5,,1\n")
    result = simulate(tmp_path, path)
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert first.startswith("ondeckd: h.csv:2: at: 'x'")
    assert second == "ondeckd: h.csv:3: user: is empty"


async def test_without_a_token_it_ends_with_78_and_without_plex_with_69(tmp_path: Path) -> None:
    said = await ondeckd(config_file(tmp_path, {}), "simulate")
    assert (said.code, len(said.lines)) == (78, 1)
    assert said.err.startswith("plex.token: no token")
    said = await ondeckd(config_file(tmp_path, {"plex": {"url": "http://127.0.0.1:9", "token": "t"}}), "simulate")
    assert (said.code, len(said.lines)) == (69, 1)
    assert said.err.startswith("ondeckd: http://127.0.0.1:9: ")


def watched(plex: DemoServer, who: str, keys: list[str], *, ago: float = 20 * DAY) -> None:
    """Have somebody watch an item each day."""
    now = time.time()
    for number, key in enumerate(keys):
        plex.views.watched(plex.people[who].id, key, now - ago + number * DAY)


async def test_plex_s_history_is_replayed_end_to_end(tmp_path: Path) -> None:
    async with DemoServer(small_library(episodes=8)) as plex:
        watched(plex, "Ann", plex.library.episodes(plex.library.shows[0])[:6])
        config = config_file(tmp_path, {"plex": {"url": plex.url, "token": plex.token}})
        said = await ondeckd(config, "simulate", "--json", "--no-advice")
    assert said.code == 0, said.err
    figures = {one["policy"]: one for one in json.loads(said.out)["policies"]}
    assert (figures["nothing"]["plays"], figures["nothing"]["followed_missed"]) == (6, 5)
    assert figures["ondeckd"]["followed_missed"] == 0


async def test_a_history_from_plex_has_whole_shows_names_and_beginnings() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        show, movie = plex.library.shows[0], plex.library.movies[0]
        episodes = plex.library.episodes(show)
        watched(plex, "Ann", [episodes[2], movie])
        watched(plex, "Ben", [episodes[0]])
        told: list[tuple[int, int]] = []
        read = await from_plex(library, days=30, now=time.time(), tell=lambda *how_far: told.append(how_far))
        rows = await library.history(0.0)
    home = read.household
    assert set(home.titles) == {*episodes, movie}
    assert {home.titles[key].show for key in episodes} == {show}
    assert all(title.size and title.duration for title in home.titles.values())
    assert {(one.user, one.key) for one in home.viewings} == {
        ("Ann", episodes[2]),
        ("Ann", movie),
        ("Ben", episodes[0]),
    }
    ends = sorted(one.at + 0.9 * home.titles[one.key].duration for one in home.viewings)
    assert ends == pytest.approx(sorted(row.at for row in rows))
    assert told[-1] == (3, 3)


async def test_what_was_marked_by_hand_deleted_or_is_elsewhere_is_no_play() -> None:
    async with DemoServer(small_library()) as plex, connected(plex, libraries=("TV Shows",)) as library:
        first, second = plex.library.shows
        watched(plex, "Ann", [plex.library.episodes(first)[0], plex.library.movies[0]])
        plex.views.watched(plex.people["Ben"].id, second, time.time() - DAY)
        read = await from_plex(library, days=30, now=time.time(), tell=lambda *_: None)
    assert [one.key for one in read.household.viewings] == [plex.library.episodes(first)[0]]
    notes = "\n".join(read.notes)
    assert "8 titles marked as watched by hand" in notes
    assert "1 plays of what is gone or in other libraries" in notes


async def test_a_server_on_which_nobody_watched_has_no_history() -> None:
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        with pytest.raises(HistoryFault, match="no play of the last 30 days"):
            await from_plex(library, days=30, now=time.time(), tell=lambda *_: None)


async def test_a_csv_is_completed_with_what_plex_knows(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    async with DemoServer(small_library()) as plex, connected(plex) as library:
        episodes = plex.library.episodes(plex.library.shows[0])
        path.write_text(f"at,user,rating_key\n{NOON},Ann,{episodes[1]}\n{NOON + DAY},Ann,99999\n")
        read = await complete(library, from_csv(path), lambda *_: None)
    assert set(read.household.titles) == {*episodes, "99999"}
    title = read.household.titles[episodes[1]]
    assert (title.season, title.episode) == (1, 2)
    assert title.size != read.household.titles["99999"].size
    assert any("1 titles that Plex does not know" in note for note in read.notes)
