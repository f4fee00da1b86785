from __future__ import annotations

import json
from typing import Any

import pytest

from daemon.errors import (
    AnchorMissing,
    OndeckdError,
    PlexNotFound,
    PlexUnavailable,
    StateError,
    TargetBusy,
    TargetNotFound,
    UnmappedPath,
)
from daemon.web.events import Events
from daemon.web.openapi import document
from daemon.web.server import build_app
from daemon.web.service import Check, Query
from tests.support.web import (
    API_KEY,
    SECRET,
    MemoryService,
    Site,
    demand_row,
    file_row,
    serving,
    session_row,
    task_row,
)

LISTS = ("files", "tasks", "sessions", "demands")


def _full() -> MemoryService:
    return MemoryService(
        rows={
            "files": [file_row(f"{name}.mkv") for name in "abc"],
            "tasks": [task_row(number) for number in (1, 2, 3)],
            "sessions": [session_row()],
            "demands": [demand_row()],
        }
    )


async def _get(site: Site, path: str) -> tuple[int, Any]:
    async with site.http.get(path) as response:
        return response.status, await response.json()


async def _post(site: Site, path: str, data: Any = None) -> tuple[int, Any]:
    async with site.http.post(path, data=data) as response:
        return response.status, await response.json()


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_has_items_and_a_total(name: str) -> None:
    async with serving(_full()) as site:
        rows = site.service.rows[name]
        assert await _get(site, f"/api/v1/{name}") == (200, {"items": rows, "total": len(rows)})


async def test_a_list_can_be_cut_searched_and_sorted() -> None:
    async with serving(_full()) as site:
        _, body = await _get(site, "/api/v1/tasks?limit=1&offset=1&q=A.MKV&sort=-id")
        assert ([row["id"] for row in body["items"]], body["total"]) == ([2], 3)
        assert site.service.queries == [Query(1, 1, "A.MKV", "-id")]


async def test_without_values_a_list_has_its_natural_order() -> None:
    async with serving() as site:
        await _get(site, "/api/v1/files")
        await _get(site, "/api/v1/files?q=&sort=")
        assert site.service.queries == [Query(), Query()]


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=1e3", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=%D9%A3", "limit"),
        (f"limit={'9' * 5_000}", "limit"),
        ("limit=1&limit=2", "limit"),
        ("offset=-1", "offset"),
        ("offset=0x10", "offset"),
        (f"offset={'9' * 30}", "offset"),
        ("sort=nothing", "sort"),
        ("sort=--size", "sort"),
        ("sort=demands", "sort"),
        ("sort=size;drop", "sort"),
        ("q=" + "x" * 201, "q"),
        ("limmit=3", "limmit"),
    ],
)
async def test_a_value_that_means_nothing_is_named(query: str, fault: str) -> None:
    async with serving() as site:
        status, body = await _get(site, f"/api/v1/files?{query}")
        assert (status, body["error"]["code"]) == (400, "bad_query")
        assert list(body["error"]["details"]) == [fault]
        assert site.service.queries == []


async def test_all_faults_of_a_query_are_named_at_once() -> None:
    async with serving() as site:
        _, body = await _get(site, "/api/v1/files?limit=x&offset=y&sort=z")
        assert sorted(body["error"]["details"]) == ["limit", "offset", "sort"]


async def test_status_and_plan_are_documents() -> None:
    async with serving(_full()) as site:
        assert await _get(site, "/api/v1/status") == (200, await site.service.status())
        assert await _get(site, "/api/v1/plan") == (200, await site.service.plan())
        assert (await _get(site, "/api/v1/plan?limit=1"))[0] == 400


async def test_names_that_are_not_unicode_arrive_as_they_are() -> None:
    name = "caf\udce9 – \N{MOVIE CAMERA}.mkv"
    async with serving(MemoryService(rows={"files": [file_row(name)]})) as site:
        _, body = await _get(site, "/api/v1/files")
        assert body["items"][0]["plex_path"] == f"/data/tv/{name}"


@pytest.mark.parametrize("name", ["cache", "evict"])
@pytest.mark.parametrize("target", ["11", "/mnt/cache/tv/ä.mkv", "http://plex:32400/web/#!/x"])
async def test_a_target_is_taken_on(name: str, target: str) -> None:
    async with serving() as site:
        assert await _post(site, f"/api/v1/{name}", json.dumps({"target": target})) == (202, {"tasks": [7]})
        assert site.service.asked == [(name, target)]


async def test_a_rating_key_may_be_a_number() -> None:
    async with serving() as site:
        await _post(site, "/api/v1/cache", b'{"target": 11}')
        assert site.service.asked == [("cache", "11")]


