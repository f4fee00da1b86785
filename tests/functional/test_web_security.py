from __future__ import annotations

import socket
from typing import Any

import pytest
from yarl import URL

from daemon.web import security
from daemon.web.auth import hash_password, verify_password
from tests.support.web import API_KEY, PASSWORD, Site, cheap_hash, serving

PASSWORD_HASH = cheap_hash(PASSWORD)
STATUS = "/api/v1/status"
PAUSE = "/api/v1/pause"
PROXY = ["127.0.0.1"]


async def _get(site: Site, path: str = STATUS, **headers: str) -> int:
    async with site.http.get(path, headers=_named(headers), allow_redirects=False) as response:
        return response.status


async def _post(site: Site, path: str = PAUSE, **headers: str) -> tuple[int, str]:
    async with site.http.post(path, headers=_named(headers), allow_redirects=False) as response:
        body = await response.json() if response.content_type == "application/json" else {}
        return response.status, body.get("error", {}).get("code", "")


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def _log_in(site: Site, password: str = PASSWORD, **headers: str) -> Any:
    async with site.http.post(
        "/login", data={"password": password}, headers=_named(headers), allow_redirects=False
    ) as response:
        await response.read()
        return response


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:5757",
        "127.0.0.1:80",
        "[::1]:5757",
        "demo.localhost",
        "localhost.",
        socket.gethostname(),
    ],
)
async def test_its_own_names_are_answered(host: str) -> None:
    async with serving() as site:
        assert await _get(site, Host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:5757",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "",
        "[",
        "a b",
    ],
)
async def test_a_rebound_host_name_is_refused(host: str) -> None:
    async with serving() as site:
        for path in ("/", STATUS, "/readyz", "/metrics", "/static/ondeckd.js", "/login"):
            assert await _get(site, path, Host=host) == 403
        assert await _post(site, Host=host, Origin=f"http://{host}") == (403, "host_not_allowed")
        assert site.service.asked == []


async def test_a_forwarded_host_counts_only_from_a_trusted_proxy_with_a_password_behind_it() -> None:
    named = {"Host": "media.example", "X_Forwarded_Host": "localhost"}
    async with serving() as site:
        assert await _get(site, **named) == 403
        site.change(trusted_proxies=PROXY)
        assert await _get(site, Host="media.example") == 403
        site.change(password_hash=PASSWORD_HASH)
        assert await _get(site, "/login", Host="media.example") == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": ""},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost:5757", "Host": "localhost:5757"},
    ],
)
async def test_another_sites_page_changes_nothing(headers: dict[str, str]) -> None:
    async with serving(password_hash=PASSWORD_HASH) as site:
        await _log_in(site)
        site.http.headers["Host"] = "localhost:5757"
        assert await _post(site, **headers) == (403, "cross_origin")
        assert await _post(site, "/logout", **headers) == (403, "cross_origin")
        assert site.service.asked == []


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://localhost:5757"}, {"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}],
)
async def test_the_page_itself_and_programs_may_ask_for_changes(headers: dict[str, str]) -> None:
    async with serving() as site:
        assert (await _post(site, Host="localhost:5757", **headers))[0] == 202
        assert site.service.asked == [("pause", "")]


async def test_behind_a_trusted_proxy_the_outer_host_is_the_origin() -> None:
    headers = {"Origin": "https://media.example", "X_Forwarded_Host": "media.example"}
    async with serving(password_hash=PASSWORD_HASH, trusted_proxies=PROXY) as site:
        assert (await _log_in(site, **headers)).status == 303
        assert (await _log_in(site, Origin="https://evil.example", X_Forwarded_Host="media.example")).status == 403


async def test_without_a_password_the_loopback_is_open() -> None:
    async with serving(api_key=API_KEY) as site:
        assert await _get(site) == 200
        assert await _get(site, "/") == 200
        assert await _get(site, "/metrics") == 200


async def test_without_a_password_any_other_address_is_closed_but_for_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A reload can take the password away while the socket still listens on every address.
    monkeypatch.setattr(security, "_local_address", lambda _request: "192.0.2.7")
    async with serving(api_key=API_KEY) as site:
        assert await _get(site, Host="192.0.2.7:5757") == 401
        assert await _get(site, Host="192.0.2.7:5757", X_Api_Key=API_KEY) == 200


async def test_with_a_password_nothing_is_told_to_strangers() -> None:
    async with serving(password_hash=PASSWORD_HASH) as site:
        for path in (
            STATUS,
            "/metrics",
            "/api/v1/events",
            "/api/v1/openapi.json",
            "/api/v1/nothing",
            "/logout",
        ):
            assert await _get(site, path) == 401, path
        assert await _post(site) == (401, "unauthorized")
        assert await _get(site, "/") == 303
        assert await _get(site, "/healthz") == 200
        assert site.service.asked == []


@pytest.mark.parametrize("header", ["X_Api_Key", "Authorization"])
async def test_the_api_key_opens_everything_from_anywhere(header: str) -> None:
    value = API_KEY if header == "X_Api_Key" else f"bearer {API_KEY}"
    async with serving(password_hash=PASSWORD_HASH, api_key=API_KEY) as site:
        assert await _get(site, **{header: value}) == 200
        assert await _get(site, Host="tower.example", **{header: value}) == 200
        assert (await _post(site, Origin="http://elsewhere.example", **{header: value}))[0] == 202
        assert await _get(site, **{header: value + "x"}) == 401
        assert await _get(site, **{header: "ü"}) == 401


