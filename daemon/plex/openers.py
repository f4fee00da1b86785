"""Finds the tokens of one user: from the settings, from the owner's share, or by switching to a home user."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from daemon.config import Settings
from daemon.errors import PlexUnauthorized, RemoteNotFound, RemoteRefused
from daemon.model import Role, User
from daemon.plex.library import PlexLibrary
from daemon.plex.plextv import PlexTv
from daemon.plex.tokens import Known

NOT_GIVEN = "plex.tv gives no token of this user"
_NO_ACCESS = "this account has no access to the server"


class Openers:
    """Asks plex.tv only for what is not known from last time."""

    def __init__(self, settings: Callable[[], Settings], tv: PlexTv, library: PlexLibrary) -> None:
        self._settings = settings
        self._tv = tv
        self._library = library

    async def open(self, user: Known, last: Known, shared: str, *, renew: bool) -> Known:
        """Return the user with all tokens that can be had, or why there is none.

        `last` is what was known before, `shared` the token of this server that plex.tv names. `renew`: what is known
        does not work. About users who are excluded nothing is asked. Raises PlexError and RemoteError where that
        cannot be found out now.
        """
        users, who = self._settings().users, User(user.id, user.title)
        if users.excludes(who):
            return replace(user, server_token=shared, problem="")
        own = users.of(who)
        token, pin = own.token.get_secret_value(), own.pin.get_secret_value()
        why = ""
        if token:
            if token == last.given and last.server_token and not renew:
                return replace(
                    user, server_token=last.server_token, account_token=last.account_token, uuid=last.uuid, given=token
                )
            given = await self._given(user, token)
            if given.given:
                server = given.server_token or shared
                return replace(given, server_token=server, problem="" if server else _NO_ACCESS)
            why = given.problem
        found = replace(user, server_token=shared, problem=why)
        if user.role in {Role.HOME, Role.MANAGED}:
            kept = last if not (renew or last.given) else user
            found = await self._at_home(found, kept, last.refused_pin, pin)
        if not found.server_token and not found.problem:
            found = replace(found, problem=NOT_GIVEN)
        return found

    async def _given(self, user: Known, token: str) -> Known:
        """Return the user by the token of the settings: one of plex.tv, or else one of this server.

        Whose a token of the server is cannot be found out; one of plex.tv must be the user's.
        """
        where = f'the token in [users."{user.title}"]'
        try:
            account = await self._tv.whose(token)
        except RemoteRefused:
            try:
                await self._library.as_user(token).sections()
            except PlexUnauthorized:
                return replace(user, problem=f"{where} is refused")
            return replace(user, server_token=token, given=token)
        if account.id != user.id:
            return replace(user, problem=f"{where} is that of {account.title or 'another account'}")
        server = await self._tv.server_token(token, self._library.machine_identifier)
        return replace(user, server_token=server, account_token=token, given=token, uuid=account.uuid or user.uuid)

    async def _at_home(self, user: Known, kept: Known, refused_pin: str, pin: str) -> Known:
        """Return a home user with the own token of plex.tv, and with it the one of this server."""
        if kept.account_token:
            with suppress(RemoteRefused):
                server = user.server_token or kept.server_token
                return await self._with(replace(user, server_token=server), kept.account_token)
        where = f'[users."{user.title}"] pin'
        if user.protected and not pin:
            return replace(user, problem=user.problem or f"a PIN protects this user: set {where}")
        if pin and pin == refused_pin:
            return replace(user, refused_pin=pin, problem=user.problem or f"plex.tv refuses {where}")
        try:
            account = await self._tv.switch(self._settings().plex.token.get_secret_value(), user.id, pin)
        except (RemoteRefused, RemoteNotFound) as error:
            why = f"plex.tv refuses {where}" if pin else f"the owner may not switch to this user: {error}"
            refused = pin if isinstance(error, RemoteRefused) else ""
            return replace(user, refused_pin=refused, problem=user.problem or why)
        return await self._with(user, account)

    async def _with(self, user: Known, account: str) -> Known:
        """Return the user with this token of plex.tv, and with one of this server if that is still missing."""
        server = user.server_token or await self._tv.server_token(account, self._library.machine_identifier)
        problem = user.problem or ("" if server else _NO_ACCESS)
        return replace(user, account_token=account, server_token=server, problem=problem)
