"""The configuration: settings tree, TOML and environment, all faults listed at once."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from daemon.errors import ConfigError
from daemon.settings.checks import cross_faults
from daemon.settings.credentials import with_token
from daemon.settings.effective import not_yet, restart_needed
from daemon.settings.environment import CONFIG, Overlay
from daemon.settings.faults import Fault, from_pydantic
from daemon.settings.models import (
    LogSettings,
    MappingSettings,
    PlaybackSettings,
    PlexSettings,
    RetentionSettings,
    ScheduleSettings,
    Settings,
    SpaceSettings,
    StateSettings,
    TransferSettings,
    UserSettings,
    UsersSettings,
    WebSettings,
)
from daemon.settings.source import is_there, read
from daemon.settings.tree import Key, dotted

__all__ = [
    "Loaded",
    "LogSettings",
    "MappingSettings",
    "PlaybackSettings",
    "PlexSettings",
    "RetentionSettings",
    "ScheduleSettings",
    "Settings",
    "SpaceSettings",
    "StateSettings",
    "TransferSettings",
    "UserSettings",
    "UsersSettings",
    "WebSettings",
    "build",
    "demand_runnable",
    "find_config",
    "load",
    "missing_to_run",
    "restart_needed",
    "state_directory",
]

_PLACES = (Path("config.toml"), Path("/etc/ondeckd/config.toml"))

SYSTEM_STATE = Path("/var/lib/ondeckd")
"""What ``StateDirectory=ondeckd`` of the systemd unit means."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid configuration and where it came from.

    `not_yet`: dotted keys that are set but have no effect in this release. `variables`: dotted keys that the
    environment has set, each with its variable; the file cannot change those.
    """

    settings: Settings
    path: Path | None
    not_yet: tuple[str, ...]
    variables: Mapping[str, str]


def find_config(option: str | None, env: Mapping[str, str]) -> Path | None:
    """Return the file to load: the option, ``$ONDECKD_CONFIG``, or the first usual place where one is."""
    if named := option or env.get(CONFIG):
        return Path(named)
    return next((path for path in _PLACES if is_there(path)), None)


def load(path: Path | None, env: Mapping[str, str]) -> Loaded:
    """Return the configuration of the file at `path` (None: no file) under the environment `env`.

    Raises ConfigError with every fault at once.
    """
    data, lines = read(path) if path else ({}, {})
    overlay = Overlay(data, env)
    file = str(path) if path else "environment"

    def where(key: Key) -> str:
        if key in overlay.variables:
            return overlay.variables[key]
        for part in (key[:depth] for depth in range(len(key), 0, -1)):
            if part in lines:
                return f"{file}:{lines[part]}"
            # What is missing beside a variable was forgotten there, not in a file that knows nothing of the table.
            if overlay.sets_below(part):
                return "environment"
        return file

    settings = _settle(data, env, where, overlay.faults)
    variables = {dotted(key): name for key, name in overlay.variables.items()}
    return Loaded(settings, path, not_yet(settings), variables)


def build(data: Mapping[str, Any]) -> Settings:
    """Return settings from values as the file would have them. Raises ConfigError with every fault."""
    return _settle(copy.deepcopy(dict(data)), {}, lambda _: "settings", [])


def _settle(data: dict[str, Any], env: Mapping[str, str], where: Callable[[Key], str], lines: list[str]) -> Settings:
    """Validate all of `data`; raise everything that is wrong, together with the `lines` already found."""
    try:
        settings = Settings.model_validate(data)
        faults = list(cross_faults(settings))
    except ValidationError as error:
        faults = [from_pydantic(detail) for detail in error.errors()]
        settings, more = _salvage(data, {fault.key for fault in faults})
        faults += more
    settings, more = with_token(settings, env)
    faults += more
    if faults or lines:
        raise ConfigError([*lines, *(fault.line(where(fault.key)) for fault in faults)])
    return settings


def _salvage(data: dict[str, Any], wrong: set[Key]) -> tuple[Settings, list[Fault]]:
    """Return what is right by itself, and the faults between the right parts, so that none waits its turn."""
    heads = {key[:2] for key in wrong}
    rows = data.get("mapping")
    whole = list(range(len(rows))) if isinstance(rows, list) and ("mapping",) not in heads else []
    numbers = [number for number in whole if ("mapping", number) not in heads]
    rest: dict[str, Any] = {}
    for name, table in data.items():
        if (name,) not in heads and name != "mapping":
            rest[name] = {key: value for key, value in table.items() if (name, key) not in heads}
    if numbers:
        rest["mapping"] = [data["mapping"][number] for number in numbers]
    settings = Settings.model_validate(rest)
    return settings, [
        fault.numbered(numbers)
        for fault in cross_faults(settings)
        if fault.key[0] == "mapping" or heads.isdisjoint({fault.key, *fault.with_})
    ]


def missing_to_run(settings: Settings) -> list[str]:
    """Return one line for each thing that the daemon cannot do without and the configuration does not say."""
    missing = []
    if not settings.plex.token.get_secret_value():
        missing.append("plex.token: no token; allowed: plex.token, plex.token_file, or systemd's credential plex-token")
    if not any(mapping.enabled for mapping in settings.mapping):
        missing.append("mapping: none is enabled; allowed: at least one [[mapping]] with name, plex, array and cache")
    return missing


def demand_runnable(settings: Settings) -> None:
    """Raise ConfigError unless the daemon can run with these settings."""
    if faults := missing_to_run(settings):
        raise ConfigError(faults)


def state_directory(settings: Settings, env: Mapping[str, str]) -> Path:
    """Return the folder for what ondeckd remembers: the setting, systemd's ``$STATE_DIRECTORY``, or XDG's.

    For root, and for whoever may write to it, the system's folder stands before XDG's: what is tried out in a shell
    must find, and leave, the same copies and secret as the service.
    """
    if settings.state.directory:
        return Path(settings.state.directory)
    if given := env.get("STATE_DIRECTORY"):
        # systemd joins several with colons.
        return Path(given.split(":")[0])
    if os.geteuid() == 0 or os.access(SYSTEM_STATE, os.W_OK | os.X_OK):
        return SYSTEM_STATE
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    above = Path(env.get("XDG_STATE_HOME", ""))
    # A relative one is to be ignored, says the XDG specification.
    return (above if above.is_absolute() else home / ".local" / "state") / "ondeckd"
