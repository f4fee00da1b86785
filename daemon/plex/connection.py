"""One Plex server over HTTP: plexapi in a few threads, with time limits, retries and one kind of errors."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from xml.etree.ElementTree import Element, ParseError

import requests
import urllib3
from plexapi.server import PlexServer
from requests.adapters import HTTPAdapter
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from daemon import __version__
from daemon.clock import Clock
from daemon.errors import PlexError, PlexNotFound, PlexUnauthorized, PlexUnavailable

THREADS = 12
"""More than all sources need that are read at once, two requests each: a play must not wait behind them."""
_CONNECT = 4.0
PATIENCE = 10.0
_WHOLE = 3
_LARGEST = 256 * 1024 * 1024
_PIECE = 65_536
_TRIES = 3
_REFUSED = frozenset({401, 403, 498})
_PLEX_SERVER: Any = PlexServer  # plexapi carries no types

T = TypeVar("T")
U = TypeVar("U")


async def together(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Run two requests at once. Raises the first error as it is, after both have ended."""
    try:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(one)
            second = group.create_task(other)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return first.result(), second.result()


class _Session(requests.Session):
    """A session that bounds each answer in time and size, and raises our errors by status.

    plexapi stumbles over unknown status codes; a redirect would carry the token to whoever it names.
    """

    def __init__(self, *, verify: bool, patience: float) -> None:
        super().__init__()
        self.patience = patience
        self.trust_env = False
        self.verify = verify
        self.closing = False
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=THREADS)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        request.headers.update({"X-Plex-Product": "ondeckd", "X-Plex-Version": __version__})
        response = super().send(request, **{**options, "stream": True, "allow_redirects": False})
        response._content = self._read(response)  # noqa: SLF001  # what `content` would do without an end
        if response.status_code >= requests.codes.multiple_choices:
            raise _error(response)
        return response

    def _read(self, response: requests.Response) -> bytes:
        end = time.monotonic() + _WHOLE * self.patience
        pieces: list[bytes] = []
        size = 0
        with response:
            while piece := response.raw.read1(_PIECE, decode_content=True):
                pieces.append(piece)
                size += len(piece)
                if self.closing or size > _LARGEST or time.monotonic() > end:
                    raise PlexUnavailable("Plex did not finish its answer in time")
        return b"".join(pieces)


def _error(response: requests.Response) -> PlexError:
    status = response.status_code
    if status in _REFUSED:
        return PlexUnauthorized(f"Plex refuses the token ({status})")
    if status == requests.codes.not_found:
        return PlexNotFound("Plex does not know it (404)")
    if status == requests.codes.service_unavailable:
        return PlexUnavailable("Plex is starting (503)")
    if response.is_redirect:
        return PlexUnavailable("Plex redirects elsewhere: plex.url must be the address it answers at itself")
    return PlexUnavailable(f"Plex answers with an error ({status})")


