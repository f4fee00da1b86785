"""Finds the way through the settings tree by key: what may stand where, and what it is called."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from daemon.settings.models import Settings, UserSettings, UsersSettings

Key = tuple[str | int, ...]
"""Where a value stands: names of tables and keys, and numbers within a list."""

ANY = "*"
"""Stands for any number of a list and any user in the keys that `leaves` returns."""


def dotted(key: Key) -> str:
    """Return `key` as people read it: ``mapping.0.plex``."""
    return ".".join(str(part) for part in key)


def model_in(annotation: object) -> type[BaseModel] | None:
    """Return the table that `annotation` stands for, if it is one."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def element(annotation: object) -> object | None:
    """Return the type of the members if `annotation` is a list."""
    return get_args(annotation)[0] if get_origin(annotation) is tuple else None


def mentions(annotation: object, wanted: type) -> bool:
    """Say whether `wanted` occurs anywhere in `annotation`."""
    return annotation is wanted or any(mentions(part, wanted) for part in get_args(annotation))


def table_at(key: Key) -> type[BaseModel] | None:
    """Return the table that stands at `key`, None where there can be none."""
    annotation: object = Settings
    for part in key:
        model = model_in(annotation)
        if model is not None and part in model.model_fields:
            annotation = model.model_fields[str(part)].annotation
        elif model is UsersSettings:
            annotation = UserSettings
        elif isinstance(part, int):
            annotation = element(annotation)
        else:
            return None
    return model_in(annotation)


def field_at(key: Key) -> FieldInfo | None:
    """Return the field of `key`, or of the list that `key` is a member of."""
    named = key[:-1] if key and isinstance(key[-1], int) else key
    table = table_at(named[:-1]) if named else None
    return table.model_fields.get(str(named[-1])) if table else None


def leaves(model: type[BaseModel] = Settings, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every key that can be set, tables resolved."""
    for name, field in model.model_fields.items():
        table = model_in(field.annotation)
        row = model_in(element(field.annotation))
        if table is not None:
            yield from leaves(table, (*above, name))
        elif row is not None:
            yield from leaves(row, (*above, name, ANY))
        else:
            yield (*above, name)
    if model is UsersSettings:
        yield from leaves(UserSettings, (*above, ANY))


def nearest(name: str, table: type[BaseModel] | None) -> str | None:
    """Return the known name that `name` was probably meant to be, of the same table or else elsewhere."""
    near = difflib.get_close_matches(name, table.model_fields if table else (), n=1)
    if near:
        return near[0]
    everywhere = {leaf[-1]: dotted(leaf) for leaf in reversed(list(leaves()))}
    near = difflib.get_close_matches(name, everywhere, n=1, cutoff=0.75)
    return everywhere[near[0]] if near else None


def flat(settings: BaseModel, above: Key = ()) -> dict[Key, Any]:
    """Return every value of `settings` by its key."""
    found: dict[Key, Any] = {}
    for name, value in settings:
        if isinstance(value, BaseModel):
            found |= flat(value, (*above, name))
        elif isinstance(value, tuple) and any(isinstance(row, BaseModel) for row in value):
            for number, row in enumerate(value):
                found |= flat(row, (*above, name, number))
        else:
            found[(*above, name)] = value
    return found
