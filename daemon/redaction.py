"""Keeps secrets out of what is written for people, and makes any value printable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"

_SHORTEST = 4
"""Blotting out every occurrence of a shorter value would make the text unreadable and give the value away."""
_KEYS = frozenset({"api_key", "apikey", "authorization", "password", "password_hash", "secret", "token"})
_IN_TEXT = (
    re.compile(r"(?i)\b((?:x-plex-token|x-api-key)['\"]?(?:=|%3D|\s*:)\s*['\"]?)[^\s&;,'\"<>)\]}]+"),
    re.compile(r"(?i)\b(authorization['\"]?\s*[:=]\s*['\"]?(?:(?:bearer|basic)\s+)?)[^\s&;,'\"<>)\]}]+"),
    re.compile(r"(?i)\b((?:secret|token|password|api_?key)(?:=|%3D|['\"]\s*:\s*['\"]))[^\s&;,'\"<>)\]}]+"),
    re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s/@:]*:)[^\s/@]+(?=@)"),
)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Redactor:
    """Blots out `secrets` wherever they occur, and whatever looks like one by its name."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {
            spelling
            for secret in secrets
            if len(secret) >= _SHORTEST
            for spelling in (secret, quote(secret, safe=""), quote_plus(secret))
        }
        # The longest first: one secret may be the beginning of another.
        alternatives = sorted(map(re.escape, spellings), key=len, reverse=True)
        self._known = re.compile("|".join(alternatives)) if alternatives else None

    def text(self, text: str) -> str:
        """Return `text` without secrets, and with what a terminal or a decoder trips over escaped."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern in _IN_TEXT:
            text = pattern.sub(rf"\g<1>{MASK}", text)
        return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)

    def value(self, value: Any) -> Any:
        """Return `value` as something that JSON can carry, without secrets."""
        match value:
            case None | bool() | int() | float():
                return value
            case Mapping():
                return {
                    self.text(str(key)): MASK if str(key).lower() in _KEYS and item else self.value(item)
                    for key, item in value.items()
                }
            case list() | tuple() | set() | frozenset():
                return [self.value(item) for item in value]
            case _:
                return self.text(str(value))