async def test_an_empty_api_key_opens_nothing() -> None:
    async with serving(password_hash=PASSWORD_HASH) as site:
        assert await _get(site, X_Api_Key="") == 401
        assert await _get(site, Authorization="Bearer ") == 401


async def test_settings_are_in_force_at_once() -> None:
    async with serving() as site:
        assert await _get(site) == 200
        site.change(password_hash=PASSWORD_HASH)
        assert await _get(site) == 401
        site.change(api_key=API_KEY)
        assert await _get(site, X_Api_Key=API_KEY) == 200


async def test_the_right_password_begins_a_session_and_logging_out_ends_it() -> None:
    async with serving(password_hash=PASSWORD_HASH) as site:
        response = await _log_in(site)
        assert (response.status, response.headers["Location"]) == (303, "/")
        cookie = response.cookies["ondeckd_session"]
        assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", "")
        assert await _get(site, "/") == 200
        assert (await _post(site))[0] == 202
        assert (await _post(site, "/logout"))[0] == 303
        site.http.cookie_jar.clear()
        assert await _get(site, Cookie=f"ondeckd_session={cookie.value}") == 401


def test_a_hash_fits_its_password_only() -> None:
    hashed = hash_password("ünlock me")
    assert verify_password("ünlock me", hashed)
    assert not verify_password("unlock me", hashed)
    assert hashed != hash_password("ünlock me")
    for broken in (
        "",
        "scrypt",
        "scrypt:14:8:5:a:b",
        "scrypt:99:8:5:YQ:YQ",
        "scrypt:x:8:5:YQ:YQ",
        "plain:1:8:1:YQ:YQ",
    ):
        assert not verify_password("ünlock me", broken)


async def test_a_session_ends_when_the_password_changes() -> None:
    async with serving(password_hash=PASSWORD_HASH) as site:
        await _log_in(site)
        assert await _get(site) == 200
        site.change(password_hash=cheap_hash("another"))
        assert await _get(site) == 401


async def test_behind_a_proxy_that_speaks_tls_the_cookie_is_for_tls_only() -> None:
    async with serving(password_hash=PASSWORD_HASH, trusted_proxies=PROXY) as site:
        assert (await _log_in(site, X_Forwarded_Proto="https")).cookies["ondeckd_session"]["secure"]
        site.change(trusted_proxies=[])
        assert not (await _log_in(site, X_Forwarded_Proto="https")).cookies["ondeckd_session"]["secure"]


async def test_a_wrong_password_is_refused_and_guessing_is_bounded_for_each_address() -> None:
    async with serving(password_hash=PASSWORD_HASH, trusted_proxies=PROXY) as site:
        for _ in range(5):
            assert (await _log_in(site, "wrong", X_Forwarded_For="192.0.2.1")).status == 401
        blocked = await _log_in(site, PASSWORD, X_Forwarded_For="192.0.2.1")
        assert blocked.status == 429
        assert int(blocked.headers["Retry-After"]) > 0
        assert (await _log_in(site, PASSWORD, X_Forwarded_For="192.0.2.1, 192.0.2.2")).status == 303


async def test_a_stranger_cannot_choose_the_address_under_which_he_guesses() -> None:
    async with serving(password_hash=PASSWORD_HASH) as site:
        for number in range(5):
            assert (await _log_in(site, "wrong", X_Forwarded_For=f"192.0.2.{number}")).status == 401
        assert (await _log_in(site, "wrong", X_Forwarded_For="192.0.2.99")).status == 429


async def test_a_login_form_of_another_kind_is_no_fault() -> None:
    async with serving(password_hash=PASSWORD_HASH) as site:
        for data, kind in (
            (b"{}", "application/json"),
            (b"password=%FF", "application/x-www-form-urlencoded"),
        ):
            async with site.http.post("/login", data=data, headers={"Content-Type": kind}) as response:
                assert response.status == 401


async def test_a_wrong_password_brings_the_form_back() -> None:
    wrong = {"password": "wrong"}
    async with serving(password_hash=PASSWORD_HASH) as site, site.http.post("/login", data=wrong) as response:
        assert (response.status, response.content_type) == (401, "text/html")
        assert "That is not the password." in await response.text()


@pytest.mark.parametrize("path", ["/", STATUS, "/healthz", "/nothing", "/static/ondeckd.css", "/api/v1/files?limit=x"])
async def test_every_answer_carries_the_protecting_headers(path: str) -> None:
    async with serving() as site, site.http.get(path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Server"] == "ondeckd"


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2f..%2fserver.py",
        "/static/%2e%2e/server.py",
        "/static/..%5c..%5cserver.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/ondeckd.css%00.js",
        "/static/",
        "/static",
        "/static/server.py",
    ],
)
async def test_no_name_leads_out_of_the_static_files(path: str) -> None:
    async with serving() as site, site.http.get(URL(site.url + path, encoded=True)) as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "not_found"
