"""plex.tv: who the owner is, who else may use the server, and with which tokens.

Addresses and shapes are those of python-plexapi (``myplex.py``) and of recorded answers. The pages below ``/api/v2/``
answer in JSON, the older ones in XML only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element

from daemon import __version__
from daemon.config import Settings
from daemon.errors import RemoteUnavailable
from daemon.outbound import Outbound, Reply
from daemon.plex.frames import digits, text

_PICTURE = re.compile(r"/users/([0-9a-f]{16})/avatar")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of plex.tv. A home user is `restricted` where managed by the owner, `protected` by a PIN."""

    id: str
    title: str
    uuid: str = ""
    username: str = ""
    home: bool = False
    restricted: bool = False
    protected: bool = False


class PlexTv:
    """Asks plex.tv. Every method raises RemoteError and nothing else."""

    def __init__(self, settings: Callable[[], Settings], outbound: Outbound, identifier: str) -> None:
        self._settings = settings
        self._outbound = outbound
        self._identifier = identifier

    async def whose(self, token: str) -> Account:
        """Return the account of a token."""
        told = (await self._ask("/api/v2/user", token)).json()
        if not isinstance(told, dict) or not digits(str(told.get("id"))):
            raise RemoteUnavailable("plex.tv does not say whose token it is")
        return _account(told)

    async def home(self, token: str) -> list[Account]:
        """Return the home's users, the one who asks among them."""
        return _accounts(await self._ask("/api/home/users", token))

    async def friends(self, token: str) -> list[Account]:
        """Return friends and home users, without the one who asks."""
        return _accounts(await self._ask("/api/users/", token))

    async def shares(self, token: str, machine: str) -> dict[str, tuple[str, str]]:
        """Return name and token of everybody with whom this server is shared, by account id."""
        root = _root(await self._ask(f"/api/servers/{quote(machine, safe='')}/shared_servers", token), "MediaContainer")
        return {
            text(one.get("userID")): (text(one.get("username")), text(one.get("accessToken")))
            for one in root.iter("SharedServer")
            if digits(text(one.get("userID")))
        }

    async def switch(self, token: str, user: str, pin: str) -> str:
        """Return a home user's own token. RemoteRefused with a wrong PIN, or where the owner may not switch."""
        params = {"pin": pin} if pin else None
        root = _root(await self._ask(f"/api/home/users/{user}/switch", token, method="POST", params=params), "user")
        found = text(root.get("authenticationToken") or root.get("authToken"))
        if not found:
            raise RemoteUnavailable("plex.tv gives no token for a home user")
        return found

    async def server_token(self, token: str, machine: str) -> str:
        """Return the token with which an account opens this server; empty: it may not."""
        told = (await self._ask("/api/v2/resources", token, host=self._settings().plex.clients_url)).json()
        if not isinstance(told, list):
            raise RemoteUnavailable("plex.tv does not say which servers there are")
        for one in told:
            if isinstance(one, dict) and one.get("clientIdentifier") == machine:
                return text(one.get("accessToken"))
        return ""

    async def _ask(
        self, path: str, token: str, *, host: str = "", method: str = "GET", params: Mapping[str, str] | None = None
    ) -> Reply:
        headers = {
            "X-Plex-Token": token,
            "X-Plex-Client-Identifier": self._identifier,
            "X-Plex-Product": "ondeckd",
            "X-Plex-Version": __version__,
        }
        url = f"{(host or self._settings().plex.tv_url).rstrip('/')}{path}"
        return await self._outbound.ask(url, method=method, headers=headers, params=params)


def _root(reply: Reply, tag: str) -> Element:
    root = reply.xml()
    if root.tag != tag:
        raise RemoteUnavailable(f"{reply.host} answers with something else than was asked for")
    return root


def _accounts(reply: Reply) -> list[Account]:
    found = [_account(one.attrib) for one in _root(reply, "MediaContainer").iter("User")]
    return [one for one in found if digits(one.id)]


def _account(told: Mapping[str, Any]) -> Account:
    username = text(told.get("username"))
    return Account(
        id=str(told.get("id", "")),
        title=text(told.get("title")) or username,
        uuid=text(told.get("uuid")) or _in_picture(text(told.get("thumb"))),
        username=username,
        home=_yes(told.get("home")),
        restricted=_yes(told.get("restricted")),
        protected=_yes(told.get("protected")),
    )


def _in_picture(address: str) -> str:
    """Return the id that stands in the address of a user's picture; lists of friends tell it nowhere else."""
    found = _PICTURE.search(address)
    return found[1] if found else ""


def _yes(value: object) -> bool:
    return str(value).lower() in {"1", "true"}
