"""Who may use the server and with which tokens, kept in a file that only this user can read."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from daemon.model import Role

log = structlog.get_logger()

NAME = "accounts.json"
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one user besides the owner.

    `given` is the token of the settings from which the tokens were had, `refused_pin` the PIN that plex.tv did not
    take: it is not tried twice.
    """

    id: str
    title: str
    role: Role = Role.SHARED
    uuid: str = ""
    protected: bool = False
    server_token: str = field(default="", repr=False)
    account_token: str = field(default="", repr=False)
    given: str = field(default="", repr=False)
    refused_pin: str = field(default="", repr=False)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is kept. `identifier`: who ondeckd is to plex.tv; `wishes`: a fingerprint of the settings that count."""

    identifier: str
    machine: str = ""
    asked_at: float = 0.0
    wishes: str = ""
    owner_title: str = ""
    owner_uuid: str = ""
    users: tuple[Known, ...] = ()


def read(directory: Path) -> Memory:
    """Return what was kept; what cannot be read counts as nothing, for plex.tv knows it all."""
    path = directory / NAME
    try:
        with path.open("rb") as file:
            return TypeAdapter(Memory).validate_json(file.read(_LARGEST))
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("accounts_unreadable", path=str(path), why=error.strerror)
    except ValidationError:
        log.warning("accounts_unreadable", path=str(path), why="it holds something else")
    return Memory(identifier=secrets.token_hex(16))


def write(directory: Path, memory: Memory) -> None:
    """Keep it, whole or not at all. A failure is logged: it costs a question to plex.tv after a restart."""
    path = directory / NAME
    draft = directory / f"{NAME}.new"
    try:
        with suppress(FileNotFoundError):
            draft.unlink()
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(TypeAdapter(Memory).dump_json(memory))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        log.warning("accounts_not_kept", path=str(path), why=error.strerror)
