"""Which settings already do something, and which need a restart."""

from __future__ import annotations

from itertools import takewhile

from daemon.settings.models import Settings
from daemon.settings.tree import Key, dotted, flat

NOT_YET = (
    "notify",
    "unraid",
    "arr",
)
"""Tables and keys that are accepted and checked, and have no effect in this release."""

_RESTART = (
    "plex.url",
    "plex.token",
    "plex.verify_tls",
    "web.listen",
    "web.webhook_secret",
    "state.directory",
)
"""Keys that cannot change while the daemon runs."""


def not_yet(settings: Settings) -> tuple[str, ...]:
    """Return the dotted keys that are set to something else than the default and have no effect yet."""
    defaults = flat(Settings())
    found = []
    for key, value in flat(settings).items():
        if waits(key) and value != defaults.get(key, defaults):
            # Of a list of tables only the list is named.
            found.append(dotted(tuple(takewhile(lambda part: isinstance(part, str), key))))
    return tuple(dict.fromkeys(found))


def waits(key: Key) -> bool:
    """Say whether what `key` sets has no effect yet."""
    return any(dotted(key[:depth]) in NOT_YET for depth in range(1, len(key) + 1))


def restart_needed(old: Settings, new: Settings) -> list[str]:
    """Return the dotted keys that differ and take effect only with a restart."""
    before, after = flat(old), flat(new)
    return [dotted(key) for key in after if dotted(key) in _RESTART and before.get(key) != after[key]]
