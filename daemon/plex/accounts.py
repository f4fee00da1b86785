"""Who uses the server, in which role, and the tokens with which each of them is read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import structlog

from daemon.clock import Clock
from daemon.config import Settings
from daemon.errors import OndeckdError, PlexError, PlexUnauthorized, RemoteError, RemoteNotFound, RemoteRefused
from daemon.model import OWNER, Person, Role, User
from daemon.outbound import Outbound
from daemon.plex.library import PlexLibrary
from daemon.plex.openers import NOT_GIVEN, Openers
from daemon.plex.plextv import Account, PlexTv
from daemon.plex.tokens import Known, read, write

log = structlog.get_logger()

_FRESH = 6 * 3600.0
_AGAIN = 600.0
"""Seconds after which plex.tv is asked again when it failed, or when a token was refused."""


@dataclass(frozen=True, slots=True)
class _Roster:
    owner: Account
    users: Mapping[str, Known]
    shares: Mapping[str, str]
    """Tokens of this server by account id."""
    problem: str = ""


class Accounts:
    """Knows everybody. `problem` says why what is known may be old; empty: plex.tv has said it all.

    `may_pass` says whether that problem may be over before long. Users and tokens are kept in `directory`, so that
    plex.tv being down changes nothing. It is asked every few hours, when the settings about users change, and when a
    token is refused. The owner's token opens both the server and plex.tv. Of everybody else plex.tv names the token of
    this server; home users can be switched to, which gives their own token of plex.tv as well. A token in the settings
    goes before both.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        outbound: Outbound,
        library: PlexLibrary,
        clock: Clock,
        directory: Path,
    ) -> None:
        self._settings = settings
        self._library = library
        self._clock = clock
        self._directory = directory
        self._memory = read(directory)
        self._tv = PlexTv(settings, outbound, self._memory.identifier)
        self._openers = Openers(settings, self._tv, library)
        self._tried_at = self._memory.asked_at
        self._next = self._tried_at + _FRESH
        self._tried_with = self._memory.wishes
        self._renew: set[str] = set()
        self._asking = asyncio.Lock()
        self.problem = "" if self._memory.asked_at else "plex.tv has not been asked yet"
        self.may_pass = True

    @property
    def identifier(self) -> str:
        """Who ondeckd is to plex.tv (``X-Plex-Client-Identifier``); the same for ever."""
        return self._memory.identifier

    async def people(self) -> list[Person]:
        """Return everybody, the owner first; asks plex.tv where that is due. Never raises: see `problem`."""
        async with self._asking:
            now = self._clock.now()
            if not self._tried_at <= now < self._next or self._tried_with != self._wishes():
                await self._ask(now)
        return self.known()

    def known(self) -> list[Person]:
        """Return everybody who is known now, without asking."""
        token = self._settings().plex.token.get_secret_value()
        owner = Person(
            User(OWNER, self._memory.owner_title),
            Role.OWNER,
            token,
            token,
            self._memory.owner_uuid,
            "" if token else "plex.token is not set",
        )
        return [owner, *map(_person, self._memory.users)]

    def refused(self, person: Person) -> None:
        """Take note that a token of this user does not work: another is asked for, but not at every refusal."""
        if person.user.id != OWNER:
            self._renew.add(person.user.id)
            self._next = min(self._next, self._tried_at + _AGAIN)

    async def _ask(self, now: float) -> None:
        self._tried_with = self._wishes()
        self._tried_at, self._next = now, now + _AGAIN
        try:
            names = await self._library.accounts()
        except PlexError as error:
            self._failed(error)
            return
        if self._memory.machine not in {"", self._library.machine_identifier}:
            self._memory = replace(self._memory, users=(), asked_at=0.0)
        self._memory = replace(self._memory, machine=self._library.machine_identifier)
        try:
            roster = await self._roster(names)
        except RemoteError as error:
            self._failed(error)
            # The server itself still tells who there is.
            users = _listed(names, str(error)) | {one.id: one for one in self._memory.users}
            self._memory = replace(self._memory, users=tuple(users.values()), owner_title=_owner(names))
            return
        await self._open(roster, names, now)

    async def _roster(self, names: Sequence[User]) -> _Roster:
        """Return who there is, without the owner: those of plex.tv who may use this server, and those it lists."""
        token = self._settings().plex.token.get_secret_value()
        owner = await self._tv.whose(token)
        shares = await self._tv.shares(token, self._library.machine_identifier)
        friends = await self._tv.friends(token)
        home, problem = await self._home(token)
        here = {user.id for user in names} | shares.keys()
        users = _listed(names, NOT_GIVEN)
        users |= {key: Known(key, name) for key, (name, _) in shares.items()}
        users |= {one.id: _known(one) for one in friends if one.home or one.id in here}
        users |= {one.id: _known(replace(one, home=True)) for one in home}
        # The owner has another id on the server; whoever has no name anywhere is found by id.
        users = {key: replace(one, title=one.title or key) for key, one in users.items() if key != owner.id}
        return _Roster(owner, users, {key: token for key, (_, token) in shares.items()}, problem)

    async def _home(self, token: str) -> tuple[list[Account], str]:
        try:
            return await self._tv.home(token), ""
        except RemoteNotFound:
            return [], ""
        except RemoteRefused as error:
            # The token is good for all else, so this alone may not be told; home users are among the friends as well.
            return [], str(error)

    async def _open(self, roster: _Roster, names: Sequence[User], now: float) -> None:
        before = {one.id: one for one in self._memory.users}
        self.problem, self.may_pass = roster.problem, False
        users = []
        for user in roster.users.values():
            last = before.get(user.id, user)
            shared = roster.shares.get(user.id, "")
            try:
                opened = await self._openers.open(user, last, shared, renew=user.id in self._renew)
            except (PlexError, RemoteError) as error:
                self._failed(error)
                server = last.server_token if last.given else shared or last.server_token
                opened = replace(
                    last, title=user.title, role=user.role, server_token=server, problem="" if server else str(error)
                )
            users.append(opened)
        if not self.problem:
            self._next = now + _FRESH
            self._renew.clear()
        self._memory = replace(
            self._memory,
            # What is missing is asked for after a restart as well.
            asked_at=self._memory.asked_at if self.problem else now,
            wishes=self._tried_with,
            owner_title=_owner(names) or roster.owner.title,
            owner_uuid=roster.owner.uuid,
            users=tuple(users),
        )
        await asyncio.to_thread(write, self._directory, self._memory)

    def _failed(self, error: OndeckdError) -> None:
        self.problem = str(error)
        self.may_pass = not isinstance(error, PlexUnauthorized | RemoteRefused)
        log.debug("accounts_unknown", why=self.problem)

    def _wishes(self) -> str:
        """Return a fingerprint of what the settings say about tokens: another means to ask at once."""
        settings = self._settings()
        people = {
            name: (own.token.get_secret_value(), own.pin.get_secret_value())
            for name, own in sorted(settings.users.people.items())
        }
        plex = settings.plex
        token, excluded = plex.token.get_secret_value(), settings.users.exclude
        said = json.dumps([plex.url, token, plex.tv_url, plex.clients_url, people, excluded])
        return blake2b(said.encode(), digest_size=16).hexdigest()


def _person(known: Known) -> Person:
    return Person(
        User(known.id, known.title), known.role, known.server_token, known.account_token, known.uuid, known.problem
    )


def _known(account: Account) -> Known:
    role = Role.SHARED
    if account.home:
        role = Role.MANAGED if account.restricted else Role.HOME
    return Known(account.id, account.title, role, account.uuid, account.protected)


def _listed(names: Sequence[User], why: str) -> dict[str, Known]:
    """Return whom the server lists, without any token."""
    return {user.id: Known(user.id, user.title, problem=why) for user in names if user.id != OWNER}


def _owner(names: Sequence[User]) -> str:
    return next((user.title for user in names if user.id == OWNER), "")
