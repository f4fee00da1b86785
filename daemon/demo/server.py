"""The simulated Plex server itself: a real HTTP server on this machine."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from daemon.clock import Clock
from daemon.demo.answers import failure, maintenance, respond
from daemon.demo.cadence import keep_reporting
from daemon.demo.discover import DiscoverRoutes, Watchlists
from daemon.demo.engine import Engine
from daemon.demo.faults import Faults, HttpFault
from daemon.demo.generate import generate
from daemon.demo.hub import Hub
from daemon.demo.library import Library
from daemon.demo.markup import container, element
from daemon.demo.people import Identity, People
from daemon.demo.plextv import PlexTvRoutes
from daemon.demo.render import Renderer
from daemon.demo.routes_library import LibraryRoutes
from daemon.demo.routes_status import StatusRoutes
from daemon.demo.scanning import Librarian
from daemon.demo.sockets import Sockets, reset
from daemon.demo.views import Views
from daemon.demo.webhooks import Webhooks

HOST = "127.0.0.1"
VERSION = "1.41.3.9314-demo"
USERS = ("Ann", "Ben", "Cleo")
_KEPT_REQUESTS = 10_000


class Request(NamedTuple):
    """A request that came in; `query` without the leading question mark, without the token."""

    method: str
    path: str
    query: str


class DemoServer:
    """A Plex server that is none, as an async context manager.

    The first of `users` owns it. With `cadence` clients report every ten seconds of `clock` by themselves,
    and play through to the end and on to the next episode; without it nothing moves by itself.
    """

    _runner: web.AppRunner
    _group: asyncio.TaskGroup

    def __init__(
        self,
        library: Library | None = None,
        *,
        clock: Clock | None = None,
        users: Sequence[str] = USERS,
        cadence: bool = False,
        machine_identifier: str = "0demo0000000000000000000000000000plex0",
        name: str = "Demo Plex",
    ) -> None:
        self.library = library or generate()
        self.clock = clock or Clock()
        self.people = People(users)
        self.identity = Identity(name, machine_identifier)
        self.faults = Faults()
        self.frames = Hub(self.faults)
        self.views = Views(self.library)
        self.renderer = Renderer(self.library, self.views)
        self.webhooks = Webhooks(self.renderer, self.identity, self.clock, self._spawn)
        self.engine = Engine(
            self.library,
            self.people,
            self.clock,
            views=self.views,
            hub=self.frames,
            webhooks=self.webhooks,
            spawn=self._spawn,
        )
        self.librarian = Librarian(self.engine)
        self.watchlists = Watchlists(self.people, self.library)
        self.sockets = Sockets(self.frames, self.faults, self.clock, self.people)
        self.requests: deque[Request] = deque(maxlen=_KEPT_REQUESTS)
        """The latest requests, oldest first."""
        self.port = 0
        self._cadence = cadence
        self._ready_at = 0.0
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://{HOST}:{self.port}"

    @property
    def token(self) -> str:
        """The owner's token."""
        return self.people.owner.token

    @property
    def machine_identifier(self) -> str:
        """Who this server says it is; `identity` can be changed while it runs, as if another stood here."""
        return self.identity.machine_identifier

    async def __aenter__(self) -> Self:
        self._group = await self._stack.enter_async_context(asyncio.TaskGroup())
        app = web.Application(middlewares=[self._guard])
        DiscoverRoutes(self.watchlists).add_to(app.router)  # before those of items: plex.tv's ids look like keys
        LibraryRoutes(self.librarian, self.renderer).add_to(app.router)
        StatusRoutes(self.engine, self.renderer, self.librarian, self.faults).add_to(app.router)
        PlexTvRoutes(self.people, self.library, self.identity).add_to(app.router)
        for path in ("/:/websockets/notifications", "/:/websocket/notifications"):
            app.router.add_get(path, self.sockets.websocket)
        app.router.add_get("/:/eventsource/notifications", self.sockets.event_stream)
        app.router.add_get("/", self._root)
        app.router.add_get("/identity", self._identity)
        # A handler that waits for news (an event stream) ends with its client only if it is cancelled.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        await self._runner.setup()
        await self.start_listening()
        self._spawn(self.webhooks.run())
        if self._cadence:
            self._spawn(keep_reporting(self.engine, self.clock))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.clear()
        self.sockets.abort()
        await self._runner.cleanup()
        for task in self._tasks:
            task.cancel()
        if kind is asyncio.CancelledError:
            await self._stack.__aexit__(kind, error, trace)
        else:
            # The group would wrap the body's own error into a group of one.
            await self._stack.aclose()

    async def start_listening(self) -> None:
        """Accept connections (again), on the same port as before."""
        if self._site is None:
            self._site = web.TCPSite(self._runner, HOST, self.port, reuse_address=True)
            await self._site.start()
            self.port = self._runner.addresses[0][1]

    async def stop_listening(self) -> None:
        """Refuse new connections; open ones stay."""
        if self._site is not None:
            await self._site.stop()
            self._site = None

    async def go_down(self) -> None:
        """Die: connections break, sessions are forgotten, session keys will begin at 1 again."""
        await self.stop_listening()
        self.sockets.abort()
        self.engine.forget_all()

    async def come_up(self, *, maintenance_for: float = 0.0) -> None:
        """Start again; for so many seconds of the clock every path answers 503."""
        self._ready_at = self.clock.now() + maintenance_for
        await self.start_listening()

    async def restart(self, *, maintenance_for: float = 0.0) -> None:
        """Go down and come up again."""
        await self.go_down()
        await self.come_up(maintenance_for=maintenance_for)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Log the request, then let faults, maintenance and missing tokens answer before the handler does."""
        query = "&".join(f"{name}={value}" for name, value in request.query.items() if name != "X-Plex-Token")
        self.requests.append(Request(request.method, request.path, query))
        if self.clock.now() < self._ready_at:
            return maintenance(request)
        fault = self.faults.for_request(request.path_qs)
        if fault is not None:
            return await self._faulty(request, handler, fault)
        return await self._allowed(request, handler)

    async def _allowed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != "/identity" and not self.people.admits(request):
            return failure(401)
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return failure(404)

    async def _faulty(self, request: web.Request, handler: Handler, fault: HttpFault) -> web.StreamResponse:
        if fault.delay:
            await self.clock.sleep(fault.delay)
        if fault.reset:
            reset(request)
            return web.Response()
        answer = self._spoilt(request, fault)
        if answer is None:
            answer = await self._allowed(request, handler)
        if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
            return answer
        if fault.mangle is not None:
            answer = web.Response(body=fault.mangle(answer.body), status=answer.status, headers=answer.headers)
        return await _stalled(request, answer, fault) if fault.stall else answer

    def _spoilt(self, request: web.Request, fault: HttpFault) -> web.StreamResponse | None:
        """Return the answer that the fault itself gives; None when the true one is wanted."""
        if fault.status is None and fault.body is None:
            return None
        if fault.body is None:
            assert fault.status is not None
            answer = maintenance(request) if fault.status == 503 else failure(fault.status)  # noqa: PLR2004
            answer.headers.update(fault.headers)
            return answer
        body = fault.body.encode() if isinstance(fault.body, str) else fault.body
        headers = {"Content-Type": fault.content_type, **fault.headers}
        return web.Response(body=body, status=fault.status or 200, headers=headers)

    async def _root(self, request: web.Request) -> web.Response:
        names = ("library", "hubs", "playQueues", "status")
        children = [element("Directory", count=1, key=name, title=name) for name in names]
        answer = container(
            children,
            friendlyName=self.identity.name,
            machineIdentifier=self.machine_identifier,
            version=VERSION,
            platform="Linux",
            platformVersion="6.1",
            myPlex=True,
            myPlexUsername=self.people.owner.title,
            myPlexSubscription=True,
            multiuser=True,
            eventStream=True,
            transcoderActiveVideoSessions=sum(1 for one in self.engine.sessions.values() if one.transcode),
            updatedAt=int(self.clock.now()),
        )
        return respond(request, answer)

    async def _identity(self, request: web.Request) -> web.Response:
        answer = container(claimed=True, machineIdentifier=self.machine_identifier, version=VERSION)
        return respond(request, answer)


async def _stalled(request: web.Request, answer: web.Response, fault: HttpFault) -> web.StreamResponse:
    """Send half of an answer, and the rest only when the fault is cleared."""
    body = answer.body
    assert isinstance(body, bytes)
    stream = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
    stream.content_length = len(body)
    await stream.prepare(request)
    half = len(body) // 2
    await stream.write(body[:half])
    await fault.cleared.wait()
    await stream.write(body[half:])
    return stream
