"""What ondeckd tells systemd (``sd_notify``). Outside systemd every call does nothing."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from daemon.clock import Clock

_SEND_TIMEOUT = 1.0

log = structlog.get_logger()


class Notifier:
    """The datagram socket that systemd named in `env`.

    `watchdog` is the time in seconds after which systemd takes silence for a hang; 0.0: it does not watch.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._address = _address(env.get("NOTIFY_SOCKET", ""))
        self.watchdog = _watchdog(env) if self._address else 0.0

    def ready(self, status: str = "") -> None:
        """Say that start or reload is over."""
        self._send("READY=1", *_status(status))

    def reloading(self) -> None:
        """Say that the configuration is being read again; `ready` must follow."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self, status: str = "") -> None:
        """Say that shutdown has begun."""
        self._send("STOPPING=1", *_status(status))

    def status(self, text: str) -> None:
        """Show `text` as the one human line of ``systemctl status``."""
        self._send(*_status(text))

    def alive(self) -> None:
        """Tell the watchdog that all is well."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address or not lines:
            return
        payload = "\n".join(lines).encode("utf-8", "replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(_SEND_TIMEOUT)
                sock.connect(self._address)
                sock.send(payload)
        except OSError as error:
            # systemd draws its own conclusions from silence; work goes on.
            log.warning("systemd_notify_failed", error=str(error))


async def watchdog(notifier: Notifier, healthy: Callable[[], Awaitable[bool]], clock: Clock) -> None:
    """Tell systemd twice per watchdog time that all is well, as long as `healthy` answers True.

    A loop that hangs, or a `healthy` that never answers, is silent, and systemd restarts the daemon.
    Returns at once where systemd does not watch.
    """
    well = True
    while notifier.watchdog:
        was_well, well = well, await healthy()
        if well:
            notifier.alive()
        elif was_well:
            log.error("watchdog_withheld", seconds=notifier.watchdog)
        await clock.sleep(notifier.watchdog / 2)


def _address(name: str) -> str:
    """Return the socket's address: a path, or an abstract name written with ``@`` in front."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else ""


def _watchdog(env: Mapping[str, str]) -> float:
    """Return the watchdog time in seconds, unless it is meant for another process."""
    usec, pid = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
    if not usec.isascii() or not usec.isdigit() or pid not in ("", str(os.getpid())):
        return 0.0
    return int(usec) / 1_000_000


def _status(text: str) -> tuple[str, ...]:
    line = " ".join(text.split())
    return (f"STATUS={line}",) if line else ()
