"""What holds for every test."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import structlog

from daemon import logs


def pytest_configure() -> None:
    """Hear Ctrl-C, and have the processes of tests hear it, also where a shell started all this in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names that differ between processes: pytest-xdist would run none of the tests."""
    if odd := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"an address in a test's name; see tests.support.bad_input.named: {odd[0]}")


@pytest.fixture(autouse=True)
def _nothing_leaks_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A test run under systemd, with settings of its user, or beside a daemon in use, is the same test."""
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)
    # Commands of a root that have no state folder of their own must not find the system's.
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path_factory.getbasetemp() / "state"))
    for name in ("CREDENTIALS_DIRECTORY", "ONDECKD_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _logging_starts_afresh() -> Iterator[None]:
    yield
    logs.close()
    structlog.contextvars.clear_contextvars()
