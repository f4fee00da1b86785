"""Settings from the environment: ``ONDECKD_`` and the key in capitals, its parts joined by ``__``.

Done here and not by pydantic-settings, whose environment source neither sets one key of the n-th mapping,
nor lists every fault, nor notices a variable that means nothing.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from daemon.settings.models import Settings, UserSettings, UsersSettings
from daemon.settings.tree import ANY, Key, element, leaves, model_in

PREFIX = "ONDECKD_"
CONFIG = "ONDECKD_CONFIG"
"""Names the configuration file; no setting."""

_BETWEEN = "__"
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_PLACE = re.compile(r"[0-9]{1,3}")
_TRUTH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_INSTEAD: Mapping[Key, Key] = {
    ("plex", "token"): ("plex", "token_file"),
    ("plex", "token_file"): ("plex", "token"),
}
"""Two ways to say the same thing: the environment's wins over the file's other one."""


class Overlay:
    """Puts the environment over `data`, which is what the file says.

    `variables` tells which variable has set a key; `faults` are lines about variables that mean nothing.
    """

    def __init__(self, data: dict[str, Any], env: Mapping[str, str]) -> None:
        self.variables: dict[Key, str] = {}
        self.faults: list[str] = []
        self._data = data
        found = []
        for name in env:
            if not name.startswith(PREFIX) or name == CONFIG:
                continue
            key, kind = self._find(name)
            if model_in(kind) is not None or kind is None:
                self.faults.append(f"{name}: there is no such setting{_hint(name)}")
            else:
                found.append((key, kind, name))
        # By key, so that a whole list comes before its members and member 2 before member 10.
        for key, kind, name in sorted(found, key=lambda one: [str(part).rjust(3) for part in one[0]]):
            if self._put(key, _value(env[name], kind), name) and env[name]:
                self._drop_other(key)

    def sets_below(self, key: Key) -> bool:
        """Say whether a variable sets something in the table at `key`."""
        return any(found[: len(key)] == key for found in self.variables)

    def _find(self, name: str) -> tuple[Key, object | None]:
        """Return the key that the variable `name` stands for and the type there; None where nothing is."""
        key: Key = ()
        kind: object = Settings
        for part in name.removeprefix(PREFIX).split(_BETWEEN):
            table = model_in(kind)
            if table is not None and part.lower() in table.model_fields:
                key, kind = (*key, part.lower()), table.model_fields[part.lower()].annotation
            elif table is UsersSettings and part:
                key, kind = (*key, self._user(part)), UserSettings
            elif model_in(element(kind)) is not None and _PLACE.fullmatch(part):
                key, kind = (*key, int(part)), element(kind)
            else:
                return key, None
        return key, kind

    def _user(self, part: str) -> str:
        """Return the user whom the file knows under this name in any case, else the name as it is."""
        users = self._data.get("users")
        tables = [name for name, value in users.items() if isinstance(value, dict)] if isinstance(users, dict) else []
        return next((name for name in tables if name.casefold() == part.casefold()), part)

    def _put(self, key: Key, value: object, name: str) -> bool:
        """Set one value; say whether there was a place for it."""
        target: Any = self._data
        for part, following in pairwise(key):
            if isinstance(part, int) and part > len(target):
                self.faults.append(f"{name}: there is no number {part - 1}; allowed: numbers from 0 without a gap")
                return False
            below: list[Any] | dict[str, Any] = [] if isinstance(following, int) else {}
            if isinstance(part, int) and part == len(target):
                target.append(below)
            target = target[part] if isinstance(part, int) else target.setdefault(part, below)
            if not isinstance(target, type(below)):
                # The file has something else here, which validation reports.
                return False
        target[key[-1]] = value
        self.variables[key] = name
        return True

    def _drop_other(self, key: Key) -> None:
        other = _INSTEAD.get(key)
        if other is not None and other not in self.variables:
            self._data[str(other[0])].pop(other[1], None)


def variable(key: tuple[str, ...]) -> str:
    """Return the name of the variable that sets `key`."""
    return PREFIX + _BETWEEN.join("0" if part == ANY else part.upper() for part in key)


def _hint(name: str) -> str:
    known = [variable(leaf) for leaf in leaves()]
    near = difflib.get_close_matches(name.upper(), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _value(text: str, kind: object) -> object:
    """Return `text` as the type that the file would have; what cannot be is left for validation to name."""
    if kind is bool:
        return _TRUTH.get(text.lower(), text)
    if kind is int:
        return int(text) if _NUMBER.fullmatch(text) else text
    row = element(kind)
    if row is None:
        return text
    if text.lstrip().startswith("[") or model_in(row) is not None:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return [part.strip() for part in text.split(",") if part.strip()]
