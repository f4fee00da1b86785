"""Everybody who uses the server gets the right role and the right tokens, from plex.tv and from the settings."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from daemon.demo.server import DemoServer
from daemon.model import OWNER, Role
from daemon.plex.tokens import NAME
from tests.support.people import PIN, home, tokens
from tests.support.plex import small_library

WITH_PIN: dict[str, Any] = {"users": {"Kid": {"pin": PIN}}}


async def test_every_role_gets_its_tokens(tmp_path: Path) -> None:
    async with home(tmp_path, **WITH_PIN) as ours:
        people = await ours.accounts.people()
        roles = {one.user.title: one.role for one in people}
        all_of = ours.plex.people
        assert roles == {
            "Ann": Role.OWNER,
            "Ben": Role.HOME,
            "Kid": Role.MANAGED,
            "Cleo": Role.SHARED,
            "Dan": Role.SHARED,
        }
        assert tokens(people) == {
            "Ann": (ours.plex.token, ours.plex.token),
            "Ben": (all_of["Ben"].token, all_of["Ben"].account_token),
            "Kid": (all_of["Kid"].token, all_of["Kid"].account_token),
            "Cleo": (all_of["Cleo"].token, ""),
            "Dan": (all_of["Dan"].token, ""),
        }
        assert people[0].user.id == OWNER
        assert all(one.uuid == all_of[one.user.title].uuid for one in people), "also of friends, from their pictures"
        assert [one.problem for one in people] == [""] * 5
        assert ours.accounts.problem == ""


async def test_plex_tv_is_asked_once_in_a_few_hours_and_home_users_are_switched_to_only_once(tmp_path: Path) -> None:
    async with home(tmp_path, **WITH_PIN) as ours:
        first = await ours.accounts.people()
        asked = ours.asked("/api/")
        assert await ours.later(1) == first
        assert ours.asked("/api/") == asked
        assert await ours.later(6) == first
        assert ours.asked("/switch") == 2, "what a switch gave is kept"
        assert ours.asked("/api/") - asked == 4


async def test_what_is_known_survives_a_restart_in_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    async with home(tmp_path, **WITH_PIN) as ours:
        people = await ours.accounts.people()
        asked, identifier = ours.asked("/api/"), ours.accounts.identifier
        await ours.start()
        assert ours.accounts.known() == people
        assert await ours.accounts.people() == people
        assert (ours.accounts.problem, ours.asked("/api/")) == ("", asked), "it is not old yet"
        assert ours.accounts.identifier == identifier
        assert [path.name for path in tmp_path.iterdir()] == [NAME]
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
        # What somebody made readable is not, after the next writing.
        (tmp_path / NAME).chmod(0o644)
        await ours.later()
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "[1]", '{"identifier": 7}', "\0"])
async def test_a_spoilt_file_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with capture_logs() as logs:
        async with home(tmp_path) as ours:
            assert (await ours.person("Cleo")).server_token
            assert ours.accounts.identifier
    assert "accounts_unreadable" in [one["event"] for one in logs]


async def test_a_folder_that_cannot_be_written_costs_nothing_but_a_question_after_a_restart(tmp_path: Path) -> None:
    async with home(tmp_path / "missing") as ours:
        with capture_logs() as logs:
            assert (await ours.person("Cleo")).server_token
        assert [one["event"] for one in logs] == ["accounts_not_kept"]


async def test_a_pin_that_is_missing_or_wrong_is_named_and_not_tried_again(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        kid = await ours.person("Kid")
        assert kid.server_token == kid.account_token == ""
        assert kid.problem == 'a PIN protects this user: set [users."Kid"] pin'
        ours.tables["users"] = {"kid": {"pin": "0000"}}
        kid = await ours.person("Kid")
        assert kid.problem == 'plex.tv refuses [users."Kid"] pin'
        asked = ours.asked("/switch")
        await ours.later()
        await ours.start()
        await ours.later()
        assert ours.asked("/switch") == asked, "plex.tv might lock the user out"
        assert ours.accounts.problem == "", "nothing else is wrong"
        ours.tables["users"] = {"kid": {"pin": PIN}}
        kid = await ours.person("Kid")
        assert (kid.server_token, kid.problem) == (ours.plex.people["Kid"].token, "")


async def test_a_token_of_plex_tv_in_the_settings_goes_before_all_others(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        await ours.accounts.people()
        cleo = ours.plex.people["Cleo"]
        ours.tables["users"] = {"Cleo": {"token": cleo.account_token}}
        assert tokens([await ours.person("Cleo")]) == {"Cleo": (cleo.token, cleo.account_token)}
        asked = ours.asked("/resources")
        await ours.later()
        assert ours.asked("/resources") == asked, "what it opens is remembered"
        ours.tables["users"] = {}
        assert tokens([await ours.person("Cleo")]) == {"Cleo": (cleo.token, "")}


async def test_a_token_of_the_server_in_the_settings_is_found_out_by_trying_it(tmp_path: Path) -> None:
    async with home(tmp_path, users={"Kid": {"token": "demo-token-of-2-kid"}}) as ours:
        assert tokens([await ours.person("Kid")]) == {"Kid": ("demo-token-of-2-kid", "")}


async def test_a_token_that_opens_nothing_or_is_somebody_elses_is_named_and_not_used(tmp_path: Path) -> None:
    async with home(tmp_path, users={"Cleo": {"token": "nonsense"}}) as ours:
        cleo = await ours.person("Cleo")
        assert cleo.server_token == ours.plex.people["Cleo"].token
        assert cleo.problem == 'the token in [users."Cleo"] is refused'
        ours.tables["users"] = {"Cleo": {"token": ours.plex.people["Dan"].account_token}}
        cleo = await ours.person("Cleo")
        assert cleo.server_token == ours.plex.people["Cleo"].token
        assert cleo.problem == 'the token in [users."Cleo"] is that of Dan'


async def test_whom_only_the_server_knows_is_known_without_a_token(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        ours.plex.people.change("Dan", known=False)
        dan = await ours.person("Dan")
        assert (dan.role, dan.server_token) == (Role.SHARED, "")
        assert dan.problem == "plex.tv gives no token of this user"
        ours.tables["users"] = {"Dan": {"token": ours.plex.people["Dan"].token}}
        assert (await ours.person("Dan")).server_token == ours.plex.people["Dan"].token


async def test_a_friend_who_is_gone_is_not_asked_about_any_more(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        assert (await ours.person("Dan")).server_token
        ours.plex.people.change("Dan", known=False)
        await ours.later()
        assert (await ours.person("Dan")).server_token == ""
        assert (await ours.person("Cleo")).server_token


async def test_a_refused_token_is_asked_for_again_but_not_at_every_refusal(tmp_path: Path) -> None:
    async with home(tmp_path, **WITH_PIN) as ours:
        await ours.accounts.people()
        asked = ours.asked("/api/")
        for title in ("Cleo", "Kid"):
            ours.plex.people.renew(title)
            ours.accounts.refused(await ours.person(title))
        assert ours.asked("/api/") == asked
        people = {one.user.title: one for one in await ours.later(0.2)}
        for title in ("Cleo", "Kid"):
            assert people[title].server_token == ours.plex.people[title].token
        asked = ours.asked("/api/")
        await ours.later(1)
        assert ours.asked("/api/") == asked


async def test_a_refused_account_of_a_home_user_is_switched_to_again(tmp_path: Path) -> None:
    async with home(tmp_path, **WITH_PIN) as ours:
        ben = await ours.person("Ben")
        ours.plex.people.revoke_account("Ben")
        ours.accounts.refused(ben)
        await ours.later(0.2)
        again = await ours.person("Ben")
        assert again.account_token == ours.plex.people["Ben"].account_token != ben.account_token


async def test_nobody_switches_to_an_excluded_user(tmp_path: Path) -> None:
    async with home(tmp_path, users={"exclude": ["ben"], "Kid": {"pin": PIN}}) as ours:
        assert (await ours.person("Ben")).account_token == ""
        assert ours.asked("/switch") == 1
        ours.tables["users"] = {"exclude": []}
        assert (await ours.person("Ben")).account_token == ours.plex.people["Ben"].account_token


async def test_what_could_not_be_had_is_asked_for_at_once_after_a_restart(tmp_path: Path) -> None:
    async with home(tmp_path, **WITH_PIN) as ours:
        ours.plex.faults.http("/switch", status=503)
        assert (await ours.person("Kid")).server_token == ""
        ours.plex.faults.clear()
        await ours.start()
        assert (await ours.person("Kid")).server_token


async def test_another_server_at_the_same_address_has_other_users(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        await ours.accounts.people()
        ours.plex.identity.machine_identifier = "another"
        await ours.start()
        assert (await ours.later())[1].server_token
        assert ours.asked("/api/servers/another/shared_servers") == 1


async def test_tokens_of_another_server_are_not_kept(tmp_path: Path) -> None:
    async with home(tmp_path) as ours:
        await ours.accounts.people()
        ours.plex.identity.machine_identifier = "another"
        ours.plex.faults.http("/shared_servers", status=503)
        await ours.start()
        assert [bool(one.server_token) for one in await ours.later()] == [True, False, False, False, False]


async def test_without_a_token_only_the_owner_is_known(tmp_path: Path) -> None:
    async with home(tmp_path, plex={"token": ""}) as ours:
        (owner,) = await ours.accounts.people()
        assert (owner.user.id, owner.server_token, owner.problem) == (OWNER, "", "plex.token is not set")
        assert ours.accounts.problem == "plex.token is not set"
        assert not ours.plex.requests


async def test_twenty_five_users_cost_a_handful_of_requests(tmp_path: Path) -> None:
    plex = DemoServer(small_library(), users=[f"User-{number}" for number in range(25)])
    async with home(tmp_path, plex) as ours:
        people = await ours.accounts.people()
        assert len(people) == 25
        assert all(one.server_token for one in people)
        assert len(plex.requests) <= 7
