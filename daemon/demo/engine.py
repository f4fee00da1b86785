"""The one state behind every interface: who plays what, and what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from daemon.clock import Clock
from daemon.demo.hub import PLAYING, TRANSCODE_UPDATE, Hub
from daemon.demo.library import Library
from daemon.demo.media import Node
from daemon.demo.people import People, Person
from daemon.demo.sessions import PlayQueue, PlayQueues, Session, trackable, transcode_fields
from daemon.demo.views import Views
from daemon.demo.webhooks import Webhooks
from daemon.model import PlayState

WATCHED = 0.9
"""The share of an item from which on it counts as watched."""
BEGUN_SECONDS = 60.0
BEGUN_SHARE = 0.05
"""Below both of these a play leaves no position behind."""


@dataclass(slots=True)
class Lag:
    """How much later than the play itself it shows, in seconds of the clock: on each of the interfaces."""

    frames: float = 0.0
    listing: float = 0.0
    webhooks: float = 0.0


class Engine:
    """Plays, pauses, seeks and stops for the clients that do not exist.

    All views follow at once, unless `lag` says otherwise. `ghost_after` is how long the server goes on
    listing a client that has vanished (seconds).
    """

    def __init__(
        self,
        library: Library,
        people: People,
        clock: Clock,
        *,
        views: Views,
        hub: Hub,
        webhooks: Webhooks,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.library = library
        self.people = people
        self.clock = clock
        self.views = views
        self.hub = hub
        self.webhooks = webhooks
        self.lag = Lag()
        self.ghost_after = 1800.0
        self.sessions: dict[str, Session] = {}
        self.queues = PlayQueues()
        self.changed = asyncio.Event()
        """Set whenever a session begins: the cadence waits for it."""
        self._spawn = spawn
        self._lingering: list[tuple[float, Session]] = []
        self._last_session = 0
        self._random = Random(1)

    async def play(
        self,
        who: str | Person,
        key: str,
        *,
        offset: float | None = None,
        client: str = "tv",
        product: str = "Plex for Android (TV)",
        version: int = 0,
        queue: Sequence[str] | PlayQueue | None = None,
        transcode: bool = False,
        buffering: bool = False,
        autoplay: str = "new",
        session_key: str = "",
    ) -> Session:
        """Begin to play an item at `offset` seconds (None: where this user left off).

        `version` is the index of its ``Media``; `queue` what the client plays (None: a show's episodes from
        this one on); `buffering` first sends the frame with offset 0 of some clients.
        """
        person, node = self.people[who], self.library[key]
        now = self.clock.now()
        left_off = self.views.state(person.id, key).offset / 1000
        session = Session(
            session_key=session_key or self._next_session_key(),
            id=f"{self._random.getrandbits(64):016x}",
            person=person,
            node=node,
            client=client,
            product=product,
            version=node.versions[version] if node.versions else None,
            started_at=now,
            reported_at=now,
            offset=left_off if offset is None else offset,
            queue=self._make_queue(node, queue),
            transcode=f"{self._random.getrandbits(80):020x}" if transcode else "",
            autoplay=autoplay,
            listed_from=now + self.lag.listing,
        )
        return await self._begin(session, buffering=buffering)

    async def report(self, session: Session, state: PlayState | None = None, **changes: Any) -> None:
        """Send one frame about a session as it is; `changes` replace fields (None: take it out)."""
        session.reported_at = self.clock.now()
        told = session.notification(state) | changes
        entry = {name: value for name, value in told.items() if value is not None}
        if self.lag.frames:
            self._spawn(self._publish_later(entry, session.person))
        else:
            self.hub.publish(PLAYING, entry, person=session.person)

    async def pause(self, session: Session) -> None:
        """Pause; a paused client goes on reporting."""
        session.state = PlayState.PAUSED
        await self.report(session)
        self._hook("media.pause", session)

    async def resume(self, session: Session) -> None:
        """Go on after a pause."""
        session.state = PlayState.PLAYING
        await self.report(session)
        self._hook("media.resume", session)

    async def seek(self, session: Session, offset: float) -> None:
        """Jump to `offset` seconds: buffering, then playing."""
        session.offset = offset
        await self.report(session, PlayState.BUFFERING)
        await self.report(session)
        await self.keep_position(session)

    async def advance(self, session: Session, seconds: float) -> None:
        """Let so many seconds of the item play, and report once. At its end the session stops or goes on."""
        if session.state is PlayState.PLAYING:
            end = session.node.seconds or float("inf")
            session.offset = min(session.offset + seconds, end)
        await self.report(session)
        if session.transcode:
            self.hub.publish(TRANSCODE_UPDATE, transcode_fields(session))
        await self.keep_position(session)
        if session.node.duration and session.offset >= session.node.seconds:
            await self.finish(session)

    async def finish(self, session: Session) -> Session | None:
        """Do what the client does at the end of an item; return the session that follows."""
        if session.autoplay != "none" and self.follower(session) is not None:
            return await self.play_next(session, same_key=session.autoplay == "same")
        await self.stop(session)
        return None

    def follower(self, session: Session) -> Node | None:
        """Return what the client plays after this."""
        if session.queue is not None:
            key = session.queue.after(session.node.key)
            return self.library.get(key) if key else None
        return None

    async def play_next(
        self,
        session: Session,
        *,
        order: Literal["stop first", "stop last", "no stop"] = "stop first",
        same_key: bool = False,
    ) -> Session:
        """Go on with the next item of the queue, as autoplay does.

        `order` says whether the old session's ``stopped`` comes before the new session's ``playing``, after
        it, or never; `same_key` keeps the session key, and then no ``stopped`` is sent either.
        """
        node = self.follower(session)
        if node is None:
            raise LookupError(f"nothing follows {session.node.title!r}")
        silent = same_key or order == "no stop"
        if order == "stop first" or silent:
            await self.stop(session, silent=silent)
        following = await self.play(
            session.person,
            node.key,
            offset=0.0,
            client=session.client,
            product=session.product,
            queue=session.queue,
            transcode=bool(session.transcode),
            autoplay=session.autoplay,
            session_key=session.session_key if same_key else "",
        )
        if order == "stop last" and not silent:
            await self.stop(session)
        return following

    async def stop(self, session: Session, *, silent: bool = False) -> None:
        """End a session; `silent` without the ``stopped`` frame (the webhook comes all the same)."""
        if self.sessions.get(session.session_key) is session:
            del self.sessions[session.session_key]
            if self.lag.listing:
                self._lingering.append((self.clock.now() + self.lag.listing, session))
        session.state = PlayState.STOPPED
        if not silent:
            await self.report(session)
        self._hook("media.stop", session)

    def vanish(self, session: Session) -> None:
        """Let the client disappear without a word: a ghost that stays listed and says nothing."""
        session.vanished = True
        session.reported_at = self.clock.now()

    def forget(self, session: Session) -> None:
        """Drop a session from the list without a frame, as the server does with ghosts in the end."""
        self.sessions.pop(session.session_key, None)

    def forget_all(self) -> None:
        """Lose all sessions and begin to count anew, as a restart does."""
        self.sessions.clear()
        self._lingering.clear()
        self._last_session = 0

    def listed(self) -> list[Session]:
        """Return the sessions that ``/status/sessions`` shows now."""
        now = self.clock.now()
        self._lingering = [(until, session) for until, session in self._lingering if until > now]
        active = [session for session in self.sessions.values() if session.listed_from <= now]
        return [*active, *(session for _, session in self._lingering)]

    async def rate(self, who: str | Person, key: str, rating: float) -> None:
        """Rate an item, which only a webhook tells."""
        self.webhooks.send("media.rate", self.people[who], self.library[key], rating=rating)

    async def mark(self, who: str | Person, key: str) -> None:
        """Mark something as watched by hand: no frame and no webhook, only the views tell."""
        self.views.watched(self.people[who].id, key, self.clock.now())

    async def unmark(self, who: str | Person, key: str) -> None:
        """Mark something as not watched by hand."""
        self.views.unwatched(self.people[who].id, key)

    async def scrobble(self, session: Session) -> None:
        """Count the item as watched now, once per session."""
        if session.scrobbled or not trackable(session.node):
            return
        session.scrobbled = True
        before = self.views.on_deck(session.person.id)
        self.views.watched(session.person.id, session.node.key, self.clock.now())
        self._hook("media.scrobble", session)
        for node in self.views.on_deck(session.person.id):
            if node not in before:
                self.webhooks.send("library.on.deck", session.person, node)

    async def _begin(self, session: Session, *, buffering: bool) -> Session:
        self.sessions[session.session_key] = session
        self.changed.set()
        if buffering:
            await self.report(session, PlayState.BUFFERING, viewOffset=0)
        await self.report(session)
        self._hook("media.play", session)
        await self.keep_position(session)
        return session

    async def keep_position(self, session: Session) -> None:
        """Let the views follow where a session is: a position, or at 90 % a scrobble."""
        if session.scrobbled or not trackable(session.node):
            return
        if session.share >= WATCHED:
            await self.scrobble(session)
        elif session.offset >= min(BEGUN_SECONDS, BEGUN_SHARE * session.node.seconds):
            self.views.progress(session.person.id, session.node.key, round(session.offset * 1000), self.clock.now())

    def _hook(self, event: str, session: Session) -> None:
        self.webhooks.send(event, session.person, session.node, session, delay=self.lag.webhooks)

    async def _publish_later(self, entry: Mapping[str, Any], person: Person) -> None:
        await self.clock.sleep(self.lag.frames)
        self.hub.publish(PLAYING, entry, person=person)

    def _make_queue(self, node: Node, keys: Sequence[str] | PlayQueue | None) -> PlayQueue | None:
        if isinstance(keys, PlayQueue):
            return keys
        if keys is not None:
            return self.queues.make(keys)
        if not trackable(node):
            return None
        return self.queues.make([node.key, *self.library.following(node)])

    def _next_session_key(self) -> str:
        self._last_session += 1
        return str(self._last_session)
