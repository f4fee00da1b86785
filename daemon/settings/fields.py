"""The kinds of values a setting can have, each checked by itself."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import PureWindowsPath
from typing import Annotated
from urllib.parse import urlsplit

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator, Field, SecretStr

from daemon.units import Size, Window, WrongValue, parse_duration

_WINDOWS_ROOT = re.compile(r"[A-Za-z]:[\\/]|\\\\[^\\]")
_UNUSABLE = {"Cc", "Cs"}
"""Control characters, and bytes that are not text."""
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/@]+):([0-9]{1,5})")
_HASH = re.compile(r"scrypt(?::[0-9]+){3}(?::[^:\s]+){2}")
_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_NUMBERS = re.compile(r"[0-9]+(?:-[0-9]+)?(?:/0*[1-9][0-9]*)?")
_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)

LOCAL_PATHS = 'an absolute path below the root: "/mnt/cache/tv"'
PLEX_PATHS = r'an absolute path as Plex sees it: "/data/tv" or "D:\TV"'
URLS = '"http://HOST:PORT" or "https://HOST", without a user, a password or a query'
FEEDS = 'the whole address of a feed: "https://rss.plex.tv/…"'
LISTENS = '"HOST:PORT": "127.0.0.1:5757", "[::1]:5757", "0.0.0.0:5757"'
CRONS = 'five fields as cron has them: minute hour day month weekday, as in "15 */2 * * *" or "0 4 * * MON-FRI"'


def _text(value: object, allowed: str) -> str:
    if not isinstance(value, str):
        raise WrongValue("must be text in quotes", allowed)
    if any(unicodedata.category(character) in _UNUSABLE for character in value):
        raise WrongValue("holds control characters", allowed)
    return value


def _folder(text: str, allowed: str) -> str:
    """Return an absolute POSIX path in its plain form: no ``//``, no ``.``, no slash at the end."""
    if not text:
        raise WrongValue("is empty", allowed)
    if not text.startswith("/"):
        raise WrongValue("is a relative path", allowed)
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise WrongValue('holds ".."', allowed)
    if not parts:
        raise WrongValue("is the root of the file system", allowed)
    return "/" + "/".join(parts)


def _local_path(value: object) -> str:
    return _folder(_text(value, LOCAL_PATHS), LOCAL_PATHS)


def _plex_path(value: object) -> str:
    text = _text(value, PLEX_PATHS)
    if not _WINDOWS_ROOT.match(text):
        return _folder(text, PLEX_PATHS)
    path = PureWindowsPath(text)
    if ".." in path.parts:
        raise WrongValue('holds ".."', PLEX_PATHS)
    return str(path).rstrip("\\")


def _or_empty(check: Callable[[object], str]) -> Callable[[object], str]:
    return lambda value: "" if value == "" else check(value)


def _name(value: object) -> str:
    text = _text(value, "a short name")
    if not text.strip():
        raise WrongValue("is empty", "a short name")
    return text


def _anchor(value: object) -> str:
    """Check a file's path relative to a mapping's array root."""
    allowed = 'a path relative to the mapping\'s array root: ".mounted"'
    text = _text(value, allowed)
    if text.startswith("/"):
        raise WrongValue("is an absolute path", allowed)
    if ".." in text.split("/"):
        raise WrongValue('holds ".."', allowed)
    return text


def _url(value: object) -> str:
    text = _text(value, URLS)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise WrongValue("is not an address", URLS) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or " " in text:
        raise WrongValue("is not an address", URLS)
    if parts.username is not None or parts.query or parts.fragment:
        raise WrongValue("holds more than an address", URLS)
    return text.rstrip("/")


