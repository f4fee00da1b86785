"""Configurations for tests: a file with some text, and the faults it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon.config import build, load
from daemon.errors import ConfigError

TV = {"name": "TV", "plex": "/data/tv", "array": "/mnt/user0/tv", "cache": "/mnt/cache/tv"}
FILMS = {"name": "Films", "plex": "/data/films", "array": "/mnt/user0/films", "cache": "/mnt/cache/films"}
HASH = "scrypt:14:8:1:c2FsdA:a2V5"


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(call: Callable[[], object]) -> list[str]:
    """Return the lines of the ConfigError that `call` raises."""
    with pytest.raises(ConfigError) as raised:
        call()
    return list(raised.value.faults)


def faults_of_file(folder: Path, text: str, env: Mapping[str, str] | None = None) -> list[str]:
    """Return the faults of a file with this text, with the path cut to the file's name."""
    path = write(folder, text)
    return [line.replace(str(path), path.name) for line in faults(lambda: load(path, env or {}))]


def faults_of(**tables: Any) -> list[str]:
    """Return the faults of settings made from these tables."""
    return faults(lambda: build(tables))
