"""Words for what is wrong with a configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from annotated_types import Ge, Le
from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from daemon.settings.models import UserSettings, UsersSettings
from daemon.settings.tree import Key, dotted, element, field_at, mentions, model_in, nearest, table_at
from daemon.units import DURATIONS, WrongValue

_LONGEST = 60
"""Characters of a wrong value that are repeated to the user."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong at `key`. `got` is the value in words, empty where it must not or need not be shown.

    `with_` are other keys without which it would not be wrong.
    """

    key: Key
    wrong: str
    allowed: str = ""
    got: str = ""
    with_: tuple[Key, ...] = ()

    def line(self, where: str) -> str:
        """Return one line for people; `where` names the file or the variable."""
        got = f" (got {self.got})" if self.got else ""
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        return f"{where}: {dotted(self.key)}: {self.wrong}{got}{allowed}"

    def numbered(self, numbers: Sequence[int]) -> Fault:
        """Return the fault with a mapping's number replaced by the one that stands there in `numbers`."""
        match self.key:
            case ("mapping", int(place), *rest):
                return replace(self, key=("mapping", numbers[place], *rest))
        return self


def shown(value: object, field: FieldInfo | None) -> str:
    """Return a wrong value in words. Secrets, and addresses that may hold one, are not shown."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if field is None or mentions(field.annotation, SecretStr) or _is_tabular(field):
        return ""
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)[:_LONGEST]
    if "://" in value and ("@" in value or "?" in value):
        return ""
    text = json.dumps(value, ensure_ascii=not value.isprintable())
    return text if len(text) <= _LONGEST else f'{text[:_LONGEST]}…"'


def from_pydantic(error: ErrorDetails) -> Fault:
    """Return in our words what pydantic found."""
    key: Key = error["loc"]
    table = table_at(key[:-1])
    if error["type"] == "extra_forbidden" or (table is UsersSettings and table_at(key) is UserSettings):
        return unknown(key)
    field = field_at(key)
    if error["type"] == "missing":
        return Fault(key, "is missing", _allowed_in(field) if field else "")
    wrong, allowed = _words(error, field)
    return Fault(key, wrong, allowed, shown(error["input"], field))


def unknown(key: Key) -> Fault:
    """Return the fault of a key that does not exist. Its value is not shown: it may be a misspelt secret."""
    table = table_at(key[:-1])
    near = nearest(str(key[-1]), table)
    wrong = f"unknown key; did you mean {near}?" if near else "unknown key"
    return Fault(key, wrong, ", ".join(table.model_fields) if table else "")


def _words(error: ErrorDetails, field: FieldInfo | None) -> tuple[str, str]:
    """Return what is wrong, and what is allowed."""
    context: Mapping[str, Any] = error.get("ctx", {})
    reason = context.get("error")
    if isinstance(reason, WrongValue):
        return str(reason), reason.allowed
    name = dotted(error["loc"])
    rows = f"[[{name}]] tables" if field is not None and _is_tabular(field) else '["…", "…"]'
    choices = context.get("expected", "").replace("'", '"')
    known = {
        "bool_type": ("must be true or false", "true, false (without quotes)"),
        "int_type": ("must be a whole number", _bounds(field)),
        "greater_than_equal": ("is out of range", _bounds(field)),
        "less_than_equal": ("is out of range", _bounds(field)),
        "greater_than": ("cannot be switched off", DURATIONS),
        "literal_error": ("is not one of the choices", choices),
        "string_type": ("must be text in quotes", '"…"'),
        "tuple_type": ("must be a list", rows),
        "model_type": ("must be a table", f"[{name}]"),
    }
    return known.get(error["type"], (error["msg"], ""))


def _is_tabular(field: FieldInfo) -> bool:
    """Say whether tables stand at `field`, one or a list of them."""
    return model_in(field.annotation) is not None or model_in(element(field.annotation)) is not None


def _bounds(field: FieldInfo | None) -> str:
    limits = field.metadata if field else []
    low = next((limit.ge for limit in limits if isinstance(limit, Ge)), "any")
    high = next((limit.le for limit in limits if isinstance(limit, Le)), "any")
    return f"a number from {low} to {high} (without quotes)"


def _allowed_in(field: FieldInfo) -> str:
    """Return what a missing key may hold, by asking what is wrong with nothing."""
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    try:
        adapter.validate_python(None, strict=True)
    except ValidationError as error:
        return _words(error.errors()[0], field)[1]
    return ""
