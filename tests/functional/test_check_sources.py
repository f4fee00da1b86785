"""``ondeckd check`` says who there is, and whether what each of them wants can be read."""

from __future__ import annotations

from pathlib import Path

from daemon.demo.trakt import DemoTrakt, movie
from daemon.model import Role
from tests.support.bad_input import files_below
from tests.support.command_line import config_file, ondeckd
from tests.support.daemon import House, at_home
from tests.support.plex import small_library

_ABOUT = ("users:", "user ", "watchlist.rss:", "trending:")
_EVERYBODY = "Ann (owner), Kid (managed), Cleo (shared)"


async def _said(house: House) -> tuple[int, list[str]]:
    """Return the exit code, and the lines about sources."""
    said = await ondeckd(config_file(house.folder / "etc", house.settings), "check")
    assert said.err == ""
    lines = [line.split(maxsplit=1) for line in said.out.splitlines()]
    return said.code, [f"{level} {text}" for level, text in lines if text.startswith(_ABOUT)]


async def test_each_user_and_each_source_has_a_line(tmp_path: Path) -> None:
    async with (
        DemoTrakt([movie("Nowhere", 2020, imdb="tt9900001")]) as trakt,
        at_home(tmp_path, small_library(), start=False, titles=("Ann", "Kid", "Cleo")) as house,
    ):
        plex = house.plex
        plex.people.change("Kid", role=Role.MANAGED, pin="4711", listed=False)
        plex.watchlists.private.add(plex.people["Cleo"].id)
        plex.watchlists.add("Ann", house.library.movies[0])
        plex.views.progress("1", house.library.movies[1], 600_000, house.clock.now())
        feed = plex.url + plex.watchlists.feed("Ann")
        house.set(
            on_deck={"enabled": True},
            watchlist={"enabled": True, "rss": [feed, f"{plex.url}/rss/nothing"]},
            trending={"enabled": True, "url": trakt.url, "client_id": trakt.client},
        )
        no_pin = 'a PIN protects this user: set [users."Kid"] pin'
        hidden = f"{plex.url[7:]} does not show this watchlist: Cleo can show it"
        code, lines = await _said(house)
        assert code == 0
        assert lines[:3] == [
            f"ok users: plex.tv and Plex name {_EVERYBODY}",
            "ok user Ann: on deck 1 title; watchlist 1 title",
            f"warning user Kid: on deck cannot be read: {no_pin}; watchlist 0 titles",
        ]
        assert lines[3].startswith(f"warning user Cleo: on deck 0 titles; watchlist cannot be read: {hidden}")
        assert lines[4:] == [
            "ok watchlist.rss: feed 1: 1 title",
            f"warning watchlist.rss: feed 2: cannot be read: {plex.url[7:]} does not know it (404)",
            "ok trending: Trakt names 1 movie",
        ]
        assert "accounts.json" not in {path.name for path in files_below(house.folder / "state")}


async def test_plex_tv_is_away_and_somebody_is_excluded(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False, titles=("Ann", "Cleo")) as house:
        house.set(on_deck={"enabled": True}, users={"exclude": ["Cleo"]})
        house.plex.faults.http("^/api/", status=503)
        why = f"{house.plex.url[7:]} answers with an error (503)"
        assert await _said(house) == (
            0,
            [
                f"warning users: who there is cannot be read: {why}; so far known: Ann (owner), Cleo (shared)",
                "ok user Ann: on deck 0 titles; watchlist off",
                "note user Cleo: users.exclude names this user",
            ],
        )


async def test_nothing_is_asked_of_what_is_switched_off(tmp_path: Path) -> None:
    async with at_home(tmp_path, small_library(), start=False) as house:
        assert await _said(house) == (0, [])
        assert not [one for one in house.plex.requests if one.path.startswith("/api")]
