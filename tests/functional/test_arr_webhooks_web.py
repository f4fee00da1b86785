"""``POST /webhook/sonarr`` and ``/webhook/radarr`` take what Plex's webhook takes, and answer as that does."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from daemon.errors import StateError
from daemon.web.webhook import LIMIT
from tests.support import arr
from tests.support.web import SECRET, Site, serving

both = pytest.mark.parametrize("app", ["sonarr", "radarr"])
PAYLOAD = arr.deleted("/data/tv/Show/e1.mkv", 5)


async def _post(site: Site, app: str, data: Any, secret: str = SECRET, **more: Any) -> tuple[int, Any]:
    async with site.http.post(f"/webhook/{app}?secret={secret}", data=data, **more) as response:
        return response.status, await response.json()


@both
async def test_a_webhook_is_recorded_and_answered(app: str) -> None:
    async with serving() as site:
        headers = {"Content-Type": "application/json"}
        assert await _post(site, app, json.dumps(PAYLOAD), headers=headers) == (200, {"recorded": True})
        assert site.service.payloads == [{"app": app} | PAYLOAD]


@both
async def test_a_test_is_answered_with_200(app: str) -> None:
    async with serving() as site:
        site.service.ours = False
        assert await _post(site, app, json.dumps(arr.sonarr("Test"))) == (200, {"recorded": False})


@both
async def test_without_the_right_secret_nothing_is_taken(app: str) -> None:
    async with serving() as site:
        for secret in ("", "wrong", SECRET + "x"):
            status, body = await _post(site, app, json.dumps(PAYLOAD), secret)
            assert (status, body["error"]["code"]) == (401, "unauthorized")
        assert site.service.payloads == []


@both
@pytest.mark.parametrize("data", [b"", b"not json", b"[]", b"7", b"[" * 100_000, b'{"a":' * 100_000])
async def test_what_is_no_object_is_refused(app: str, data: bytes) -> None:
    async with serving() as site:
        assert (await _post(site, app, data))[0] == 400
        assert site.service.payloads == []


@both
async def test_what_is_too_large_is_refused(app: str) -> None:
    async with serving() as site:
        assert (await _post(site, app, io.BytesIO(b" " * (LIMIT + 1))))[0] == 413


@both
async def test_what_could_not_be_recorded_is_not_answered_with_200(app: str) -> None:
    async with serving() as site:
        site.service.error = StateError("the disk is full")
        assert (await _post(site, app, json.dumps(PAYLOAD)))[0] >= 500


@both
async def test_only_a_post_is_taken_and_the_way_is_documented(app: str) -> None:
    async with serving() as site:
        async with site.http.get(f"/webhook/{app}?secret={SECRET}") as response:
            assert response.status == 405
        async with site.http.get("/api/v1/openapi.json") as response:
            assert f"/webhook/{app}" in (await response.json())["paths"]
