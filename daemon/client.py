"""Asks a running daemon over its HTTP API, for the commands."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientConnectionError, ClientError, ClientResponse, ClientSession, ClientTimeout

from daemon.config import Settings
from daemon.errors import OndeckdError
from daemon.web.address import url_for

_PATIENCE = ClientTimeout(total=60, sock_connect=5)
_STREAM = ClientTimeout(total=None, sock_connect=5, sock_read=60)
_WALK = ClientTimeout(total=None, sock_connect=5)
_LARGEST_LINE = 1 << 20


class DaemonUnreachable(OndeckdError):
    """No daemon answers."""


class DaemonRefused(OndeckdError):
    """The daemon answers with an error. `status` and `code` are those of the API."""

    def __init__(self, status: int, code: str, message: str, details: object = None) -> None:
        self.status = status
        self.code = code
        self.details = details
        super().__init__(message)


class Client:
    """A connection to the daemon that runs with these settings. Enter it before use.

    Every method raises DaemonUnreachable or DaemonRefused.
    """

    def __init__(self, settings: Settings) -> None:
        key = settings.web.api_key.get_secret_value()
        self._url = url_for(settings.web.host, settings.web.port)
        self._headers = {"X-Api-Key": key} if key else {}

    async def __aenter__(self) -> Self:
        self._http = ClientSession(self._url, headers=self._headers, timeout=_PATIENCE, read_bufsize=_LARGEST_LINE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def get(self, name: str, query: Mapping[str, str] | None = None, *, slow: bool = False) -> dict[str, Any]:
        """Return the document or list `name`. `slow`: it may take as long as a walk over everything."""
        async with self._ask("GET", name, params=query, timeout=_WALK if slow else _PATIENCE) as response:
            return await _document(response)

    async def post(self, name: str, body: Mapping[str, Any] | None = None, *, slow: bool = False) -> dict[str, Any]:
        """Ask for something to be done; return the ids of the tasks under ``tasks``."""
        async with self._ask("POST", name, json=body, timeout=_WALK if slow else _PATIENCE) as response:
            return await _document(response)

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[tuple[str, dict[str, Any]]]]:
        """Yield an iterator over kind and data of what happens from now on. It ends when the daemon does."""
        async with self._ask("GET", "events", timeout=_STREAM) as response:
            yield _frames(response)

    @asynccontextmanager
    async def _ask(self, method: str, name: str, **more: Any) -> AsyncIterator[ClientResponse]:
        try:
            async with self._http.request(method, f"/api/v1/{name}", **more) as response:
                if response.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
                    raise await _refusal(response)
                yield response
        except (ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> DaemonUnreachable:
        if isinstance(error, ClientConnectionError):
            return DaemonUnreachable(f"no daemon answers at {self._url} (web.listen); is ondeckd running?")
        return DaemonUnreachable(f"what answers at {self._url} (web.listen) does not answer like ondeckd")


async def _document(response: ClientResponse) -> dict[str, Any]:
    try:
        document = await response.json()
    except ValueError as fault:
        raise ClientError("no JSON") from fault
    if not isinstance(document, dict):
        raise ClientError("no JSON object")
    return document


async def _refusal(response: ClientResponse) -> DaemonRefused:
    try:
        error = (await response.json())["error"]
        return DaemonRefused(response.status, error["code"], error["message"], error["details"])
    except (ValueError, KeyError, TypeError) as fault:
        raise ClientError(f"status {response.status}") from fault


async def _frames(response: ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Take a stream of server-sent events apart. The daemon writes each event's data on one line."""
    kind = ""
    async for raw in response.content:
        field, _, value = raw.decode().rstrip("\n").partition(": ")
        if field == "event":
            kind = value
        elif field == "data":
            yield kind, json.loads(value)
