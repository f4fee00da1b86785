"""Reads the file: its values, and the line on which each key stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError

from daemon.errors import ConfigError
from daemon.settings.tree import Key

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]#]+?)\s*\]\]?\s*(?:#.*)?\r?")
_ASSIGNMENT = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PART = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w-]+)")


def is_there(path: Path) -> bool:
    """Say whether there is something at `path`, even if it may not be looked at: reading it will say why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read(path: Path) -> tuple[dict[str, Any], dict[Key, int]]:
    """Return the values of the TOML file `path`, and line numbers by key. Raise ConfigError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: is not UTF-8 text; allowed: TOML"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}; allowed: a TOML file"]) from None
    try:
        return tomlkit.parse(text).unwrap(), positions(text)
    except ParseError as error:
        raise ConfigError([_broken(path, error)]) from None
    except TOMLKitError as error:
        raise ConfigError([f"{path}: is not TOML: {error}"]) from None


def _broken(path: Path, error: ParseError) -> str:
    if "'\\x00'" in str(error):
        # The parser's own sign for the end of the text; the line it gives is the first.
        return f"{path}: is not TOML: it ends within a value"
    reason = re.sub(r" at line \d+ col \d+$", "", str(error))
    return f"{path}:{error.line}: is not TOML: {reason}"


def positions(text: str) -> dict[Key, int]:
    """Return the line (from 1) of each table and key; what is written in an unusual way may be missing."""
    found: dict[Key, int] = {}
    rows: dict[Key, int] = {}
    table: Key = ()
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.fullmatch(line):
            table = _parts(header[2])
            # [[mapping]] begins the next one; [x.y] below [[x]] belongs to the latest x.
            table = _numbered(table, rows)
            if header[1] == "[[":
                rows[table] = rows.get(table, -1) + 1
                table = (*table, rows[table])
            found.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            found.setdefault((*table, *_parts(assignment[1])), number)
    return found


def _parts(name: str) -> Key:
    return tuple("".join(groups) for groups in _PART.findall(name))


def _numbered(table: Key, rows: dict[Key, int]) -> Key:
    for depth in range(1, len(table)):
        if table[:depth] in rows:
            return (*table[:depth], rows[table[:depth]], *table[depth:])
    return table
