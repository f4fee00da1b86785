"""Services outside this house over HTTP: plex.tv, watchlist feeds, Trakt. One client, one kind of errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError, fromstring

import aiohttp
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from daemon.clock import Clock
from daemon.errors import RemoteBusy, RemoteError, RemoteNotFound, RemoteRefused, RemoteUnavailable

PATIENCE = 20.0
"""Seconds after which a whole answer is given up."""
_LARGEST = 32 * 1024 * 1024
_TRIES = 3
_SHORT = 5.0
"""A service that asks for so few seconds of patience is waited for."""
_AGAIN = 60.0
"""Seconds to leave a service alone that asks for fewer requests and does not say how long."""
_LONGEST = 86_400.0
_SILENT = 30.0
"""Seconds for which a service that has not answered at all is not asked: nobody else waits for it as long."""
_NOT_MODIFIED, _NOT_FOUND, _BUSY = 304, 404, 429
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REFUSED = frozenset({401, 403, 422, 498})
"""422 and 498 are plex.tv's words for a token that is malformed or has expired."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `unchanged`: what had the ETag that was sent along still holds, and `text` is empty."""

    host: str
    text: str
    headers: Mapping[str, str]
    etag: str = ""
    unchanged: bool = False

    def json(self) -> Any:
        """Return the answer as JSON; RemoteUnavailable if it is none."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            raise RemoteUnavailable(f"{self.host} answers with something that is no JSON") from None

    def xml(self) -> Element:
        """Return the answer as XML; RemoteUnavailable if it is none."""
        try:
            return fromstring(self.text)  # noqa: S314 - expat itself bounds what entities expand to
        except (ParseError, ValueError):
            raise RemoteUnavailable(f"{self.host} answers with something that is no XML") from None


class Outbound:
    """Asks. Tries again what may pass, and leaves a service alone for as long as it asks for that.

    Every request raises RemoteError and nothing else; messages name the host only, since addresses may hold secrets.
    """

    def __init__(self, clock: Clock, *, patience: float = PATIENCE) -> None:
        self._clock = clock
        self._patience = patience
        self._session: aiohttp.ClientSession | None = None
        self._busy_until: dict[str, float] = {}
        self._silent_until: dict[str, float] = {}
        self._heard_at: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._patience)
        self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        etag: str = "",
    ) -> Reply:
        """Return the answer. `body` is sent as JSON; `etag` asks for news only."""
        sent = {"Accept": "application/json", **(headers or {})} | ({"If-None-Match": etag} if etag else {})
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_TRIES),
            wait=_wait,
            retry=retry_if_exception(_may_pass),
            sleep=self._clock.sleep,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await self._once(method, url, sent, params, body)
        raise AssertionError  # the loop returns or raises

    async def _once(
        self, method: str, url: str, headers: Mapping[str, str], params: Mapping[str, str] | None, body: Any
    ) -> Reply:
        assert self._session is not None, "the client is not open"
        host = urlsplit(url).netloc.rpartition("@")[2]
        self._demand_patience(host)
        began = self._clock.now()
        try:
            # A redirect would carry the token to whoever it names.
            async with self._session.request(
                method, url, headers=headers, params=params, json=body, allow_redirects=False
            ) as answer:
                self._heard_at[host] = self._clock.now()
                self._demand_success(host, answer)
                text = await _text(host, answer)
                etag = answer.headers.get("ETag", "")
                return Reply(host, text, dict(answer.headers), etag, answer.status == _NOT_MODIFIED)
        except TimeoutError:
            if self._heard_at.get(host, 0.0) < began:
                self._silent_until[host] = self._clock.now() + _SILENT
            raise RemoteUnavailable(_late(host)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise RemoteUnavailable(f"{host} cannot be reached: {type(error).__name__}") from None

    def _demand_patience(self, host: str) -> None:
        left = self._busy_until.get(host, 0.0) - self._clock.now()
        if left > 0:
            raise RemoteBusy(_busy(host), after=left)
        if self._silent_until.get(host, 0.0) > self._clock.now():
            raise RemoteUnavailable(_late(host))

    def _demand_success(self, host: str, answer: aiohttp.ClientResponse) -> None:
        status = answer.status
        if status == _BUSY:
            after = _after(answer.headers.get("Retry-After", ""), self._clock.now())
            self._busy_until[host] = self._clock.now() + after
            raise RemoteBusy(_busy(host), after=after)
        if status in _REFUSED:
            raise RemoteRefused(f"{host} refuses the token ({status})")
        if status == _NOT_FOUND:
            raise RemoteNotFound(f"{host} does not know it (404)")
        if not answer.ok or status in _REDIRECTS:
            raise RemoteUnavailable(f"{host} answers with an error ({status})")


async def _text(host: str, answer: aiohttp.ClientResponse) -> str:
    pieces: list[bytes] = []
    size = 0
    async for piece in answer.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > _LARGEST:
            raise RemoteUnavailable(f"{host} answers without an end")
    try:
        return b"".join(pieces).decode(answer.charset or "utf-8", "replace")
    except LookupError:
        raise RemoteUnavailable(f"{host} answers in an encoding that nobody knows") from None


def _after(text: str, now: float) -> float:
    """Return the seconds that a ``Retry-After`` asks for: a number, or a date."""
    if text.isdigit():
        return min(float(text), _LONGEST)
    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - now), _LONGEST)
    except (ValueError, OverflowError):
        return _AGAIN


def _busy(host: str) -> str:
    """Return what is said of it: the same for as long as it lasts, so that it is said once."""
    return f"{host} asks for fewer requests (429)"


def _late(host: str) -> str:
    return f"{host} does not answer in time"


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, RemoteBusy):
        return error.after <= _SHORT
    return isinstance(error, RemoteError) and error.retry and isinstance(error, RemoteUnavailable)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RemoteBusy):
        return error.after
    return float(wait_random_exponential(multiplier=0.2, max=2.0)(state))