@pytest.mark.parametrize("name", ["pause", "resume", "stop", "refresh"])
async def test_the_daemon_is_told(name: str) -> None:
    async with serving() as site:
        assert await _post(site, f"/api/v1/{name}") == (202, {"tasks": []})
        assert site.service.asked == [(name, "")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"target=11",
        b"[]",
        b"{}",
        b'{"target": null}',
        b'{"target": ""}',
        b'{"target": "  "}',
        b'{"target": true}',
        b'{"target": ["11"]}',
        b'{"target": "a\\u0000b"}',
        b'{"target": "11", "force": true}',
        b'{"target": "' + b"x" * 9_000 + b'"}',
        b"[" * 50_000,
        b"\xff\xff",
    ],
)
async def test_a_body_that_names_no_target_is_refused(body: bytes) -> None:
    async with serving() as site:
        status, answer = await _post(site, "/api/v1/cache", body)
        assert (status, answer["error"]["code"][:3]) == (400, "bad")
        assert site.service.asked == []


async def test_a_large_body_is_refused() -> None:
    async with serving() as site:
        status, body = await _post(site, "/api/v1/cache", b"x" * 100_000)
        assert (status, body["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("path", ["/api/v1/cache", "/login", f"/webhook/plex?secret={SECRET}"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Encoding": "gzip", "Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "multipart/form-data"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/x-www-form-urlencoded; charset=nope"},
    ],
)
async def test_a_body_that_is_not_what_it_says_is_a_bad_request(path: str, headers: dict[str, str]) -> None:
    async with (
        serving(password_hash="scrypt:14:8:1:x:y", api_key=API_KEY) as site,
        site.http.post(path, data=b"garbage", headers=headers | {"X-Api-Key": API_KEY}) as response,
    ):
        assert response.status == 400
        assert (await response.json())["error"]["code"] in {"bad_body", "bad_payload"}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (TargetNotFound("no such item"), 404, "target_not_found"),
        (PlexNotFound("gone"), 404, "plex_not_found"),
        (TargetBusy("it plays"), 409, "target_busy"),
        (UnmappedPath("no mapping covers /x"), 422, "unmapped_path"),
        (AnchorMissing("not mounted"), 409, "anchor_missing"),
        (PlexUnavailable("Plex does not answer"), 503, "plex_unavailable"),
        (StateError("locked"), 503, "state_error"),
        (OndeckdError("something"), 500, "ondeckd_error"),
    ],
)
async def test_each_error_has_its_status_and_code(error: OndeckdError, status: int, code: str) -> None:
    async with serving() as site:
        site.service.error = error
        assert await _post(site, "/api/v1/evict", b'{"target": "11"}') == (
            status,
            {"error": {"code": code, "message": str(error), "details": None}},
        )


async def test_a_fault_in_the_daemon_tells_nothing_of_itself() -> None:
    async with serving() as site:
        site.service.error = RuntimeError("a secret thing")
        async with site.http.get("/api/v1/status", headers={"Accept": "text/html"}) as response:
            assert (response.status, response.content_type) == (500, "application/json")
            body = await response.text()
            assert json.loads(body)["error"]["code"] == "internal"
            assert "secret" not in body


async def test_an_unknown_address_and_a_wrong_method_are_errors_of_the_same_form() -> None:
    async with serving() as site:
        status, body = await _get(site, "/api/v1/nothing")
        assert (status, body["error"]["code"]) == (404, "not_found")
        async with site.http.delete("/api/v1/cache") as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")
            assert (await response.json())["error"]["code"] == "method_not_allowed"


async def test_ready_is_503_while_one_check_fails() -> None:
    async with serving() as site:
        assert await _get(site, "/readyz") == (
            200,
            [{"name": "plex", "ok": True, "text": "answers at /secret/path"}],
        )
        site.service.checks.append(Check("space", False, "full"))
        status, body = await _get(site, "/readyz")
        assert (status, body[1]) == (503, {"name": "space", "ok": False, "text": "full"})
        assert (await _get(site, "/healthz"))[0] == 200


async def test_strangers_see_the_names_of_the_checks_only() -> None:
    async with serving(password_hash="scrypt:14:8:1:x:y", api_key="k" * 20) as site:
        assert await _get(site, "/readyz") == (200, [{"name": "plex", "ok": True}])


async def test_metrics_are_in_prometheus_text() -> None:
    async with serving() as site:
        site.metrics.play("cache")
        async with site.http.get("/metrics") as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert 'ondeckd_plays_total{tier="cache"} 1.0' in await response.text()


async def test_the_document_describes_exactly_the_routes_that_there_are() -> None:
    async with serving() as site:
        app = build_app(site.context, Events(site.context))
        served = {
            (route.resource.canonical, route.method.lower())
            for route in app.router.routes()
            if route.resource and route.method != "HEAD"
        }
        _, fetched = await _get(site, "/api/v1/openapi.json")
        described = {(path, method) for path, methods in fetched["paths"].items() for method in methods}
        assert described == served


def _resolve(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    found: dict[str, Any] = document()["components"]["schemas"][name] if name else schema
    return found


@pytest.mark.parametrize("name", LISTS)
async def test_what_is_listed_has_the_documented_fields(name: str) -> None:
    async with serving(_full()) as site:
        _, body = await _get(site, f"/api/v1/{name}")
    answer = document()["paths"][f"/api/v1/{name}"]["get"]["responses"]["200"]
    listing = answer["content"]["application/json"]["schema"]
    item = _resolve(listing["properties"]["items"]["items"])
    assert set(item["required"]) <= set(body["items"][0])
