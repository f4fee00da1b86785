"""The shapes of what the API sends, as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from daemon.model import DemandKind, PlayState, TaskKind, TaskState
from daemon.storage.findings import Name

_Json = dict[str, Any]

_TEXT: _Json = {"type": "string"}
_WHOLE: _Json = {"type": "integer"}
_NUMBER: _Json = {"type": "number"}
_YES_NO: _Json = {"type": "boolean"}
_TIME: _Json = {"type": ["string", "null"], "format": "date-time"}
_MAYBE: _Json = {"type": ["string", "null"]}


def _one_of(*values: str) -> _Json:
    return {"type": "string", "enum": list(values)}


def _list(item: _Json) -> _Json:
    return {"type": "array", "items": item}


def _object(**properties: _Json) -> _Json:
    return {"type": "object", "required": sorted(properties), "properties": properties}


_WISH = {
    "kind": _one_of(*DemandKind),
    "user": _TEXT,
    "since": _TIME,
    "until": _TIME,
    "position": _WHOLE,
}

_PLANNED = _object(plex_path=_TEXT, size=_WHOLE, score=_NUMBER, why=_TEXT)

_CHECK = {
    "type": "object",
    "required": ["name", "ok"],
    "properties": {"name": _TEXT, "ok": _YES_NO, "text": _TEXT},
}

SCHEMAS: Mapping[str, _Json] = MappingProxyType(
    {
        "Error": _object(error=_object(code=_TEXT, message=_TEXT, details={})),
        "Accepted": _object(tasks=_list(_WHOLE)),
        "Leaving": _object(tasks=_list(_WHOLE), playing=_list(_TEXT)),
        "Check": _CHECK,
        "Finding": _object(
            name=_one_of(*Name),
            path=_TEXT,
            text=_TEXT,
            mapping=_TEXT,
            fix=_TEXT,
            fixed=_YES_NO,
            said=_TEXT,
        ),
        "Status": _object(
            version=_TEXT,
            state=_TEXT,
            started_at=_TIME,
            ready=_YES_NO,
            checks=_list(_CHECK),
            cached_files=_WHOLE,
            cached_bytes=_WHOLE,
            sessions=_WHOLE,
            tasks=_object(**{state.value: _WHOLE for state in TaskState}),
        ),
        "File": _object(
            plex_path=_TEXT,
            array_path=_TEXT,
            cache_path=_TEXT,
            size=_WHOLE,
            state=_one_of("cached", "caching", "evicting", "failed"),
            error=_MAYBE,
            score=_NUMBER,
            demands=_list(_object(**_WISH)),
            cached_at=_TIME,
            keep_until=_TIME,
            last_played_at=_TIME,
            placement=_MAYBE,
        ),
        "Task": _object(
            id=_WHOLE,
            kind=_one_of(*TaskKind),
            file=_TEXT,
            state=_one_of(*TaskState),
            priority=_WHOLE,
            why=_TEXT,
            attempts=_WHOLE,
            error=_MAYBE,
            bytes_done=_WHOLE,
            bytes_total=_WHOLE,
            created_at=_TIME,
            started_at=_TIME,
            finished_at=_TIME,
        ),
        "Session": _object(
            id=_TEXT,
            session_key=_TEXT,
            rating_key=_TEXT,
            title=_TEXT,
            user=_TEXT,
            player=_TEXT,
            state=_one_of(*PlayState),
            tier=_one_of("cache", "array"),
            view_offset=_NUMBER,
            duration=_NUMBER,
            started_at=_TIME,
            files=_list(_TEXT),
        ),
        "Demand": _object(rating_key=_TEXT, title=_TEXT, **_WISH),
        "Plan": _object(
            cache_in=_list(_PLANNED),
            evict=_list(_PLANNED),
            refused=_list(_PLANNED),
            totals={"type": "object", "additionalProperties": _WHOLE},
            next_change_at=_TIME,
        ),
    }
)
