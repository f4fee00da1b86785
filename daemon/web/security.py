"""Who may do what: host names, cross-site requests, keys and sessions, protecting headers."""

from __future__ import annotations

import socket

from aiohttp import web
from aiohttp.typedefs import Handler

from daemon.web.address import host_of, is_loopback, is_within, parse_ip
from daemon.web.answers import Refusal, make_uniform
from daemon.web.auth import Sessions, same_secret
from daemon.web.context import WebContext

COOKIE = "ondeckd_session"

_OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login"})
_OPEN_PREFIXES = ("/static/", "/webhook/")
_ANY_HOST_PREFIXES = ("/healthz", "/webhook/")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


async def guard_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Give every answer its protecting headers, and every error the common form."""
    make_uniform(response)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "ondeckd"


class Gate:
    """Lets a request in, or refuses it.

    A request with the API key passes everywhere: no page that somebody else controls can know it. Without
    a password, what arrives on the loopback is let in; on any other address nothing is.
    """

    def __init__(self, context: WebContext, sessions: Sessions) -> None:
        self._context = context
        self._sessions = sessions
        name = socket.gethostname().lower()
        short = name.partition(".")[0]
        self._own_names = {"localhost", name, short, f"{short}.local"}

    @property
    def password_hash(self) -> str:
        """Return the hash of the password in force, empty if there is none."""
        return self._context.settings().web.password_hash.get_secret_value()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what must not reach a handler."""
        if not self._has_key(request):
            if not request.path.startswith(_ANY_HOST_PREFIXES) and not self._is_own_host(request):
                raise Refusal(403, "host_not_allowed", "This server does not answer to that host name.")
            if self._may_be_forged(request):
                raise Refusal(403, "cross_origin", "Requests from other sites may not change anything.")
        if not self.allows(request) and not _is_open(request.path):
            if request.path == "/" and request.method == "GET" and self.password_hash:
                raise web.HTTPSeeOther("/login")
            raise Refusal(
                401,
                "unauthorized",
                "Log in, or send the key web.api_key as X-Api-Key or Authorization: Bearer.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return await handler(request)

    def allows(self, request: web.Request) -> bool:
        """Say whether whoever asks may see and do everything."""
        password = self.password_hash
        if self._has_key(request) or self._sessions.holds(request.cookies.get(COOKIE, ""), password):
            return True
        return not password and is_loopback(_local_address(request))

    def client(self, request: web.Request) -> str:
        """Return the address of who asks; that of a trusted proxy's client, if one speaks for it."""
        address = request.remote or ""
        proxies = self._context.settings().web.trusted_proxies
        forwarded = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        while forwarded and is_within(address, proxies):
            address = forwarded.pop()
        return address

    def is_secure(self, request: web.Request) -> bool:
        """Say whether the browser speaks TLS, to a trusted proxy in front of us."""
        return self._by_proxy(request) and request.headers.get("X-Forwarded-Proto", "").lower() == "https"

    def _by_proxy(self, request: web.Request) -> bool:
        return is_within(request.remote or "", self._context.settings().web.trusted_proxies)

    def _host(self, request: web.Request) -> str:
        host = request.headers.get("Host", "")
        return request.headers.get("X-Forwarded-Host", host) if self._by_proxy(request) else host

    def _is_own_host(self, request: web.Request) -> bool:
        """Say whether the name that was asked for is ours.

        A page at a hostile name can have that name resolve to this machine, but cannot hide the name. An
        address cannot be rebound. Which names a trusted proxy answers to is the proxy's business, as long as
        a password stands behind it: what a proxy says, a page on its machine can say as well.
        """
        if self.password_hash and self._by_proxy(request):
            return True
        host = host_of(request.headers.get("Host", ""))
        if parse_ip(host):
            return is_loopback(host) or not is_loopback(_local_address(request))
        listen = self._context.settings().web.host.lower()
        return host == listen or host in self._own_names or host.endswith(".localhost")

    def _may_be_forged(self, request: web.Request) -> bool:
        """Say whether a page of another site may have had a browser send this."""
        if request.method in {"GET", "HEAD", "OPTIONS"} or request.path.startswith("/webhook/"):
            return False
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None:
            return site not in {"same-origin", "none"}
        origin = request.headers.get("Origin")
        if origin is None:
            return False
        return origin.partition("://")[2].lower() != self._host(request).strip().lower()

    def _has_key(self, request: web.Request) -> bool:
        key = self._context.settings().web.api_key.get_secret_value()
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        given = request.headers.get("X-Api-Key") or (bearer.strip() if scheme.lower() == "bearer" else "")
        return same_secret(given, key)


def _is_open(path: str) -> bool:
    return path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES)


def _local_address(request: web.Request) -> str:
    """Return the address of this machine at which the request arrived."""
    name = request.transport.get_extra_info("sockname") if request.transport else None
    return str(name[0]) if name else ""
