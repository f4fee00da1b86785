from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import FormData

from daemon.errors import StateError
from daemon.web.webhook import LIMIT
from tests.support.web import SECRET, Site, serving

PAYLOAD: dict[str, Any] = {
    "event": "media.play",
    "user": True,
    "owner": True,
    "Account": {"id": 1, "title": "Ann"},
    "Server": {"title": "Home", "uuid": "server-uuid"},
    "Metadata": {"type": "episode", "ratingKey": "11", "title": "Pilot – “Ä”"},
}
URL = f"/webhook/plex?secret={SECRET}"


def _form(payload: Any = PAYLOAD, thumb: bytes | None = b"\xff\xd8 picture") -> FormData:
    form = FormData(default_to_multipart=True)
    form.add_field("payload", json.dumps(payload), content_type="application/json")
    if thumb is not None:
        form.add_field("thumb", thumb, filename="thumb.jpg", content_type="image/jpeg")
    return form


async def _post(site: Site, data: Any, url: str = URL, **more: Any) -> tuple[int, Any]:
    async with site.http.post(url, data=data, **more) as response:
        return response.status, await response.json()


def _code(body: Any) -> str:
    return str(body["error"]["code"])


async def test_a_multipart_webhook_is_recorded_and_its_picture_passed_over() -> None:
    async with serving() as site:
        assert await _post(site, _form()) == (200, {"recorded": True})
        assert await _post(site, _form(thumb=None)) == (200, {"recorded": True})
        assert site.service.payloads == [PAYLOAD, PAYLOAD]


async def test_the_picture_may_come_first() -> None:
    form = FormData()
    form.add_field("thumb", b"x" * 200_000, filename="thumb.jpg", content_type="image/jpeg")
    form.add_field("payload", json.dumps(PAYLOAD))
    async with serving() as site:
        assert (await _post(site, form))[0] == 200
        assert site.service.payloads == [PAYLOAD]


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
async def test_a_json_webhook_is_recorded_too(kind: str) -> None:
    async with serving() as site:
        assert (await _post(site, json.dumps(PAYLOAD), headers={"Content-Type": kind}))[0] == 200
        assert site.service.payloads == [PAYLOAD]


async def test_another_servers_event_is_ignored_with_200() -> None:
    async with serving() as site:
        site.service.ours = False
        assert await _post(site, _form()) == (200, {"recorded": False})


@pytest.mark.parametrize("url", ["/webhook/plex", "/webhook/plex?secret=", "/webhook/plex?secret=wr%C3%B6ng"])
async def test_without_the_right_secret_nothing_is_taken(url: str) -> None:
    async with serving() as site:
        status, body = await _post(site, _form(), url)
        assert (status, _code(body)) == (401, "unauthorized")
        assert site.service.payloads == []


async def test_a_configured_secret_replaces_the_generated_one_without_a_restart() -> None:
    async with serving() as site:
        assert (await _post(site, _form()))[0] == 200
        site.change(webhook_secret="a-configured-secret")
        assert (await _post(site, _form()))[0] == 401
        assert (await _post(site, _form(), "/webhook/plex?secret=a-configured-secret"))[0] == 200


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no_payload"),
        (b"  \r\n", "no_payload"),
        (b"not json", "bad_payload"),
        (b"[1, 2]", "bad_payload"),
        (b'"text"', "bad_payload"),
        (b"\xff\xfe\xfa\x00", "bad_payload"),
        (b"[" * 100_000, "bad_payload"),
        (b'{"a": ' * 100_000, "bad_payload"),
        (b"9" * 10_000, "bad_payload"),
    ],
)
async def test_a_body_without_a_payload_is_refused(data: bytes, code: str) -> None:
    async with serving() as site:
        status, body = await _post(site, data, headers={"Content-Type": "application/json"})
        assert (status, _code(body)) == (400, code)
        assert site.service.payloads == []


