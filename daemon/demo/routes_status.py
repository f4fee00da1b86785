"""Sessions, history, accounts, play queues and what clients report: the living part of the interface."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from daemon.demo.answers import Page, done, failure, respond
from daemon.demo.engine import Engine
from daemon.demo.faults import Faults
from daemon.demo.markup import Element, Entry, container, element
from daemon.demo.people import Person, token_of
from daemon.demo.render import Detail, Renderer, history_element, media_element
from daemon.demo.scanning import Librarian
from daemon.demo.sessions import Session
from daemon.model import PlayState


class StatusRoutes:
    """Everything that changes while people watch."""

    def __init__(self, engine: Engine, renderer: Renderer, librarian: Librarian, faults: Faults) -> None:
        self.engine = engine
        self.people = engine.people
        self.views = engine.views
        self.library = engine.library
        self.renderer = renderer
        self.librarian = librarian
        self.faults = faults

    def add_to(self, router: web.UrlDispatcher) -> None:
        for path, handler in (
            ("/status/sessions", self.sessions),
            ("/status/sessions/history/all", self.history),
            ("/status/sessions/terminate", self.terminate),
            ("/accounts", self.accounts),
            ("/activities", self.activities),
            (r"/playQueues/{queue:\d+}", self.play_queue),
            ("/:/prefs", self.preferences),
        ):
            router.add_get(path, handler)
        for path, handler in (
            ("/:/timeline", self.timeline),
            ("/:/progress", self.progress),
            ("/:/scrobble", self.scrobble),
            ("/:/unscrobble", self.unscrobble),
        ):
            for method in ("GET", "PUT", "POST"):
                router.add_route(method, path, handler)

    async def sessions(self, request: web.Request) -> web.Response:
        if not self._person(request).is_owner:
            return failure(403)
        shown = []
        for session in self.engine.listed():
            hidden, lacks = self.faults.for_session(session.session_key)
            if not hidden:
                shown.append(strip(session_element(session, self.renderer), lacks))
        return respond(request, container(shown))

    async def history(self, request: web.Request) -> web.Response:
        person, query = self._person(request), request.query
        since = query.get("viewedAt>", "0")
        rows = list(
            self.views.rows(
                since=int(since) if since.isdecimal() else 0,
                account=query.get("accountID", "") if person.is_owner else person.id,
                key=query.get("metadataItemID", ""),
                section=query.get("librarySectionID", ""),
            )
        )
        if query.get("sort", "").startswith("viewedAt:desc"):
            rows.reverse()
        answer = Page.of(request).cut(rows, lambda row: history_element(row, self.library, self.renderer))
        return respond(request, answer)

    async def terminate(self, request: web.Request) -> web.Response:
        if not self._person(request).is_owner:
            return failure(403)
        for session in list(self.engine.sessions.values()):
            if session.id == request.query.get("sessionId"):
                await self.engine.stop(session)
                return done()
        return failure(404)

    async def accounts(self, request: web.Request) -> web.Response:
        if not self._person(request).is_owner:
            return failure(403)
        nobody = element("Account", id=0, key="/accounts/0", name="")
        people = [
            element("Account", id=int(person.id), key=f"/accounts/{person.id}", name=person.title)
            for person in self.people
        ]
        return respond(request, container([nobody, *people], identifier="com.plexapp.system.accounts"))

    async def activities(self, request: web.Request) -> web.Response:
        if not self._person(request).is_owner:
            return failure(403)
        shown = [
            Element("Activity", {name: value for name, value in activity.items() if name != "Context"})
            for activity in self.librarian.activities.values()
        ]
        return respond(request, container(shown))

    async def play_queue(self, request: web.Request) -> web.Response:
        queue = self.engine.queues.get(int(request.match_info["queue"]))
        if queue is None:
            return failure(404)
        user = self._person(request).id
        playing = next((one for one in self.engine.sessions.values() if one.queue is queue), None)
        selected = playing.node.key if playing and playing.node.key in queue.keys else queue.keys[0]
        size = request.query.get("window", "50")
        entries: list[Entry] = []
        for identifier, key in queue.window(selected, int(size) if size.isdecimal() else 50):
            node = self.library.get(key)
            if node is not None:
                entry = self.renderer.entry(node, user, Detail(streams=True))
                entry.own = {**entry.own, "playQueueItemID": identifier}
                entries.append(entry)
        answer = container(
            entries,
            identifier="com.plexapp.plugins.library",
            playQueueID=queue.id,
            playQueuePlaylistID=int(queue.playlist) if queue.playlist else None,
            playQueueSelectedItemID=queue.item_id(selected),
            playQueueSelectedItemOffset=queue.keys.index(selected),
            playQueueSelectedMetadataItemID=selected,
            playQueueShuffled=queue.shuffled,
            playQueueSourceURI=f"library://x/item/{quote(queue.source, safe='')}",
            playQueueTotalCount=len(queue.entries),
            playQueueVersion=queue.version,
        )
        return respond(request, answer)

    async def preferences(self, request: web.Request) -> web.Response:
        told = (("FriendlyName", "text", "Demo"), ("LibraryVideoPlayedThreshold", "int", "90"))
        shown = [
            element("Setting", id=name, label=name, type=kind, default=value, value=value, hidden=False)
            for name, kind, value in told
        ]
        return respond(request, container(shown))

    async def timeline(self, request: web.Request) -> web.Response:
        query, person = request.query, self._person(request)
        key, client = query.get("ratingKey", ""), client_of(request)
        if key not in self.library.items or query.get("state") not in set(PlayState):
            return failure(400)
        offset = int(query.get("time", "0")) / 1000
        await self._follow(person, client, key, PlayState(query["state"]), offset)
        return respond(request, container([]))

    async def _follow(self, person: Person, client: str, key: str, state: PlayState, offset: float) -> None:
        """Let the engine do what a real client says it does."""
        own = (one for one in self.engine.sessions.values() if one.client == client and one.person == person)
        session = next(own, None)
        if session is not None and session.node.key != key:
            await self.engine.stop(session)
            session = None
        if session is None:
            if state is not PlayState.STOPPED:
                await self.engine.play(person, key, offset=offset, client=client)
            return
        session.offset = offset
        await self.engine.keep_position(session)
        if state is PlayState.STOPPED:
            await self.engine.stop(session)
        elif state is PlayState.PAUSED and session.state is PlayState.PLAYING:
            await self.engine.pause(session)
        elif state is PlayState.PLAYING and session.state is PlayState.PAUSED:
            await self.engine.resume(session)
        else:
            await self.engine.report(session, state)

    async def progress(self, request: web.Request) -> web.Response:
        key = request.query.get("key", "")
        if key not in self.library.items:
            return failure(404)
        offset = int(request.query.get("time", "0"))
        self.views.progress(self._person(request).id, key, offset, self.engine.clock.now())
        return done()

    async def scrobble(self, request: web.Request) -> web.Response:
        key = request.query.get("key", "")
        if key not in self.library.items:
            return failure(404)
        await self.engine.mark(self._person(request), key)
        return done()

    async def unscrobble(self, request: web.Request) -> web.Response:
        key = request.query.get("key", "")
        if key not in self.library.items:
            return failure(404)
        await self.engine.unmark(self._person(request), key)
        return done()

    def _person(self, request: web.Request) -> Person:
        return self.people.by_token(token_of(request)) or self.people.owner


def client_of(request: web.Request) -> str:
    """Return the identifier of the client that asks."""
    name = "X-Plex-Client-Identifier"
    return request.headers.get(name) or request.query.get(name, "")


def session_element(session: Session, renderer: Renderer) -> Element:
    """Return a session as ``/status/sessions`` lists it."""
    made = renderer.item(session.node, Detail())
    made.fields |= {"sessionKey": session.session_key, "viewOffset": round(session.offset * 1000)}
    version = session.version
    made.children = []
    if version is not None:
        media = media_element(session.node, version, Detail(streams=True), selected=True)
        made.children.append(_transcoded(media) if session.transcode else media)
    person = session.person
    made.children.append(element("User", id=person.id, title=person.title, thumb=f"/users/{person.id}/avatar"))
    made.children.append(_player_element(session))
    made.children.append(element("Session", id=session.id, bandwidth=8000, location="lan"))
    if session.transcode:
        made.children.append(
            element(
                "TranscodeSession",
                key=f"/transcode/sessions/{session.transcode}",
                throttled=False,
                progress=round(session.share * 100, 1),
                videoDecision="transcode",
                audioDecision="copy",
            )
        )
    return made


def _player_element(session: Session) -> Element:
    return element(
        "Player",
        address="192.0.2.10",
        machineIdentifier=session.client or None,
        platform="Android",
        product=session.product,
        title=session.client or session.product,
        state=str(session.state),
        local=True,
        relayed=False,
        secure=True,
        userID=int(session.person.id),
        version="10.0",
    )


def _transcoded(media: Element) -> Element:
    """Let a version describe the output of the transcoder, which has no file."""
    media.fields |= {"container": "mp4", "videoResolution": "720"}
    for part in media.children:
        part.fields |= {"container": "mp4", "decision": "transcode"}
        part.fields.pop("file", None)
        part.fields.pop("size", None)
    return media


def strip(item: Element, lacks: frozenset[str]) -> Element:
    """Return an element without the elements and fields named."""
    if not lacks:
        return item
    fields = {name: value for name, value in item.fields.items() if name not in lacks}
    children = [strip(child, lacks) for child in item.children if child.tag not in lacks]
    return Element(item.tag, fields, children)
