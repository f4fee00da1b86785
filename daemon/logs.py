"""Logging: one event per line, as JSON for a machine or in columns for a terminal, free of secrets.

The daemon's own events are structlog's; what libraries say through `logging` joins them from WARNING on as
the event ``library_log``.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, MutableMapping
from logging.handlers import RotatingFileHandler
from typing import Any, TextIO, cast

import structlog

from daemon.errors import ConfigError
from daemon.redaction import Redactor
from daemon.settings.models import LogSettings

_OURS = "ondeckd"
_FILE_BYTES = 10 * 1024 * 1024
_FILES_KEPT = 5


def configure(
    settings: LogSettings,
    stream: TextIO,
    *,
    secrets: Iterable[str] = (),
    env: Mapping[str, str] = os.environ,
) -> None:
    """Send all logging to `stream`, and to ``log.file`` where it is set; `secrets` never appear in either.

    May be called again to change anything: it takes the place of the call before. Raises ConfigError, with
    nothing changed, where the file cannot be written.
    """
    redactor = Redactor(secrets)
    handlers = [_stream_handler(settings, stream, redactor, env)]
    if settings.file:
        handlers.append(_file_handler(settings, redactor))
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    _install(handlers, level)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: logging.getLogger(_OURS),
        # A cached logger would keep the level of the first call after a reload.
        cache_logger_on_first_use=False,
    )


def close() -> None:
    """Take the handlers of `configure` away and close the file."""
    _install([], logging.WARNING)
    structlog.reset_defaults()


def _install(handlers: list[logging.Handler], level: int) -> None:
    root = logging.getLogger()
    least = max(level, logging.WARNING)

    def heeded(record: logging.LogRecord) -> bool:
        # A library may have given its own logger a lower level than the root's.
        return record.name == _OURS or record.levelno >= least

    for old in [handler for handler in root.handlers if handler.name == _OURS]:
        root.removeHandler(old)
        old.close()
    for new in handlers:
        new.name = _OURS
        new.addFilter(heeded)
        root.addHandler(new)
    root.setLevel(least)
    logging.getLogger(_OURS).setLevel(level)


def _stream_handler(
    settings: LogSettings, stream: TextIO, redactor: Redactor, env: Mapping[str, str]
) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    console = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    colors = console and stream.isatty() and not env.get("NO_COLOR")
    formatter = _formatter(redactor, console=console, colors=colors)
    handler.setFormatter(_JournalFormatter(formatter) if _is_journal(stream, env) else formatter)
    return handler


def _file_handler(settings: LogSettings, redactor: Redactor) -> logging.Handler:
    try:
        handler = RotatingFileHandler(settings.file, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"log.file: cannot write {settings.file}: {error.strerror}"]) from error
    handler.setFormatter(_formatter(redactor, console=settings.format == "console", colors=False))
    return handler


def _formatter(redactor: Redactor, *, console: bool, colors: bool) -> logging.Formatter:
    def redact(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return cast("MutableMapping[str, Any]", redactor.value(event))

    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer(serializer=_dumps)
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, _library_log],
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
    )


def _library_log(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["message"] = event["event"]
    event["event"] = "library_log"
    return event


def _dumps(event: Mapping[str, Any], **_: Any) -> str:
    # The event first: it is what the eye looks for in a long line.
    return json.dumps({"event": event["event"], **event}, ensure_ascii=False)


class _JournalFormatter(logging.Formatter):
    """Puts the priority in front of each line, as journald reads it from a service's output."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        mark = f"<{_priority(record.levelno)}>"
        return mark + self._inner.format(record).replace("\n", f"\n{mark}")


def _priority(level: int) -> int:
    """Return syslog's number for a level of `logging`."""
    steps = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
    return next((number for least, number in steps if level >= least), 7)


def _is_journal(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Say whether `stream` is the very one that systemd connected to the journal."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return env.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
