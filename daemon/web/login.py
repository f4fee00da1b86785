"""The form that asks for the password."""

from __future__ import annotations

import math

from aiohttp import web

from daemon.web.answers import OwnPage, arriving
from daemon.web.auth import SESSION_SECONDS, Guard, Sessions
from daemon.web.markup import Html, document, tag
from daemon.web.security import COOKIE, Gate


class Login:
    """Handles ``/login`` and ``/logout``."""

    def __init__(self, gate: Gate, sessions: Sessions) -> None:
        self._gate = gate
        self._sessions = sessions
        self._guard = Guard()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/login", self.form),
            web.post("/login", self.log_in),
            web.post("/logout", self.log_out),
        ]

    async def form(self, request: web.Request) -> web.Response:
        """Show the form, unless there is no need for it."""
        if self._gate.allows(request):
            raise web.HTTPSeeOther("/")
        return _page()

    async def log_in(self, request: web.Request) -> web.Response:
        """Begin a session if the password is right."""
        password_hash = self._gate.password_hash
        if not password_hash:
            raise web.HTTPSeeOther("/")
        address = self._gate.client(request)
        wait = self._guard.wait(address)
        if wait:
            again = str(math.ceil(wait))
            return _page(f"Too many attempts. Try again in {again} seconds.", 429, {"Retry-After": again})
        async with arriving():
            password = (await request.post()).get("password", "")
        if not isinstance(password, str) or not await self._guard.check(address, password, password_hash):
            return _page("That is not the password.", 401)
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(
            COOKIE,
            self._sessions.start(password_hash),
            max_age=int(SESSION_SECONDS),
            httponly=True,
            samesite="Lax",
            secure=self._gate.is_secure(request),
        )
        return response

    async def log_out(self, request: web.Request) -> web.Response:
        """End the session."""
        self._sessions.end(request.cookies.get(COOKIE, ""))
        response = web.Response(status=303, headers={"Location": "/login"})
        response.del_cookie(COOKIE)
        return response


def _page(fault: str = "", status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    form = tag(
        "form",
        tag("h1", "ondeckd"),
        tag("p", fault, class_="fault", role="alert") if fault else Html(),
        tag("label", "Password", for_="password"),
        tag(
            "input",
            type="password",
            name_="password",
            id="password",
            autocomplete="current-password",
            required=True,
            autofocus=True,
        ),
        tag("button", "Log in", type="submit"),
        method="post",
        action="/login",
        class_="card login",
    )
    body = document("ondeckd: log in", tag("main", form))
    return OwnPage(body, status, headers)
