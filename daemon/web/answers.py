"""Answers and errors in the one form that clients rely on."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Handler

from daemon.errors import (
    OndeckdError,
    PlexError,
    PlexNotFound,
    StateError,
    StorageError,
    TargetBusy,
    TargetNotFound,
    UnmappedPath,
)

log = structlog.get_logger()

_STATUS: tuple[tuple[type[OndeckdError], int], ...] = (
    (TargetNotFound, 404),
    (PlexNotFound, 404),
    (TargetBusy, 409),
    (UnmappedPath, 422),
    (StorageError, 409),
    (PlexError, 503),
    (StateError, 503),
)

_JSON = "application/json"

_PATIENCE = 30.0
"""Seconds that a request's body may take to arrive."""

BROKEN_BODY = (ValueError, LookupError, AssertionError, HttpProcessingError, web.RequestPayloadError)
"""What aiohttp raises for a body that is not what its headers say."""

_CODES = {413: "too_large", 500: "internal"}

_MESSAGES = {
    413: "The request is larger than anything that is expected here.",
    404: "There is nothing at this address.",
    405: "This address does not know this method.",
    500: "Something went wrong here; the log says what.",
}


def answer(data: object, status: int = 200) -> web.Response:
    """Return `data` as JSON; names that are not valid Unicode survive as escapes."""
    return web.Response(text=json.dumps(data), status=status, content_type=_JSON)


class OwnPage(web.Response):
    """A page of ours for a person, whatever its status."""

    def __init__(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body=body, status=status, headers=headers, content_type="text/html", charset="utf-8")


class Refusal(web.HTTPException):
    """Ends a request with an error that a program can read. `code` is in snake case and stays as it is."""

    status_code = 400

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers=headers, text=_error(code, message, details), content_type=_JSON)
        self.set_status(status)


@asynccontextmanager
async def arriving() -> AsyncIterator[None]:
    """Read a request's body within this context: what is too slow or malformed becomes a refusal."""
    try:
        async with asyncio.timeout(_PATIENCE):
            yield
    except TimeoutError as error:
        raise Refusal(408, "too_slow", "The request did not arrive in time.") from error
    except BROKEN_BODY as error:
        raise Refusal(400, "bad_body", "The body of the request is not well-formed.") from error


@web.middleware
async def foreseen_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn the daemon's own errors into answers."""
    try:
        return await handler(request)
    except OndeckdError as error:
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.warning("request_failed", path=request.path, why=str(error))
        code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()
        raise Refusal(status, code, str(error)) from error


def make_uniform(response: web.StreamResponse) -> None:
    """Give an error that aiohttp itself made (no route, wrong method, a fault) the common form."""
    is_own = response.content_type == _JSON or isinstance(response, OwnPage)
    if response.status >= HTTPStatus.BAD_REQUEST and not is_own and isinstance(response, web.Response):
        phrase = HTTPStatus(response.status).phrase
        code = _CODES.get(response.status, phrase.lower().replace(" ", "_"))
        body = _error(code, _MESSAGES.get(response.status, phrase), None).encode()
        response.content_type = _JSON
        response.body = body
        response.headers["Content-Length"] = str(len(body))


def _error(code: str, message: str, details: Any) -> str:
    return json.dumps({"error": {"code": code, "message": message, "details": details}})
