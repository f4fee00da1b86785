"""Who may ask the simulated server: its owner, and those the owner shares it with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import count
from typing import Any

from aiohttp import web

from daemon.model import OWNER, Role

_FIRST_SHARED_ID = 10_000_001
_OWNERS_ACCOUNT = "10000001"
_SERVICES = re.compile(r"/api\b|/library/sections/watchlist/|/library/metadata/[0-9a-f]{24}\b")
"""Paths of plex.tv: there the account's own token counts, on the server that of the server."""


@dataclass(slots=True)
class Identity:
    """Who the server says it is. Changed while it runs, it is another server at the same address."""

    name: str
    machine_identifier: str


@dataclass(frozen=True, slots=True)
class Person:
    """An account. `id` is the one that the server itself uses: "1" for the owner.

    `token` opens this server, `account_token` plex.tv; the owner's is one and the same. `pin` protects a home user.
    `listed`: the token is told to the owner with those of all shares; without it a home user must be switched to.
    `known`: plex.tv names the person to the owner.
    """

    id: str
    title: str
    token: str
    account_token: str = ""
    role: Role = Role.SHARED
    pin: str = ""
    listed: bool = True
    known: bool = True

    @property
    def is_owner(self) -> bool:
        return self.id == OWNER

    @property
    def account(self) -> str:
        """Return the person's id at plex.tv."""
        return _OWNERS_ACCOUNT if self.is_owner else self.id

    @property
    def uuid(self) -> str:
        """Return the person's id at plex.tv's community."""
        return blake2b(self.account.encode(), digest_size=8).hexdigest()

    @property
    def at_home(self) -> bool:
        """Say whether the person belongs to the owner's home."""
        return self.role is not Role.SHARED


class People:
    """All accounts with their tokens; the first title given is the owner's, the others are friends."""

    def __init__(self, titles: Iterable[str]) -> None:
        self._by_token: dict[str, str] = {}
        self._by_account: dict[str, str] = {}
        self._all: dict[str, Person] = {}
        self._tokens = count(1)
        for number, title in enumerate(titles):
            identifier = OWNER if number == 0 else str(_FIRST_SHARED_ID + number)
            token = f"demo-token-of-{number}-{title.casefold()}"
            account = token if number == 0 else f"demo-account-of-{number}-{title.casefold()}"
            role = Role.OWNER if number == 0 else Role.SHARED
            self._all[identifier] = Person(identifier, title, token, account, role)
            self._by_token[token] = self._by_account[account] = identifier
        if OWNER not in self._all:
            raise ValueError("a server needs an owner")

    def __iter__(self) -> Iterator[Person]:
        return iter(self._all.values())

    @property
    def owner(self) -> Person:
        return self._all[OWNER]

    def __getitem__(self, who: str | Person) -> Person:
        """Return the person with this id or title; KeyError when there is none."""
        if isinstance(who, Person):
            return self._all[who.id]
        for person in self._all.values():
            if who in (person.id, person.title):
                return person
        raise KeyError(who)

    def by_token(self, token: str) -> Person | None:
        """Return whose token of this server it is."""
        return self._all.get(self._by_token.get(token, ""))

    def by_account(self, token: str) -> Person | None:
        """Return whose token of plex.tv it is."""
        return self._all.get(self._by_account.get(token, ""))

    def admits(self, request: web.Request) -> bool:
        """Say whether a request's token is worth anything at its path."""
        if request.path.startswith("/rss/"):  # a feed's address is all it takes
            return True
        service = _SERVICES.match(request.path)
        return (self.by_account if service else self.by_token)(token_of(request)) is not None

    def change(self, who: str | Person, **fields: Any) -> Person:
        """Make a person another: role, PIN, whether they are listed or known."""
        person = self[who]
        self._all[person.id] = changed = replace(person, **fields)
        return changed

    def revoke(self, who: str | Person) -> None:
        """Make the person's token worthless: whoever uses it gets 401 from now on."""
        self._by_token.pop(self[who].token, None)

    def grant(self, who: str | Person) -> None:
        """Make a revoked token valid again."""
        person = self[who]
        self._by_token[person.token] = person.id

    def renew(self, who: str | Person) -> Person:
        """Give the person another token of this server; the old one is worthless."""
        self.revoke(who)
        person = self.change(who, token=f"{self[who].token}-{next(self._tokens)}")
        self.grant(person)
        return person

    def revoke_account(self, who: str | Person) -> None:
        """Make the person's token of plex.tv worthless; the next switch to a home user makes another."""
        self._by_account.pop(self[who].account_token, None)

    def switch(self, who: str | Person) -> Person:
        """Return the person with a token of plex.tv that is valid."""
        person = self[who]
        if person.account_token not in self._by_account:
            person = self.change(who, account_token=f"{person.account_token}-{next(self._tokens)}")
            self._by_account[person.account_token] = person.id
        return person


def token_of(request: web.Request) -> str:
    """Return the token that a request carries, in its header or its query."""
    return request.headers.get("X-Plex-Token") or request.query.get("X-Plex-Token", "")
