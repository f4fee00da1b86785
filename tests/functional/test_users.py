"""Who uses the server, over HTTP and on the command line, and from the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.commands.listings import show_list
from daemon.model import DemandKind
from daemon.state import sources
from daemon.state.store import Store
from daemon.users import Users
from daemon.web.service import Listing, Query
from tests.support.people import PIN, home
from tests.support.web import MemoryService, serving


async def listing(tmp_path: Path, query: Query) -> Listing:
    """Return what is listed of a household of which one source has failed."""
    async with home(tmp_path, users={"Kid": {"pin": PIN}, "exclude": ["Dan"]}) as ours, Store(tmp_path) as store:
        ben = await ours.person("Ben")

        await store.run(lambda connection: sources.put_failure(connection, DemandKind.ON_DECK, ben.user.id, "why", 7.0))
        users = Users(store, lambda: ours.settings, ours.clock, ours.accounts.known)
        found = await users.users(query)
        said = str(found.items)
        assert not any(one.server_token in said for one in ours.accounts.known() if one.server_token)
        assert PIN not in said
        return found


async def test_everybody_is_listed_in_their_order(tmp_path: Path) -> None:
    found = await listing(tmp_path, Query())
    shown = [(row["title"], row["role"], row["state"]) for row in found.items]
    assert shown == [
        ("Ann", "owner", "counts"),
        ("Ben", "home", "counts"),
        ("Kid", "managed", "counts"),
        ("Cleo", "shared", "counts"),
        ("Dan", "shared", "excluded"),
    ]
    assert found.items[1]["sources"][0]["problem"] == "why"


async def test_a_part_can_be_asked_for(tmp_path: Path) -> None:
    found = await listing(tmp_path, Query(limit=1, offset=1, q="shared", sort="-title"))
    assert ([row["title"] for row in found.items], found.total) == (["Cleo"], 2)


async def test_the_api_lists_them(tmp_path: Path) -> None:
    rows = (await listing(tmp_path, Query())).items
    async with serving(MemoryService(rows={"users": rows})) as served:
        answer = await served.http.get("/api/v1/users?limit=2")
        assert await answer.json() == {"items": rows[:2], "total": 5}


async def test_the_command_shows_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = (await listing(tmp_path, Query())).items
    show_list("users", {"items": rows, "total": len(rows)}, as_json=False)
    shown = capsys.readouterr().out
    for name in ("Ann", "Kid", "managed", "excluded", "not read yet", "fails since 1970-01-01 00:00: why"):
        assert name in " ".join(shown.split())
    assert "on_deck:" not in shown, "it has a column of its own"
