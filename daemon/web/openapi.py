"""What the HTTP side looks like, for programs: the OpenAPI document."""

from __future__ import annotations

from typing import Any

from daemon import __version__
from daemon.storage.findings import FIXES
from daemon.web.schemas import SCHEMAS
from daemon.web.service import SORT_KEYS

_Json = dict[str, Any]


def document() -> _Json:
    """Return the document. It names every route that there is, and no other."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ondeckd",
            "version": __version__,
            "description": "Keeps what people watch on Plex, and are about to watch, on fast storage.",
        },
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "session": {"type": "apiKey", "in": "cookie", "name": "ondeckd_session"},
            },
        },
        "security": [{"bearer": []}, {"key": []}, {"session": []}],
        "paths": _monitoring() | _webhook() | _reading() | _asking() | _auditing() | _people(),
    }


def _monitoring() -> _Json:
    checks = {"type": "array", "items": _ref("Check")}
    return {
        "/healthz": {"get": _open("Answers while the process lives.", {"200": _json({"type": "object"})})},
        "/readyz": {
            "get": _open(
                "Says what works; texts only for those who may see them.",
                {"200": _json(checks, "Ready."), "503": _json(checks, "Not ready.")},
            )
        },
        "/metrics": {"get": _operation("Figures for Prometheus.", {"200": _content("text/plain")})},
    }


def _webhook() -> _Json:
    secret = {"name": "secret", "in": "query", "required": True, "schema": {"type": "string"}}
    form = {"type": "object", "properties": {"payload": {"type": "string"}, "thumb": {"type": "string"}}}
    operation = _open(
        "Plex's webhook, at most 5 MiB.",
        {
            "200": _json({"type": "object", "properties": {"recorded": {"type": "boolean"}}}, "Recorded or ignored."),
            **{status: _error() for status in ("400", "401", "408", "413")},
        },
    )
    body = {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": form},
            "application/json": {"schema": {"type": "object"}},
        },
    }
    plain = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    arr = {
        f"/webhook/{name.lower()}": {
            "post": operation
            | {
                "summary": f"{name}'s webhook: what it did with its files.",
                "parameters": [secret],
                "requestBody": plain,
            }
        }
        for name in ("Sonarr", "Radarr")
    }
    return {"/webhook/plex": {"post": operation | {"parameters": [secret], "requestBody": body}}} | arr


def _reading() -> _Json:
    lists = {
        f"/api/v1/{name}": {
            "get": _operation(
                f"The {name}.",
                {"200": _json(_list_of(schema)), "400": _error()},
            )
            | {"parameters": _list_parameters(SORT_KEYS[name])}
        }
        for name, schema in (
            ("files", "File"),
            ("tasks", "Task"),
            ("sessions", "Session"),
            ("demands", "Demand"),
            ("pins", "Pin"),
            ("users", "User"),
        )
    }
    return lists | {
        "/api/v1/status": {"get": _operation("How the daemon is.", {"200": _json(_ref("Status"))})},
        "/api/v1/plan": {"get": _operation("What would be done now.", {"200": _json(_ref("Plan"))})},
        "/api/v1/openapi.json": {"get": _operation("This document.", {"200": _json({"type": "object"})})},
        "/api/v1/events": {
            "get": _operation(
                "Server-sent events: task, progress, session, entry, notice; resync: some were left out.",
                {"200": _content("text/event-stream"), "503": _error()},
            )
        },
    }


_TARGET: _Json = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["target"],
                    "additionalProperties": False,
                    "properties": {
                        "target": {
                            "type": ["string", "integer"],
                            "description": "A rating key, a Plex URL, or a path on any tier.",
                        }
                    },
                }
            }
        },
    }
}


def _asking() -> _Json:
    accepted = {"202": _json(_ref("Accepted"), "Taken on."), "403": _error()}
    faults = {status: _error() for status in ("400", "404", "409", "422", "503")}
    on_target = {"cache": "Bring a target onto the cache.", "evict": "Take a target off the cache."}
    plain = {
        "pause": "Start no new task.",
        "resume": "Start tasks again.",
        "stop": "End what runs, cleanly.",
        "refresh": "Read Plex again and plan anew.",
    }
    on_pin = {
        "pin": "Keep a target on the cache for good, and every new episode of it.",
        "unpin": "Take a pin back: its files leave as all others do.",
    }
    pinned = accepted | {"202": _json(_ref("Pinned"), "Taken on.")}
    leaving = accepted | {"202": _json(_ref("Leaving"), "Taken on."), "409": _error()}
    return (
        {f"/api/v1/{name}": {"post": _operation(text, accepted | faults) | _TARGET} for name, text in on_target.items()}
        | {f"/api/v1/{name}": {"post": _operation(text, pinned | faults) | _TARGET} for name, text in on_pin.items()}
        | {f"/api/v1/{name}": {"post": _operation(text, accepted)} for name, text in plain.items()}
        | {"/api/v1/restore": {"post": _operation("Take all off the cache but what plays, and pause.", leaving)}}
    )


def _auditing() -> _Json:
    array = {"name": "array", "in": "query", "schema": {"type": "string", "enum": ["0", "1", "false", "true"]}}
    everything = array | {"name": "all", "description": "All findings in one answer, whatever limit and offset say."}
    name = {"type": "string", "enum": list(FIXES)}
    fix = {"oneOf": [name, {"type": "array", "items": name, "minItems": 1}]}
    body = {
        "type": "object",
        "required": ["fix"],
        "additionalProperties": False,
        "properties": {"fix": fix, "array": {"type": "boolean", "default": False}},
    }
    fixed = _list_of("Finding")
    fixed["properties"]["tasks"] = {"type": "array", "items": {"type": "integer"}}
    look = _operation(
        "Compares ledger, cache and (if asked) array.",
        {"200": _json(_list_of("Finding")), "400": _error(), "409": _error()},
    )
    repair = _operation(
        "Fixes what an audit finds, and says what became of each finding.",
        {"202": _json(fixed, "What became of each."), **{status: _error() for status in ("400", "403", "409")}},
    )
    return {
        "/api/v1/audit": {"get": look | {"parameters": [array, everything, *_list_parameters(SORT_KEYS["audit"])]}},
        "/api/v1/audit/fix": {
            "post": repair | {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}
        },
    }


def _people() -> _Json:
    page = {"200": _content("text/html")}
    away = {"303": {"description": "Goes on to another page."}}
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/": {"get": _operation("The page.", page | away)},
        "/login": {
            "get": _open("The form for the password.", page | away),
            "post": _open("Begins a session.", away | {"401": _content("text/html"), "429": _content("text/html")}),
        },
        "/logout": {"post": _operation("Ends the session.", away)},
        "/static/{name}": {
            "get": _open("A file of the page.", {"200": {"description": "The file."}, "404": _error()})
            | {"parameters": [name]}
        },
    }


def _operation(summary: str, responses: _Json) -> _Json:
    return {"summary": summary, "responses": {"401": _error()} | responses}


def _open(summary: str, responses: _Json) -> _Json:
    return {"summary": summary, "security": [], "responses": responses}


def _list_parameters(sort_keys: tuple[str, ...]) -> list[_Json]:
    orders = [f"{sign}{key}" for key in sort_keys for sign in ("", "-")]
    schemas: dict[str, _Json] = {
        "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        "offset": {"type": "integer", "minimum": 0, "default": 0},
        "q": {"type": "string", "maxLength": 200},
        "sort": {"type": "string", "enum": orders},
    }
    return [{"name": name, "in": "query", "schema": schema} for name, schema in schemas.items()]


def _list_of(schema: str) -> _Json:
    return {
        "type": "object",
        "required": ["items", "total"],
        "properties": {"items": {"type": "array", "items": _ref(schema)}, "total": {"type": "integer"}},
    }


def _json(schema: _Json, description: str = "Here it is.") -> _Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _content(kind: str) -> _Json:
    return {"description": "Here it is.", "content": {kind: {"schema": {"type": "string"}}}}


def _error() -> _Json:
    return _json(_ref("Error"), "Refused, and why.")


def _ref(name: str) -> _Json:
    return {"$ref": f"#/components/schemas/{name}"}
