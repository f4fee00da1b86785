"""The webhooks of Plex, Sonarr and Radarr: read what matters, record it, answer.

A request is never held as a whole: the payload is kept, the picture that comes with it is passed over as
it arrives, and what is too large is refused from its header where it has one, else as soon as it is.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.http import HttpProcessingError

from daemon.web.answers import Refusal, answer, arriving
from daemon.web.auth import same_secret
from daemon.web.context import WebContext

LIMIT = 5 << 20
"""The largest request in bytes."""

_CHUNK = 64 << 10


class Webhook:
    """Takes ``POST /webhook/plex``, ``/webhook/sonarr`` and ``/webhook/radarr``."""

    def __init__(self, context: WebContext) -> None:
        self._context = context

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        takes = {"plex": self.plex, "sonarr": self.sonarr, "radarr": self.radarr}
        return [web.post(f"/webhook/{name}", take, expect_handler=self._expect) for name, take in takes.items()]

    async def plex(self, request: web.Request) -> web.Response:
        """Hand the payload to the daemon."""
        payload = await self._read(request)
        return answer({"recorded": await self._context.service.webhook(payload)})

    async def sonarr(self, request: web.Request) -> web.Response:
        """Record what Sonarr did with its files."""
        return await self._announced("sonarr", request)

    async def radarr(self, request: web.Request) -> web.Response:
        """Record what Radarr did with its files."""
        return await self._announced("radarr", request)

    async def _announced(self, app: str, request: web.Request) -> web.Response:
        payload, announce = await self._read(request), self._context.announce
        return answer({"recorded": announce is not None and await announce(app, payload)})

    async def _read(self, request: web.Request) -> dict[str, Any]:
        self._refuse_early(request)
        async with arriving():
            raw = await _payload(request)
        return _parse(raw)

    def _refuse_early(self, request: web.Request) -> None:
        """Refuse what its first lines condemn."""
        configured = self._context.settings().web.webhook_secret.get_secret_value()
        if not same_secret(request.query.get("secret", ""), configured or self._context.webhook_secret):
            raise Refusal(401, "unauthorized", "The webhook's secret is missing or wrong.")
        if (request.content_length or 0) > LIMIT:
            raise _too_large()

    async def _expect(self, request: web.Request) -> None:
        """Answer a sender that asks first; nothing is sent for a body that would be refused."""
        self._refuse_early(request)
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # This line is no part of the answer, of which nothing has been sent yet.
        request.writer.output_size = 0


async def _payload(request: web.Request) -> bytes:
    """Read the whole request and return the part that counts."""
    if not request.content_type.startswith("multipart/"):
        return await _collect(request.content)
    try:
        return await _from_parts(request)
    except (ValueError, AssertionError, HttpProcessingError):
        _check_size(request.content)
        raise


async def _from_parts(request: web.Request) -> bytes:
    found: bytes | None = None
    parts = MultipartReader(request.headers, request.content)
    while (part := await parts.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise Refusal(400, "bad_body", "Parts within parts are not expected.")
        wanted = found is None and part.name == "payload"
        body = await _collect(part, request.content, keep=wanted)
        if wanted:
            found = body
    _check_size(request.content)
    if found is None:
        raise Refusal(400, "no_payload", "The request has no part named payload.")
    return found


async def _collect(
    source: StreamReader | BodyPartReader, whole: StreamReader | None = None, *, keep: bool = True
) -> bytes:
    """Read to the end of `source`, a part of `whole`, and return it if it is to be kept."""
    kept = bytearray()
    while chunk := await (source.read(_CHUNK) if isinstance(source, StreamReader) else source.read_chunk(_CHUNK)):
        if keep:
            kept += chunk
        _check_size(whole or source)
    return bytes(kept)


def _check_size(content: object) -> None:
    if isinstance(content, StreamReader) and content.total_bytes > LIMIT:
        raise _too_large()


def _too_large() -> Refusal:
    return Refusal(413, "too_large", "A webhook is at most 5 MiB.", {"limit": LIMIT})


def _parse(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        raise Refusal(400, "no_payload", "The request has no payload.")
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "bad_payload", "The payload is not JSON.") from error
    if not isinstance(payload, dict):
        raise Refusal(400, "bad_payload", "The payload is not a JSON object.")
    return payload