class Connection:
    """Asks the server at `url`. `problem` says in one line why the owner cannot ask it now; empty: the owner can.

    The first server that answers is the one: another machine identifier at the same address is refused. After
    `patience` seconds of silence an answer is given up; a whole one may take three times as long.
    """

    def __init__(
        self,
        *,
        url: str,
        token: str,
        clock: Clock,
        verify_tls: bool = True,
        machine_identifier: str = "",
        patience: float = PATIENCE,
        on_request: Callable[[str, float], None] | None = None,
    ) -> None:
        self.url = url
        self.machine_identifier = machine_identifier
        self.problem = "Plex has not been asked yet"
        self._token = token
        self._on_request = on_request
        self._session = _Session(verify=verify_tls, patience=patience)
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="plex")
        self._server: Any = None
        self._connecting = asyncio.Lock()
        self._retrying = AsyncRetrying(
            stop=stop_after_attempt(_TRIES) | stop_after_delay(patience),
            wait=wait_random_exponential(multiplier=0.2, max=1.0),
            retry=retry_if_exception_type(PlexUnavailable),
            sleep=clock.sleep,
            reraise=True,
        )
        if not verify_tls:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    async def connect(self) -> Any:
        """Ask the server who it is. Raises PlexUnavailable and PlexUnauthorized, also for another server."""
        if not self._token:
            raise self._failed(PlexUnauthorized("plex.token is not set"))
        server = await self._run("connect", self._open)
        if self.machine_identifier not in {"", server.machineIdentifier}:
            self._server = None
            raise self._failed(
                PlexUnavailable(
                    f"another Plex server answers at {self.url} ({server.machineIdentifier}); "
                    "if that is meant, give ondeckd a new state.directory"
                )
            )
        self.machine_identifier = server.machineIdentifier
        self._server = server
        return server

    async def query(
        self, call: str, path: str, headers: Mapping[str, str] | None = None, *, token: str = ""
    ) -> Element:
        """Return the answer's ``MediaContainer``. `call` names the request in the metrics.

        With a `token` it is asked as somebody else; how that ends says nothing about the owner, nor about `problem`.
        Raises PlexUnavailable, PlexUnauthorized, PlexNotFound. Tried a few times while Plex is unavailable.
        """
        sent = {**(headers or {}), **({"X-Plex-Token": token} if token else {})}
        async for attempt in self._retrying.copy():
            with attempt:
                return await self._query(call, path, sent, owner=not token)
        raise AssertionError  # the loop returns or raises

    async def _query(self, call: str, path: str, headers: dict[str, str], *, owner: bool) -> Element:
        async with self._connecting:
            server = self._server or await self.connect()
        work = self._run if owner else self._time
        return await work(call, lambda: _container(server.query(path, headers=headers)))

    def close(self) -> None:
        """Let go of threads and sockets; a request under way ends by its time limit at the latest."""
        self._session.closing = True
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    def _open(self) -> Any:
        timeout = (_CONNECT, self._session.patience)
        server = _PLEX_SERVER(self.url, self._token, session=self._session, timeout=timeout)
        # An empty answer makes a hollow object without any attribute.
        if not getattr(server, "machineIdentifier", None):
            raise PlexUnavailable(f"what answers at {self.url} is no Plex server")
        return server

    async def _run(self, call: str, work: Callable[[], T]) -> T:
        try:
            result = await self._time(call, work)
        except PlexError as error:
            raise self._failed(error) from None
        self.problem = ""
        return result

    async def _time(self, call: str, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await loop.run_in_executor(self._executor, _translated, work)
        finally:
            if self._on_request:
                self._on_request(call, loop.time() - began)

    def _failed(self, error: PlexError) -> PlexError:
        self.problem = "" if isinstance(error, PlexNotFound) else str(error)
        return error


def _container(root: Element | None) -> Element:
    if root is None or root.tag != "MediaContainer":
        raise PlexUnavailable("Plex answers with something that is no list")
    return root


def _translated(work: Callable[[], T]) -> T:
    try:
        return work()
    except (requests.Timeout, TimeoutError, urllib3.exceptions.TimeoutError):
        raise PlexUnavailable("Plex does not answer in time") from None
    except (requests.exceptions.SSLError, ssl.SSLError) as error:
        raise PlexUnavailable(f"no secure connection to Plex: {_last(error)}") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise PlexUnavailable(f"Plex cannot be reached: {_last(error)}") from None
    except (ParseError, ValueError, LookupError):  # the last two: in an encoding that nobody knows
        raise PlexUnavailable("Plex answers with something that is no XML") from None


def _last(error: BaseException) -> str:
    """Return the innermost reason, which names no URL."""
    reason: Any = error
    while isinstance(reason, BaseException):
        error = reason
        reason = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(reason, BaseException):
            # Some versions of urllib3 name no cause; what they were handling then says it.
            reason = error.__cause__ or (error.__context__ if isinstance(error.__context__, OSError) else None)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
