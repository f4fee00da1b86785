"""The values that nobody may see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pydantic import BaseModel, SecretStr


def secrets_of(value: object) -> Iterator[str]:
    """Yield every secret in the settings, for the log to leave out."""
    if isinstance(value, SecretStr):
        if value:
            yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name))
        # Users' own tables stand beside the fields.
        yield from secrets_of((value.model_extra or {}).values())
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        for one in value:
            yield from secrets_of(one)
