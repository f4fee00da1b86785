"""The few pages of plex.tv that tell a server's owner who else there is."""

from __future__ import annotations

from aiohttp import web

from daemon.demo.answers import failure, respond
from daemon.demo.library import Library
from daemon.demo.markup import Container, Value, container, element
from daemon.demo.people import Identity, People, token_of


class PlexTvRoutes:
    """The account, its friends, and the tokens with which they use this server."""

    def __init__(self, people: People, library: Library, identity: Identity) -> None:
        self.people = people
        self.library = library
        self.identity = identity

    def add_to(self, router: web.UrlDispatcher) -> None:
        router.add_get("/api/v2/user", self.user)
        router.add_get("/api/users/", self.users)
        router.add_get("/api/servers/{server}/shared_servers", self.shared_servers)

    async def user(self, request: web.Request) -> web.Response:
        person = self.people.by_token(token_of(request))
        assert person is not None, "requests without a valid token do not come this far"
        told: dict[str, Value] = {
            "id": int(person.id),
            "uuid": f"demo{person.id}",
            "username": person.title,
            "title": person.title,
            "email": f"{person.title.casefold()}@example.org",
            "authToken": person.token,
            "scrobbleTypes": "",
        }
        children = [
            element("subscription", element("features"), active=True, status="Active", plan="lifetime"),
            element("profile", autoSelectAudio=False),
            element("entitlements"),
            element("roles", element("role", id="plexpass")),
            element("services"),
        ]
        return respond(request, Container([*children], told, tag="user"))

    async def users(self, request: web.Request) -> web.Response:
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
                username=person.title,
                email=f"{person.title.casefold()}@example.org",
                home=False,
                restricted=False,
            )
            for person in self.people
            if not person.is_owner
        ]
        return respond(request, container(shown, machineIdentifier=self.identity.machine_identifier))

    async def shared_servers(self, request: web.Request) -> web.Response:
        asker = self.people.by_token(token_of(request))
        if asker is None or not asker.is_owner:
            return failure(403)
        sections = [
            element("Section", id=int(one.key), key=one.key, title=one.title, type=str(one.kind), shared=True)
            for one in self.library.sections.values()
        ]
        shown = [
            element(
                "SharedServer",
                *sections,
                id=30_000 + number,
                username=person.title,
                userID=int(person.id),
                accessToken=person.token,
                name=self.identity.name,
                acceptedAt=1_700_000_000,
                invitedAt=1_699_000_000,
                allLibraries=True,
                owned=False,
            )
            for number, person in enumerate(self.people)
            if not person.is_owner
        ]
        return respond(request, container(shown, machineIdentifier=self.identity.machine_identifier))
