"""The few pages of plex.tv that tell a server's owner who else there is, and open it to them.

Statuses and shapes after python-plexapi (``myplex.py``) and recorded answers; a switch without the right PIN is
answered 403, as people report it.
"""

from __future__ import annotations

from aiohttp import web

from daemon.demo.answers import failure, respond, wants_json
from daemon.demo.library import Library
from daemon.demo.markup import Container, Element, Value, container, element
from daemon.demo.people import Identity, People, Person, token_of
from daemon.model import Role

_CREATED = 201


class PlexTvRoutes:
    """The account, its friends and its home, and the tokens with which they use this server."""

    def __init__(self, people: People, library: Library, identity: Identity) -> None:
        self.people = people
        self.library = library
        self.identity = identity

    def add_to(self, router: web.UrlDispatcher) -> None:
        router.add_get("/api/v2/user", self.user)
        router.add_get("/api/v2/resources", self.resources)
        router.add_get("/api/users/", self.users)
        router.add_get("/api/home/users", self.home_users)
        router.add_post(r"/api/home/users/{user:\d+}/switch", self.switch)
        router.add_get("/api/servers/{server}/shared_servers", self.shared_servers)

    async def user(self, request: web.Request) -> web.Response:
        person = self._asker(request)
        told: dict[str, Value] = {
            "id": int(person.account),
            "uuid": person.uuid,
            "username": _username(person),
            "title": person.title,
            "email": _email(person),
            "authToken": person.account_token,
            "scrobbleTypes": "",
        }
        if wants_json(request):
            return web.json_response(told)
        children = [
            element("subscription", element("features"), active=True, status="Active", plan="lifetime"),
            element("profile", autoSelectAudio=False),
            element("entitlements"),
            element("roles", element("role", id="plexpass")),
            element("services"),
        ]
        return respond(request, Container([*children], told, tag="user"))

    async def resources(self, request: web.Request) -> web.Response:
        person = self._asker(request)
        told: dict[str, Value] = {
            "name": self.identity.name,
            "provides": "server",
            "clientIdentifier": self.identity.machine_identifier,
            "accessToken": person.token,
            "owned": person.is_owner,
        }
        player: dict[str, Value] = {"name": "TV", "provides": "player", "clientIdentifier": "tv", "owned": True}
        if wants_json(request):
            return web.json_response([player, told])
        return respond(request, Container([Element("resource", player), Element("resource", told)], {}, "resources"))

    async def users(self, request: web.Request) -> web.Response:
        if not self._asker(request).is_owner:
            return _xml(container())
        shown = [
            element(
                "User",
                element(
                    "Server",
                    id=1,
                    serverId=1,
                    machineIdentifier=self.identity.machine_identifier,
                    name=self.identity.name,
                    numLibraries=len(self.library.sections),
                    allLibraries=True,
                    owned=False,
                    pending=False,
                ),
                id=int(person.id),
                title=person.title,
                username=_username(person),
                email=_email(person),
                thumb=f"https://plex.tv/users/{person.uuid}/avatar?c=1",
                home=person.at_home,
                restricted=person.role is Role.MANAGED,
                protected=bool(person.pin),
            )
            for person in self._others()
        ]
        return _xml(container(shown, machineIdentifier=self.identity.machine_identifier))

    async def home_users(self, request: web.Request) -> web.Response:
        if not self._asker(request).is_owner:
            return failure(403)
        shown = [
            element(
                "User",
                id=int(person.account),
                uuid=person.uuid,
                title=person.title,
                username=_username(person),
                email=_email(person),
                admin=person.is_owner,
                guest=False,
                restricted=person.role is Role.MANAGED,
                protected=bool(person.pin),
            )
            for person in (self.people.owner, *self._others())
            if person.at_home
        ]
        return _xml(container(shown, friendlyName="myPlex", identifier="com.plexapp.plugins.myplex"))

    async def switch(self, request: web.Request) -> web.Response:
        wanted = [one for one in self._others() if one.at_home and one.id == request.match_info["user"]]
        if not self._asker(request).is_owner:
            return failure(403)
        if not wanted:
            return failure(404)
        if wanted[0].pin not in ("", request.query.get("pin")):
            return failure(403)
        person = self.people.switch(wanted[0])
        told: dict[str, Value] = {
            "id": int(person.id),
            "uuid": person.uuid,
            "title": person.title,
            "username": _username(person),
            "authenticationToken": person.account_token,
            "restricted": person.role is Role.MANAGED,
            "home": True,
        }
        return _xml(Container([], told, tag="user"), _CREATED)

    async def shared_servers(self, request: web.Request) -> web.Response:
        if not self._asker(request).is_owner:
            return failure(403)
        if request.match_info["server"] != self.identity.machine_identifier:
            return failure(404)
        sections = [
            element("Section", id=int(one.key), key=one.key, title=one.title, type=str(one.kind), shared=True)
            for one in self.library.sections.values()
        ]
        shown = [
            element(
                "SharedServer",
                *sections,
                id=30_000 + number,
                username=_username(person),
                userID=int(person.id),
                accessToken=person.token,
                name=self.identity.name,
                acceptedAt=1_700_000_000,
                invitedAt=1_699_000_000,
                allLibraries=True,
                owned=False,
            )
            for number, person in enumerate(self._others(), 1)
            if person.listed
        ]
        return _xml(container(shown, machineIdentifier=self.identity.machine_identifier))

    def _asker(self, request: web.Request) -> Person:
        person = self.people.by_account(token_of(request))
        assert person is not None, "requests without a valid token do not come this far"
        return person

    def _others(self) -> list[Person]:
        return [person for person in self.people if person.known and not person.is_owner]


def _username(person: Person) -> str:
    """Return the account's name; a managed user has none."""
    return "" if person.role is Role.MANAGED else person.title


def _email(person: Person) -> str:
    return "" if person.role is Role.MANAGED else f"{person.title.casefold()}@example.org"


def _xml(answer: Container, status: int = 200) -> web.Response:
    """Return an answer of the old interface: XML, whatever was asked for."""
    headers = {"Content-Type": "application/xml; charset=utf-8"}
    return web.Response(body=answer.xml().encode(), status=status, headers=headers)
