"""The live connections: websockets and event streams, and the ways they break."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from daemon.clock import Clock
from daemon.demo.faults import Faults
from daemon.demo.hub import Frame, Hub, Listener, parse_filters
from daemon.demo.people import People, token_of

PING_SECONDS = 10.0
_TEXT, _BINARY, _CONTINUATION = 0x1, 0x2, 0x0
_PIECE = 16
_SHORT, _MEDIUM = 126, 1 << 16


@dataclass(eq=False, slots=True)
class _Open:
    request: web.Request
    websocket: web.WebSocketResponse | None
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Sockets:
    """Serves the websocket and the event stream, and can drop, break or freeze what is open."""

    def __init__(self, hub: Hub, faults: Faults, clock: Clock, people: People) -> None:
        self.hub = hub
        self.people = people
        self.faults = faults
        self.clock = clock
        self._open: set[_Open] = set()

    def __len__(self) -> int:
        """Return how many connections are open."""
        return len(self._open)

    async def drop(self, code: int = 1001) -> None:
        """Close all websockets in an orderly way with this code; event streams just end."""
        for connection in list(self._open):
            if connection.websocket is not None:
                await connection.websocket.close(code=code)
            else:
                reset(connection.request)

    def abort(self, *, mid_frame: bool = False) -> None:
        """Break all connections without a word, if wanted in the middle of a frame."""
        for connection in list(self._open):
            transport = connection.request.transport
            if mid_frame and transport is not None:
                transport.write(encode_frame(b'{"NotificationContainer": {"type": "playing"', _TEXT)[:20])
            reset(connection.request)

    async def websocket(self, request: web.Request) -> web.StreamResponse:
        """Serve one websocket until either side ends it."""
        websocket = web.WebSocketResponse(autoping=False, compress=False)
        await websocket.prepare(request)
        connection = _Open(request, websocket)
        listener = self._listener(request)
        self._open.add(connection)
        await self.hub.join(listener)
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write(connection, websocket, listener))
                async for message in websocket:
                    if message.type is WSMsgType.PING and not self.faults.half_open:
                        async with connection.writing:
                            await websocket.pong(message.data)
                writer.cancel()
        finally:
            self._open.discard(connection)
            await self.hub.leave(listener)
        return websocket

    async def event_stream(self, request: web.Request) -> web.StreamResponse:
        """Serve one event stream until the client goes."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        connection = _Open(request, None)
        listener = self._listener(request)
        self._open.add(connection)
        await self.hub.join(listener)
        try:
            await response.write(_event("ping", {}))
            while True:
                frame = await self._next_frame(listener)
                if self.faults.half_open:
                    continue
                if frame is None:
                    await response.write(_event("ping", {}))
                    continue
                for entry in frame.entries:
                    await response.write(_event(frame.kind, {frame.key: entry}))
        except ConnectionResetError:
            return response
        finally:
            self._open.discard(connection)
            await self.hub.leave(listener)

    def _listener(self, request: web.Request) -> Listener:
        person = self.people.by_token(token_of(request))
        filters = request.query.get("filters", request.query.get("filter", ""))
        return Listener(person or self.people.owner, *parse_filters(filters))

    async def _next_frame(self, listener: Listener) -> Frame | None:
        """Return the next message; None when it is time for a ping."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                return await listener.frames.get()
        except TimeoutError:
            return None

    async def _write(self, connection: _Open, websocket: web.WebSocketResponse, listener: Listener) -> None:
        while not websocket.closed:
            frame = await self._next_frame(listener)
            if self.faults.half_open:
                continue
            try:
                async with connection.writing:
                    await self._send(connection.request, websocket, frame)
            except ConnectionResetError:
                return

    async def _send(self, request: web.Request, websocket: web.WebSocketResponse, frame: Frame | None) -> None:
        if frame is None:
            await websocket.ping()
        elif frame.pace.fragments > 1 or frame.pace.pause:
            await self._send_in_pieces(request, frame)
        elif isinstance(frame.text, bytes):
            await websocket.send_bytes(frame.text)
        else:
            await websocket.send_str(frame.text)

    async def _send_in_pieces(self, request: web.Request, frame: Frame) -> None:
        opcode = _BINARY if isinstance(frame.text, bytes) else _TEXT
        payload = frame.text if isinstance(frame.text, bytes) else frame.text.encode()
        length = -(-len(payload) // frame.pace.fragments)
        data = bytearray()
        for start in range(0, len(payload), length):
            last = start + length >= len(payload)
            data += encode_frame(payload[start : start + length], opcode, last=last)
            opcode = _CONTINUATION
        step = _PIECE if frame.pace.pause else len(data)
        for start in range(0, len(data), step):
            if request.transport is None:
                return
            request.transport.write(bytes(data[start : start + step]))
            await self.clock.sleep(frame.pace.pause)


def encode_frame(payload: bytes, opcode: int, *, last: bool = True) -> bytes:
    """Return one WebSocket frame as a server sends it, unmasked."""
    head = bytes([opcode | (0x80 if last else 0)])
    if len(payload) < _SHORT:
        head += bytes([len(payload)])
    elif len(payload) < _MEDIUM:
        head += bytes([_SHORT]) + struct.pack(">H", len(payload))
    else:
        head += bytes([_SHORT + 1]) + struct.pack(">Q", len(payload))
    return head + payload


def reset(request: web.Request) -> None:
    """Break a connection at once, so that the other side sees a reset."""
    transport = request.transport
    if transport is None:
        return
    plug = transport.get_extra_info("socket")
    if plug is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
