"""Who may ask the simulated server: its owner, and those the owner shares it with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiohttp import web

from daemon.model import OWNER

_FIRST_SHARED_ID = 10_000_001


@dataclass(slots=True)
class Identity:
    """Who the server says it is. Changed while it runs, it is another server at the same address."""

    name: str
    machine_identifier: str


@dataclass(frozen=True, slots=True)
class Person:
    """An account. `id` is the one that the server itself uses: "1" for the owner."""

    id: str
    title: str
    token: str

    @property
    def is_owner(self) -> bool:
        return self.id == OWNER


class People:
    """All accounts with their tokens; the first title given is the owner's."""

    def __init__(self, titles: Iterable[str]) -> None:
        self._by_token: dict[str, Person] = {}
        self._all: dict[str, Person] = {}
        for number, title in enumerate(titles):
            identifier = OWNER if number == 0 else str(_FIRST_SHARED_ID + number)
            person = Person(identifier, title, f"demo-token-of-{number}-{title.casefold()}")
            self._all[identifier] = person
            self._by_token[person.token] = person
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
            return who
        for person in self._all.values():
            if who in (person.id, person.title):
                return person
        raise KeyError(who)

    def by_token(self, token: str) -> Person | None:
        return self._by_token.get(token)

    def revoke(self, who: str | Person) -> None:
        """Make the person's token worthless: whoever uses it gets 401 from now on."""
        self._by_token.pop(self[who].token, None)

    def grant(self, who: str | Person) -> None:
        """Make a revoked token valid again."""
        person = self[who]
        self._by_token[person.token] = person


def token_of(request: web.Request) -> str:
    """Return the token that a request carries, in its header or its query."""
    return request.headers.get("X-Plex-Token") or request.query.get("X-Plex-Token", "")
