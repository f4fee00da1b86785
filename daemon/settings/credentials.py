"""Finds Plex's token where it is not written into the configuration itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from daemon.settings.faults import Fault
from daemon.settings.models import Settings
from daemon.settings.source import is_there

CREDENTIAL = "plex-token"
"""The name for systemd's ``LoadCredential=``."""

_KEY = ("plex", "token_file")
_LARGEST = 4096
"""Bytes. No token is that long; a film chosen by mistake should not be read whole."""


def with_token(settings: Settings, env: Mapping[str, str]) -> tuple[Settings, list[Fault]]:
    """Return `settings` with the token in place, from ``token``, ``token_file`` or systemd's credentials."""
    if settings.plex.token.get_secret_value():
        return settings, []
    for path in _places(settings, env):
        token, fault = _read(path)
        if fault is not None:
            return settings, [fault]
        plex = settings.plex.model_copy(update={"token": SecretStr(token)})
        return settings.model_copy(update={"plex": plex}), []
    return settings, []


def _places(settings: Settings, env: Mapping[str, str]) -> Iterator[Path]:
    if settings.plex.token_file:
        yield Path(settings.plex.token_file)
    elif folder := env.get("CREDENTIALS_DIRECTORY"):
        path = Path(folder) / CREDENTIAL
        # Other credentials may have been given to us without this one.
        if is_there(path):
            yield path


def _read(path: Path) -> tuple[str, Fault | None]:
    allowed = "a readable file with nothing but the token in it"
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST).decode("ascii").strip()
    except OSError as error:
        return "", Fault(_KEY, f"{path} cannot be read: {error.strerror}", allowed)
    except UnicodeDecodeError:
        return "", Fault(_KEY, f"{path} holds something else than a token", allowed)
    if not text:
        return "", Fault(_KEY, f"{path} is empty", allowed)
    if not text.isprintable() or " " in text:
        return "", Fault(_KEY, f"{path} holds something else than a token", allowed)
    return text, None
