"""The notification socket: connects, listens, and connects again for as long as the daemon lives."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, Literal

import aiohttp
import structlog

from daemon.clock import Clock
from daemon.plex.frames import FrameParser, PlayingFrame

log = structlog.get_logger()

_PATH = "/:/websockets/notifications"
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0
_STABLE = 60.0
_HANDSHAKE = 15.0
_FAREWELL = 1.0
_HEARTBEAT = 15.0
_LARGEST = 16 * 1024 * 1024
_TURN = 0.005
"""Seconds of reading after which the loop gets its turn: in a burst the socket never has to wait."""

_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})

_Socket = aiohttp.ClientWebSocketResponse[Literal[False]]


@dataclass(slots=True)
class ConnectionState:
    """Whether notifications arrive, since when it is so, when the last one came, and what is wrong.

    `refused` tells a token that Plex does not take from a Plex that is starting or away.
    """

    since: float
    connected: bool = False
    last_frame_at: float | None = None
    problem: str = "not connected yet"
    refused: bool = False


@dataclass(frozen=True, slots=True)
class _Failure:
    text: str
    refused: bool = False


class Notifications:
    """The client of Plex's websocket. Reading does nothing but parse and hand over.

    `on_frame` gets each frame about a play, `on_other` the others' content (see `FrameParser`), `on_connected` and
    `on_lost` are told when the stream of frames begins and ends; all four return at once. `heartbeat`: seconds
    between the pings that notice a dead connection.
    """

    def __init__(
        self,
        *,
        url: str,
        token: str,
        clock: Clock,
        on_frame: Callable[[PlayingFrame], None],
        on_connected: Callable[[], None],
        on_lost: Callable[[], None],
        on_other: Callable[[Mapping[str, Any] | None], object] = lambda _: None,
        verify_tls: bool = True,
        heartbeat: float = _HEARTBEAT,
    ) -> None:
        self._url = f"{url.rstrip('/')}{_PATH}"
        self._token = token
        self._clock = clock
        self._on_frame = on_frame
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._verify_tls = verify_tls
        self._heartbeat = heartbeat
        self._parser = FrameParser(on_other)
        self._warned = ""
        self.state = ConnectionState(since=clock.now())

    @property
    def garbage(self) -> int:
        """How many frames and entries could not be understood."""
        return self._parser.garbage

    async def run(self) -> None:
        """Listen. Never returns; ends by being cancelled."""
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(_refuse_redirect)
        async with aiohttp.ClientSession(trace_configs=[trace]) as session:
            wait = _FIRST_WAIT
            while True:
                began = self._clock.now()
                failure = await self._connect(session)
                heard = self.state.last_frame_at is not None and self.state.last_frame_at >= began
                if heard or self._clock.now() - began >= _STABLE:
                    wait = _FIRST_WAIT
                if failure.refused:
                    wait = _LONGEST_WAIT  # only a person can mend it
                self._note(failure)
                await self._clock.sleep(wait * random.uniform(0.5, 1.0))
                wait = min(_LONGEST_WAIT, wait * 2)

    async def _connect(self, session: aiohttp.ClientSession) -> _Failure:
        try:
            async with asyncio.timeout(_HANDSHAKE):
                socket = await session.ws_connect(
                    self._url,
                    headers={"X-Plex-Token": self._token},
                    heartbeat=self._heartbeat,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_FAREWELL),
                    max_msg_size=_LARGEST,
                    decode_text=False,
                    ssl=self._verify_tls,
                )
        except aiohttp.WSServerHandshakeError as error:
            return _refusal(error.status)
        except TimeoutError:
            return _Failure("Plex does not answer in time")
        except aiohttp.ClientConnectorError as error:
            return _Failure(f"Plex cannot be reached: {_plain(error.os_error)}")
        except (aiohttp.ClientError, OSError) as error:
            return _Failure(f"Plex cannot be reached: {type(error).__name__}")
        async with socket:
            return await self._listen(socket)

    async def _listen(self, socket: _Socket) -> _Failure:
        self.state.connected, self.state.since = True, self._clock.now()
        self.state.problem, self.state.refused = "", False
        self._warned = ""
        log.info("plex_connected", url=self._url)
        self._on_connected()
        try:
            await self._read(socket)
        except (aiohttp.ClientError, OSError) as error:
            return _Failure(f"the connection broke: {type(error).__name__}")
        finally:
            self.state.connected, self.state.since = False, self._clock.now()
            self._on_lost()
        if broken := socket.exception():
            return _Failure(f"the connection broke: {type(broken).__name__}")
        return _Failure(f"Plex closed the connection ({socket.close_code})")

    async def _read(self, socket: _Socket) -> None:
        loop = asyncio.get_running_loop()
        turn = loop.time()
        async for message in socket:
            if message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                self.state.last_frame_at = self._clock.now()
                for frame in self._parser.parse(message.data):
                    self._on_frame(frame)
            if loop.time() - turn > _TURN:
                await asyncio.sleep(0)
                turn = loop.time()

    def _note(self, failure: _Failure) -> None:
        """Log a failure loudly when it is news, quietly when it goes on."""
        self.state.problem, self.state.refused = failure.text, failure.refused
        loud = log.error if failure.refused else log.warning
        say = log.debug if self._warned == failure.text else loud
        self._warned = failure.text
        say("plex_lost", why=failure.text)


def _plain(error: OSError) -> str:
    """Return the reason without the address that asyncio writes into it."""
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno)
    return error.strerror or str(error)


def _refusal(status: int) -> _Failure:
    if status in _REFUSED:
        return _Failure(f"Plex refuses the token ({status})", refused=True)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return _Failure("Plex is starting (503)")
    return _Failure(f"Plex answers the websocket with an error ({status})")


async def _refuse_redirect(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, _params: aiohttp.TraceRequestRedirectParams
) -> None:
    # Whoever the redirect names would be given the token.
    raise aiohttp.ClientError("redirected")