async def test_a_form_without_a_payload_is_refused() -> None:
    form = FormData()
    form.add_field("thumb", b"picture", filename="thumb.jpg", content_type="image/jpeg")
    async with serving() as site:
        status, body = await _post(site, form)
        assert (status, _code(body)) == (400, "no_payload")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("multipart/form-data", b"--x\r\n\r\n{}\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"no boundary at all"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=payload\r\n\r\n{}"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A" * 100_000),
        ("multipart/form-data; boundary=" + "y" * 200, b"--x\r\n"),
        (
            "multipart/mixed; boundary=x",
            b"--x\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n--z--\r\n--x--\r\n",
        ),
    ],
)
async def test_a_broken_form_is_refused(kind: str, data: bytes) -> None:
    async with serving() as site:
        status, body = await _post(site, data, headers={"Content-Type": kind})
        assert status == 400, body
        assert site.service.payloads == []


async def test_a_webhook_of_just_five_mebibytes_is_taken() -> None:
    body = json.dumps({"event": "x"}).encode()
    async with serving() as site:
        assert (await _post(site, io.BytesIO(body.ljust(LIMIT))))[0] == 200
        assert (await _post(site, io.BytesIO(body.ljust(LIMIT + 1))))[0] == 413


async def test_a_webhook_that_says_it_is_large_is_refused_before_its_body() -> None:
    async with serving() as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rsplit(":", 1)[1]))
        head = f"POST {URL} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {100 << 20}\r\n"
        writer.write(f"{head}Expect: 100-continue\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n".encode())
        answer = await reader.readuntil(b"}}")
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b'"too_large"' in answer


async def test_a_sender_that_asks_first_is_told_to_go_on() -> None:
    async with serving() as site:
        status, _ = await _post(site, _form(), expect100=True)
        assert status == 200
        assert site.service.payloads == [PAYLOAD]


async def _flood(head: bytes, mebibytes: int = 100, tail: bytes = b"") -> AsyncIterator[bytes]:
    yield head
    block = b"x" * 65_536
    for _ in range(mebibytes * 16):
        yield block
    yield tail


@pytest.mark.parametrize(
    ("kind", "head"),
    [
        ("application/json", b'{"a": "'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="payload"\r\n\r\n'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="thumb"\r\n\r\n'),
        ("multipart/form-data; boundary=x", b""),
    ],
)
async def test_a_hundred_megabytes_are_refused_without_being_held(kind: str, head: bytes) -> None:
    async with serving() as site:
        await _post(site, _form())
        tracemalloc.start()
        try:
            status, body = await _post(site, _flood(head), headers={"Content-Type": kind})
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (status, _code(body)) in {(413, "too_large"), (400, "bad_body")}
        assert peak < 20 << 20
        assert len(site.service.payloads) == 1
        assert (await _post(site, _form()))[0] == 200


async def test_the_picture_is_not_held_either() -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="thumb"\r\n\r\n'
    tail = b'\r\n--x\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{}\r\n--x--\r\n'
    async with serving() as site:
        await _post(site, _form())
        tracemalloc.start()
        try:
            body = _flood(head, 4, tail)
            status, _ = await _post(site, body, headers={"Content-Type": "multipart/form-data; boundary=x"})
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert status == 200
        assert site.service.payloads[-1] == {}
        assert peak < 3 << 20


async def test_what_unpacks_to_a_hundred_megabytes_is_refused() -> None:
    packed = zlib.compress(b" " * (100 << 20), wbits=31)
    async with serving() as site:
        status, body = await _post(site, packed, headers={"Content-Encoding": "gzip"})
        assert (status, _code(body)) == (413, "too_large")


async def test_a_store_that_cannot_be_written_is_said_so_that_plex_may_know() -> None:
    async with serving() as site:
        site.service.error = StateError("the database is locked")
        status, body = await _post(site, _form())
        assert (status, _code(body)) == (503, "state_error")


async def test_the_secret_is_not_in_any_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(0)
    async with serving() as site:
        await _post(site, _form())
        await _post(site, b"{")
        site.service.error = RuntimeError("a fault")
        async with site.http.post(URL, data=_form()) as response:
            assert response.status == 500
        reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rsplit(":", 1)[1]))
        writer.write(f"BR\x00KEN {URL} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await reader.read()
        writer.close()
        await writer.wait_closed()
    assert "a fault" in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in "".join(capsys.readouterr())


async def test_the_webhook_answers_to_any_host_name_and_needs_no_login() -> None:
    async with serving(password_hash="scrypt:14:8:1:x:y") as site:
        status, _ = await _post(site, _form(), headers={"Host": "tower.example", "Origin": "http://elsewhere.example"})
        assert status == 200