def split_listen(listen: str) -> tuple[str, int]:
    """Return host (without brackets) and port of a valid ``HOST:PORT``."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach what listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(value: object) -> str:
    text = _text(value, LISTENS)
    match = _LISTEN.fullmatch(text)
    if match is None:
        raise WrongValue("is not an address to listen on", LISTENS)
    if int(match[2]) > 65535:  # noqa: PLR2004 - the last port
        raise WrongValue("has no such port", LISTENS)
    try:
        if match[1].startswith("["):
            ipaddress.IPv6Address(match[1].strip("[]"))
    except ValueError:
        raise WrongValue("is not an address to listen on", LISTENS) from None
    return text


def _network(value: object) -> str:
    allowed = 'addresses or networks: "192.168.1.2", "172.16.0.0/12"'
    try:
        return str(ipaddress.ip_network(_text(value, allowed)))
    except ValueError:
        raise WrongValue("is not an address or a network", allowed) from None


def _cron(value: object) -> str:
    text = _text(value, CRONS)
    fields = text.split()
    if text and len(fields) != len(_CRON_RANGES):
        raise WrongValue(f"has {len(fields)} fields", CRONS)
    for index, field in enumerate(fields):
        for part in field.split(","):
            alone = ["*"] * len(fields)
            alone[index] = part
            if not _comes(" ".join(alone)):
                low, high = _CRON_RANGES[index]
                if _CRON_NUMBERS.fullmatch(part):
                    raise WrongValue(f'is out of range at "{part}" ({low} to {high})', CRONS)
                raise WrongValue(f'does not make sense at "{part}"', CRONS)
    if text and not _comes(text):
        raise WrongValue("never comes", CRONS)
    return text


def _comes(cron: str) -> bool:
    """Say whether the parser that runs it takes it, and finds a moment for it."""
    try:
        return next(CronSim(cron, _ANY_DAY), None) is not None
    except (CronSimError, ValueError):  # Python refuses to convert thousands of digits
        return False


def _name_or_id(value: object) -> object:
    """Let an id be written as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _password_hash(value: object) -> object:
    """Refuse above all the password itself. What is not text is left for pydantic to name."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(text, str) and text and not _HASH.fullmatch(text):
        raise WrongValue("is not the hash of a password", 'what `ondeckd hash-password` prints, or ""')
    return value


def _token(value: object) -> object:
    """Refuse what no HTTP header can carry. What is not text is left for pydantic to name."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(text, str) and not (text.isascii() and text.isprintable() and " " not in text):
        raise WrongValue("holds characters that no token has", "letters, digits, - and _")
    return value


def _feed(value: object) -> object:
    """Refuse what is no address of a feed. What is not text is left for pydantic to name."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(text, str):
        try:
            parts = urlsplit(text)
        except ValueError:
            raise WrongValue("is not an address", FEEDS) from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or " " in text:
            raise WrongValue("is not an address", FEEDS)
    return value


Duration = Annotated[float, BeforeValidator(parse_duration)]
PositiveDuration = Annotated[Duration, Field(gt=0)]
Amount = Annotated[Size, BeforeValidator(Size.parse_absolute)]
AmountOrShare = Annotated[Size, BeforeValidator(Size.parse)]
Span = Annotated[Window | None, BeforeValidator(Window.parse)]
LocalPath = Annotated[str, BeforeValidator(_local_path)]
OptionalPath = Annotated[str, BeforeValidator(_or_empty(_local_path))]
PlexPath = Annotated[str, BeforeValidator(_plex_path)]
OptionalPlexPath = Annotated[str, BeforeValidator(_or_empty(_plex_path))]
Anchor = Annotated[str, BeforeValidator(_anchor)]
Name = Annotated[str, BeforeValidator(_name)]
Url = Annotated[str, BeforeValidator(_url)]
Listen = Annotated[str, BeforeValidator(_listen)]
Cron = Annotated[str, BeforeValidator(_cron)]
PasswordHash = Annotated[SecretStr, BeforeValidator(_password_hash)]
Token = Annotated[SecretStr, BeforeValidator(_token)]
# A list in the file becomes a tuple here: settings cannot be changed in passing.
Names = Annotated[tuple[Annotated[str, BeforeValidator(_name_or_id)], ...], Field(strict=False)]
Networks = Annotated[tuple[Annotated[str, BeforeValidator(_network)], ...], Field(strict=False)]
Feeds = Annotated[tuple[Annotated[SecretStr, BeforeValidator(_feed)], ...], Field(strict=False)]
Secrets = Annotated[tuple[SecretStr, ...], Field(strict=False)]
