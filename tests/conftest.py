"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from daemon import logs


@pytest.fixture(autouse=True)
def _nothing_leaks_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test run under systemd, or with settings of its user, is the same test."""
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("CREDENTIALS_DIRECTORY", "ONDECKD_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _logging_starts_afresh() -> Iterator[None]:
    yield
    logs.close()
    structlog.contextvars.clear_contextvars()
