"""The shapes of what the API sends, as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from daemon.model import DemandKind, ItemType, PlayState, Role, TaskKind, TaskState
from daemon.storage.findings import Name

_Json = dict[str, Any]

_TEXT: _Json = {"type": "string"}
_WHOLE: _Json = {"type": "integer"}
_NUMBER: _Json = {"type": "number"}
_YES_NO: _Json = {"type": "boolean"}
_TIME: _Json = {"type": ["string", "null"], "format": "date-time"}
_MAYBE: _Json = {"type": ["string", "null"]}
_MAYBE_WHOLE: _Json = {"type": ["integer", "null"]}


def _one_of(*values: str) -> _Json:
    return {"type": "string", "enum": list(values)}


def _list(item: _Json) -> _Json:
    return {"type": "array", "items": item}


def _object(**properties: _Json) -> _Json:
    return {"type": "object", "required": sorted(properties), "properties": properties}


_WISH = {
    "rating_key": _TEXT,
    "kind": _one_of(*DemandKind),
    "user": _TEXT,
    "since": _TIME,
    "until": _TIME,
    "position": _WHOLE,
    "source": _TEXT,
    "text": _TEXT,
}

_WANTED = {"demands": _list(_object(**_WISH)), "users": _list(_TEXT), "text": _TEXT}

_PLANNED = _object(plex_path=_TEXT, size=_WHOLE, score=_NUMBER, why=_TEXT, **_WANTED)
_DATED = _PLANNED | {"properties": _PLANNED["properties"] | {"when": _TEXT, "waits": _YES_NO}}

_ROOM = _object(
    mappings=_list(_TEXT),
    cache_in_files=_WHOLE,
    cache_in_bytes=_WHOLE,
    evict_files=_WHOLE,
    evict_bytes=_WHOLE,
    total=_MAYBE_WHOLE,
    free=_MAYBE_WHOLE,
    free_after=_MAYBE_WHOLE,
)

_CHECK = {
    "type": "object",
    "required": ["name", "ok"],
    "properties": {"name": _TEXT, "ok": _YES_NO, "text": _TEXT},
}

SCHEMAS: Mapping[str, _Json] = MappingProxyType(
    {
        "Error": _object(error=_object(code=_TEXT, message=_TEXT, details={})),
        "Accepted": _object(tasks=_list(_WHOLE)),
        "Pinned": _object(tasks=_list(_WHOLE), note=_TEXT),
        "Pin": _object(
            rating_key=_TEXT,
            type=_one_of(*ItemType),
            title=_TEXT,
            since=_TIME,
            files=_WHOLE,
            size=_WHOLE,
            cached_files=_WHOLE,
        ),
        "User": _object(
            place=_WHOLE,
            id=_TEXT,
            title=_TEXT,
            role=_one_of(*Role, ""),
            state=_one_of("counts", "excluded", "inactive", "no token"),
            why=_TEXT,
            last_played_at=_TIME,
            sources=_list(
                _object(
                    kind=_one_of(*DemandKind),
                    on=_YES_NO,
                    read_at=_TIME,
                    found=_WHOLE,
                    failing_since=_TIME,
                    problem=_TEXT,
                    note=_TEXT,
                    unmatched=_list(_TEXT),
                )
            ),
        ),
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
            failing_sources=_list(_object(kind=_TEXT, user=_TEXT, since=_TIME, why=_TEXT)),
        ),
        "File": _object(
            plex_path=_TEXT,
            array_path=_TEXT,
            cache_path=_TEXT,
            size=_WHOLE,
            state=_one_of("cached", "caching", "evicting", "failed"),
            error=_MAYBE,
            score=_NUMBER,
            why=_TEXT,
            rating_keys=_list(_TEXT),
            **_WANTED,
            cached_at=_TIME,
            keep_until=_TIME,
            retained_until=_TIME,
            min_stay_until=_TIME,
            last_played_at=_TIME,
            placement=_MAYBE,
            task={"type": ["object", "null"]},
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
        "Demand": _object(title=_TEXT, **_WISH),
        "Plan": _object(
            cache_in=_list(_DATED),
            evict=_list(_DATED),
            refused=_list(_PLANNED),
            caches=_list(_ROOM),
            totals={"type": "object", "additionalProperties": _WHOLE},
            next_change_at=_TIME,
        ),
    }
)
