"""Logging, as its readers see it: lines on a stream and in a file."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from daemon import logs
from daemon.errors import ConfigError
from daemon.settings.models import LogSettings

log = structlog.get_logger()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(stream: io.StringIO | None = None, **settings: Any) -> io.StringIO:
    stream = stream or io.StringIO()
    logs.configure(LogSettings(**settings), stream, env={})
    return stream


def fail(text: str) -> None:
    unrelated = text.upper()
    raise RuntimeError(text if unrelated else "")


def test_an_event_is_one_line_of_json_with_its_fields() -> None:
    stream = configured(format="json")

    log.info("cache_in_finished", path=Path("/mnt/cache/Ein Film.mkv"), bytes=7, seconds=0.5, user=None)

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "cache_in_finished",
        "level": "info",
        "path": "/mnt/cache/Ein Film.mkv",
        "bytes": 7,
        "seconds": 0.5,
        "user": None,
    }


def test_auto_is_json_where_nobody_watches() -> None:
    stream = configured(format="auto")

    log.info("daemon_ready")

    assert lines(stream)[0]["event"] == "daemon_ready"


def test_auto_is_columns_on_a_terminal() -> None:
    stream = configured(Terminal(), format="auto")

    log.info("daemon_ready", url="http://127.0.0.1:5757")

    assert "daemon_ready" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_the_level_leaves_out_what_is_below_it() -> None:
    stream = configured(level="warning")

    log.info("playback_started")
    log.warning("plex_lost")

    assert [line["event"] for line in lines(stream)] == ["plex_lost"]


def test_a_logger_made_before_follows_a_later_change_of_level() -> None:
    stream = configured(level="error")
    logger = structlog.get_logger()
    logger.info("unseen")

    configured(stream, level="debug")
    logger.debug("seen")

    assert [line["event"] for line in lines(stream)] == ["seen"]


def test_an_unknown_level_is_no_setting() -> None:
    with pytest.raises(ValidationError):
        LogSettings(level="loud")  # type: ignore[arg-type] # the point of the test


def test_what_a_library_warns_of_is_an_event_too() -> None:
    stream = configured()

    logging.getLogger("aiohttp.client").warning("Unclosed connection to %s", "plex")

    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("library_log", "warning")
    assert (line["logger"], line["message"]) == ("aiohttp.client", "Unclosed connection to plex")


def test_what_a_library_chats_about_is_left_out_even_at_debug() -> None:
    stream = configured(level="debug")
    chatty = logging.getLogger("a.chatty.library")
    chatty.setLevel(logging.DEBUG)  # as plexapi does with its own

    logging.getLogger("urllib3.connectionpool").debug("GET /status/sessions")
    chatty.info("Loading config")

    assert stream.getvalue() == ""


def test_secrets_appear_nowhere_in_a_line() -> None:
    stream = io.StringIO()
    logs.configure(LogSettings(), stream, secrets=["s3cr3t-token", ""], env={})

    log.warning("plex_lost", why="401 for s3cr3t-token", nested={"list": ["s3cr3t-token"]})
    logging.getLogger("urllib3").error("http://plex/?X-Plex-Token=%s&a=b", "another-token")
    try:
        fail("with s3cr3t-token inside")
    except RuntimeError:
        log.exception("task_failed")

    assert "s3cr3t-token" not in stream.getvalue()
    assert "another-token" not in stream.getvalue()
    assert "RuntimeError: with *** inside" in lines(stream)[2]["exception"]


def test_a_console_shows_a_fault_without_secrets_or_local_variables() -> None:
    stream = Terminal()
    logs.configure(LogSettings(), stream, secrets=["s3cr3t-token"], env={"NO_COLOR": "1"})
    try:
        fail("s3cr3t-token refused")
    except RuntimeError:
        log.exception("task_failed")

    assert "RuntimeError: *** refused" in stream.getvalue()
    assert "REFUSED" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_name_that_is_not_unicode_can_be_logged(form: str, tmp_path: Path) -> None:
    path = os.fsdecode(b"/mnt/tv/caf\xe9 \xf0\x9f\x8e\xac.mkv")
    with (tmp_path / "out").open("w", encoding="utf-8") as stream:
        logs.configure(LogSettings(format=form), stream, env={})  # type: ignore[arg-type] # one of the two
        log.info("cache_in_started", path=path)
        logs.close()

    assert r"/mnt/tv/caf\udce9 🎬.mkv" in (tmp_path / "out").read_text(encoding="utf-8").replace(r"\\", "\\")


def test_a_title_cannot_forge_a_line_or_steer_the_terminal() -> None:
    stream = configured(Terminal(), format="console")

    log.info("playback_started", title="x\x1b[2J\ny")

    assert "\x1b[2J" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_the_file_gets_json_and_the_stream_its_own_form(tmp_path: Path) -> None:
    file = tmp_path / "ondeckd.log"
    stream = configured(Terminal(), file=str(file))

    log.info("daemon_ready", title="Größe")

    assert json.loads(file.read_text(encoding="utf-8"))["title"] == "Größe"
    assert not stream.getvalue().startswith("{")


def test_a_large_file_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_FILE_BYTES", 1000)
    configured(file=str(tmp_path / "ondeckd.log"))

    for number in range(200):
        log.info("tick", number=number)

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["ondeckd.log", *(f"ondeckd.log.{n}" for n in range(1, 6))]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_a_fault_and_changes_nothing(tmp_path: Path) -> None:
    stream = configured()

    with pytest.raises(ConfigError, match=r"log\.file: cannot write .*No such file or directory"):
        configured(file=str(tmp_path / "missing" / "ondeckd.log"))
    log.info("still_here")

    assert [line["event"] for line in lines(stream)] == ["still_here"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_under_journald_each_line_carries_its_priority(form: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("w", encoding="utf-8") as stream:
        status = os.fstat(stream.fileno())
        env = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        logs.configure(LogSettings(format=form), stream, env=env)  # type: ignore[arg-type] # one of the two
        log.debug("unseen")
        log.info("daemon_ready")
        log.warning("plex_lost")
        try:
            fail("badly")
        except RuntimeError:
            log.exception("task_failed")
        received = ours.recv(65536).decode()

    priorities = [line[:3] for line in received.splitlines()]
    assert priorities[:2] == ["<6>", "<4>"]
    assert set(priorities[2:]) == {"<3>"}


def test_output_that_systemd_did_not_connect_carries_no_priority(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+", encoding="utf-8") as stream:
        logs.configure(LogSettings(), stream, env={"JOURNAL_STREAM": "8:12345"})
        log.info("daemon_ready")
        logs.close()

    assert (tmp_path / "out").read_text(encoding="utf-8").startswith("{")
