"""Whatever plex.tv or the server answers, everybody stays known with the tokens that were had before."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from daemon.demo.faults import truncated
from daemon.errors import PlexUnauthorized
from daemon.plex.tokens import NAME
from tests.support.people import PIN, Home, home

WITH_PIN: dict[str, Any] = {"users": {"Kid": {"pin": PIN}}}

FAULTS: dict[str, dict[str, Any]] = {
    "401": {"status": 401},
    "403": {"status": 403},
    "429": {"status": 429, "headers": {"Retry-After": "3600"}},
    "429 without a word": {"status": 429},
    "503": {"status": 503},
    "500": {"status": 500},
    "empty": {"body": b""},
    "truncated": {"mangle": truncated},
    "html": {"body": "<html><body>Please wait</body></html>"},
    "redirect": {"status": 302, "headers": {"Location": "https://example.org/"}},
    "broken": {"reset": True},
}

PAGES = ("/api/v2/user", "/shared_servers", "/api/users/", "/api/home/users")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_page_that_fails_changes_nothing(tmp_path: Path, fault: str, page: str) -> None:
    async with home(tmp_path, **WITH_PIN) as ours:
        before = await ours.accounts.people()
        kept = (tmp_path / NAME).read_bytes()
        ours.plex.faults.http(page, **FAULTS[fault])
        assert await ours.later() == before
        assert ours.accounts.problem, "it is said that they may be out of date"
        if page != "/api/home/users":
            assert (tmp_path / NAME).read_bytes() == kept
        ours.plex.faults.clear()
        assert await ours.later() == before
        assert ours.accounts.problem == ""


async def test_plex_tv_unreachable_changes_nothing_across_a_restart(tmp_path: Path) -> None:
    async with home(tmp_path, **WITH_PIN) as ours:
        before = await ours.accounts.people()
        ours.tables["plex"] = {"tv_url": "http://127.0.0.1:1", "clients_url": "http://127.0.0.1:1"}
        await ours.start()
        assert await ours.later() == before
        assert "cannot be reached" in ours.accounts.problem


async def test_plex_tv_unreachable_from_the_beginning_leaves_the_names_that_the_server_tells(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        ours.tables["plex"] = {"tv_url": "http://127.0.0.1:1"}
        people = await ours.accounts.people()
        assert [one.user.title for one in people] == ["Ann", "Ben", "Kid", "Cleo", "Dan"]
        assert [bool(one.server_token) for one in people] == [True, False, False, False, False]
        assert all(one.problem == ours.accounts.problem for one in people[1:])
        del ours.tables["plex"]
        assert all(one.server_token for one in await ours.accounts.people() if one.user.title != "Kid")


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_server_itself_failing_changes_nothing(tmp_path: Path, fault: str) -> None:
    async with home(tmp_path, **WITH_PIN) as ours:
        before = await ours.accounts.people()
        ours.plex.faults.http("^/accounts", **FAULTS[fault])
        assert await ours.later() == before
        assert ours.accounts.problem


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("page", ["/switch", "/api/v2/resources"])
async def test_one_user_who_cannot_be_opened_now_costs_no_other(tmp_path: Path, fault: str, page: str) -> None:
    async with home(tmp_path, **WITH_PIN) as ours:
        ours.plex.faults.http(page, **FAULTS[fault])
        people = {one.user.title: one for one in await ours.accounts.people()}
        for title in ("Ann", "Ben", "Cleo", "Dan"):
            assert people[title].server_token == ours.plex.people[title].token
        assert people["Kid"].server_token == ""
        assert people["Kid"].problem
        ours.plex.faults.clear()
        if page == "/switch" and fault in {"401", "403"}:
            ours.tables["users"] = {}  # a refused PIN is not tried again
            await ours.accounts.people()
            ours.tables["users"] = WITH_PIN["users"]
        kid = next(one for one in await ours.later() if one.user.title == "Kid")
        assert (kid.server_token, kid.problem) == (ours.plex.people["Kid"].token, "")


async def test_plex_tv_that_asks_for_patience_is_left_alone_for_so_long(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        await ours.accounts.people()
        ours.plex.faults.http("/api/v2/user", status=429, headers={"Retry-After": "7200"})
        await ours.later()
        asked = ours.asked("/api/")
        await ours.later(1.5)
        assert ours.asked("/api/") == asked
        ours.plex.faults.clear()
        await ours.later(1)
        assert ours.accounts.problem == ""


async def test_a_revoked_user_leaves_the_owners_connection_healthy(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        cleo = await ours.person("Cleo")
        ours.plex.people.revoke("Cleo")
        with pytest.raises(PlexUnauthorized):
            await ours.on_deck.fetch(cleo)
        assert ours.library.problem == ""
        await ours.on_deck.fetch(await ours.person("Dan"))
        ours.plex.people.revoke("Ann")
        with pytest.raises(PlexUnauthorized):
            await ours.library.sessions()
        await ours.on_deck.fetch(await ours.person("Dan"))
        assert ours.library.problem == "Plex refuses the token (401)", "another's success says nothing of the owner"


async def _live_through(ours: Home, seen: list[object]) -> None:
    """Let everything happen that may speak of a token, and collect what is said."""
    people = ours.plex.people
    seen += await ours.accounts.people()
    for fault in FAULTS.values():
        for page in (*PAGES, "/switch", "/resources", "/hubs/", "/library/"):
            ours.plex.faults.http(page, **fault)
            for one in await ours.later():
                ours.accounts.refused(one)
                try:
                    await ours.on_deck.fetch(one)
                except Exception as error:  # noqa: BLE001 - whatever it is, it must not tell
                    seen += [error, repr(error)]
            seen += [ours.accounts.problem, [repr(one) for one in ours.accounts.known()]]
            seen += [one.problem for one in ours.accounts.known()]
            ours.plex.faults.clear()
    people.revoke("Cleo")
    people.revoke_account("Ben")
    seen += [repr(one) for one in await ours.later()]


async def test_no_token_and_no_pin_is_in_any_message_log_or_other_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[object] = []
    with capture_logs() as logs:
        async with home(tmp_path, **WITH_PIN) as ours:
            ours.tables["users"] = {"Kid": {"pin": PIN}, "Dan": {"token": ours.plex.people["Dan"].account_token}}
            await _live_through(ours, seen)
            known = ours.accounts.known()
    secrets = {secret for one in known for secret in (one.server_token, one.account_token) if secret} | {PIN}
    assert len(secrets) > 6
    others = [path.read_text() for path in tmp_path.rglob("*") if path.is_file() and path.name != NAME]
    said = "\n".join([*map(str, seen), *map(str, logs), *others, *(one.getMessage() for one in ours_only(caplog))])
    assert [secret for secret in secrets if secret in said] == []


def ours_only(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what is logged on this side; asyncio's debug lines name sockets alone."""
    return [one for one in caplog.records if not one.name.startswith("aiohttp.access")]
