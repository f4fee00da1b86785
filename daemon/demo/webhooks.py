"""The webhooks that the simulated server sends, as real multipart posts in the order of the events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from io import BytesIO
from random import Random
from typing import Any, Literal

import aiohttp

from daemon.clock import Clock
from daemon.demo.faults import Fault
from daemon.demo.markup import Element
from daemon.demo.media import Node
from daemon.demo.people import Identity, Person
from daemon.demo.render import Detail, Renderer
from daemon.demo.sessions import Session

Spawn = Callable[[Coroutine[Any, Any, None]], None]

_BOUNDARY = "------------------------7c3a1f52b9e04d68"
_WITH_THUMB = frozenset({"media.play", "media.rate", "library.new", "library.on.deck"})
_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(kw_only=True)
class WebhookFault(Fault):
    """A fault of posts: `copies` 0 loses one, `delay` holds it back (seconds of the clock).

    `server` names another server as its sender; `thumb` is the size of a picture that comes along.
    """

    copies: int = 1
    delay: float = 0.0
    server: str = ""
    form: Literal["multipart", "json", "no payload", "wrong type"] = "multipart"
    thumb: int | None = None


class Webhooks:
    """Posts each event to every URL, one after another."""

    def __init__(self, renderer: Renderer, identity: Identity, clock: Clock, spawn: Spawn) -> None:
        self.urls: list[str] = []
        self.faults: list[WebhookFault] = []
        self.owner_account = 1
        """The owner's account id in a payload: 1 on older servers, the id at plex.tv on newer ones."""
        self.delivered: list[tuple[str, int]] = []
        """Event and status of each post that was answered; 0 for those that were not."""
        self._renderer = renderer
        self._identity = identity
        self._clock = clock
        self._spawn = spawn
        self._random = Random(1)
        self._posts: asyncio.Queue[tuple[str, str, bytes, str]] = asyncio.Queue()
        self._open = 0
        self._idle = asyncio.Condition()

    def add(self, url: str) -> None:
        """Send all events to this URL as well."""
        self.urls.append(url)

    def fault(self, **fault: Any) -> WebhookFault:
        """Switch on a fault; `fault` are fields of `WebhookFault`."""
        made = WebhookFault(**fault)
        self.faults.append(made)
        return made

    def send(
        self,
        event: str,
        person: Person,
        node: Node | None = None,
        session: Session | None = None,
        *,
        delay: float = 0.0,
        rating: float | None = None,
    ) -> None:
        """Send an event about a person and an item; with a session, of its player."""
        if not self.urls:
            return
        payload = self.payload(event, person, node, session)
        if rating is not None:
            payload["rating"] = f"{rating:.1f}"
        fault = next((fault for fault in self.faults if fault.strikes(self._random)), WebhookFault())
        if fault.server:
            payload["Server"]["uuid"] = fault.server
        thumb = fault.thumb if fault.thumb is not None else 5000 * (event in _WITH_THUMB)
        body, content_type = encode(payload, fault.form, thumb)
        for url in self.urls * fault.copies:
            self._open += 1
            post = (event, url, body, content_type)
            if fault.delay or delay:
                self._spawn(self._later(fault.delay + delay, post))
            else:
                self._posts.put_nowait(post)

    def payload(self, event: str, person: Person, node: Node | None, session: Session | None) -> dict[str, Any]:
        """Return what an event says."""
        account = self.owner_account if person.is_owner else int(person.id)
        payload: dict[str, Any] = {
            "event": event,
            "user": person.is_owner,
            "owner": True,
            "Account": {"id": account, "thumb": f"/users/{person.id}/avatar", "title": person.title},
            "Server": {"title": self._identity.name, "uuid": self._identity.machine_identifier},
        }
        if session is not None:
            payload["Player"] = {
                "local": True,
                "publicAddress": "203.0.113.7",
                "title": session.product,
                "uuid": session.client,
            }
        if node is not None:
            payload["Metadata"] = self._metadata(node, person)
        return payload

    async def run(self) -> None:
        """Post what is waiting, without end."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as client:
            while True:
                event, url, body, content_type = await self._posts.get()
                headers = {"Content-Type": content_type, "User-Agent": "PlexMediaServer/1.41.0"}
                try:
                    async with client.post(url, data=BytesIO(body), headers=headers) as answer:
                        self.delivered.append((event, answer.status))
                except (aiohttp.ClientError, TimeoutError):
                    self.delivered.append((event, 0))
                async with self._idle:
                    self._open -= 1
                    self._idle.notify_all()

    async def idle(self) -> None:
        """Wait until all posts made so far have been answered or given up."""
        async with self._idle:
            await self._idle.wait_for(lambda: self._open == 0)

    async def _later(self, delay: float, post: tuple[str, str, bytes, str]) -> None:
        await self._clock.sleep(delay)
        self._posts.put_nowait(post)

    def _metadata(self, node: Node, person: Person) -> dict[str, Any]:
        item: Element = self._renderer.item(node, Detail(guids=True))
        item.children = [child for child in item.children if child.tag != "Media"]
        section = self._renderer.library.sections.get(node.section)
        own = self._renderer.views.fields(person.id, node)
        return {**({"librarySectionType": str(section.kind)} if section else {}), **item.json(), **own}


def encode(payload: dict[str, Any], form: str, thumb: int = 0) -> tuple[bytes, str]:
    """Return body and content type of a post."""
    data = json.dumps(payload).encode()
    if form == "json":
        return data, "application/json"
    if form == "wrong type":
        return data, "text/plain"
    parts = []
    if form != "no payload":
        parts.append(_part('name="payload"', "application/json", data))
    if thumb or not parts:
        picture = b"\xff\xd8\xff\xe0" + bytes(max(thumb, 8) - 4)
        parts.append(_part('name="thumb"; filename="thumb.jpg"', "image/jpeg", picture))
    body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    return body, f"multipart/form-data; boundary={_BOUNDARY}"


def _part(disposition: str, content_type: str, data: bytes) -> bytes:
    head = f"--{_BOUNDARY}", f"Content-Disposition: form-data; {disposition}", f"Content-Type: {content_type}"
    return "\r\n".join((*head, "", "")).encode() + data + b"\r\n"
