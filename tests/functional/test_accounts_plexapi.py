"""The simulated plex.tv, as plexapi itself uses it: what is true there is true of the real one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from plexapi.exceptions import BadRequest, Unauthorized

from tests.support.people import PIN, Home, home
from tests.support.plexapi_calls import Redirected, sign_in


async def account(ours: Home, what: Any, who: str = "Ann") -> Any:
    """Return what plexapi finds with somebody's account."""

    def work() -> Any:
        with Redirected(ours.plex.url) as session:
            return what(sign_in(token=ours.plex.people[who].account_token, session=session))

    return await asyncio.to_thread(work)


async def test_plexapi_switches_to_home_users_and_finds_the_server_there(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:

        def switch(owner: Any) -> Any:
            kid = owner.switchHomeUser("Kid", pin=PIN)
            return kid.title, kid.authToken, [one.accessToken for one in kid.resources() if one.provides == "server"]

        kid = ours.plex.people["Kid"]
        assert await account(ours, switch) == ("Kid", kid.account_token, [kid.token])
        with pytest.raises(BadRequest, match="403"):
            await account(ours, lambda owner: owner.switchHomeUser("Kid", pin="1"))


async def test_plexapi_sees_who_is_at_home(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        users = await account(ours, lambda owner: {one.title: (one.home, one.restricted) for one in owner.users()})
        assert users == {"Ben": (True, "0"), "Kid": (True, "1"), "Cleo": (False, "0"), "Dan": (False, "0")}


async def test_tokens_of_the_server_open_no_account_and_those_of_accounts_not_the_server(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        ours.plex.people.revoke_account("Ben")
        with pytest.raises(Unauthorized):
            await account(ours, lambda owner: owner, "Ben")
