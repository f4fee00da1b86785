"""A throw-away system with a real systemd, seen from outside."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.process import CHECKOUT

BOOT = CHECKOUT / "tests" / "systemd" / "boot"
PATIENCE = 60.0
"""Seconds after which something that was waited for counts as never happening."""


class System:
    """A booted system; `root` is its file system, as this one sees it."""

    def __init__(self, init: int) -> None:
        self.root = Path(f"/proc/{init}/root")
        self._enter = ["nsenter", f"--target={init}", "--all", "--"]

    def ask(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, whatever comes of it."""
        return subprocess.run([*self._enter, *command], capture_output=True, text=True, check=False, timeout=PATIENCE)

    def run(self, *command: str) -> str:
        """Run a command inside that must succeed, and return what it printed."""
        result = self.ask(*command)
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}{self.journal()}"
        return result.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Write a file inside, and the folders above it."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def show(self, unit: str) -> Mapping[str, str]:
        """Return what systemd knows of a unit."""
        lines = self.run("systemctl", "show", unit).splitlines()
        return dict(line.partition("=")[::2] for line in lines)

    def journal(self) -> str:
        """Return the latest lines of the journal, for a person."""
        return self.ask("journalctl", "--no-pager", "--lines=60").stdout

    def mark(self) -> str:
        """Return the place in the journal where now is."""
        return self.run("journalctl", "--lines=0", "--show-cursor").rpartition("cursor: ")[2]

    def logged(self, unit: str, event: str, *, after: str) -> dict[str, Any]:
        """Wait until a unit logs `event`, and return that line's fields, its ``PRIORITY`` among them."""
        follow = [
            "journalctl",
            "--follow",
            "--no-tail",
            "--output=json",
            f"--unit={unit}",
            f"--after-cursor={after}",
        ]
        # `timeout` ends the wait, for a pipe has no end while journalctl follows.
        command = [*self._enter, "timeout", str(PATIENCE), *follow]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    entry = json.loads(line)
                    message = str(entry["MESSAGE"])
                    fields = json.loads(message) if message.startswith("{") else {"event": message}
                    if fields["event"] == event:
                        return {**fields, "PRIORITY": entry["PRIORITY"]}
            finally:
                process.terminate()
        raise AssertionError(f"{unit} did not log {event}:\n{self.journal()}")


@contextmanager
def booted() -> Iterator[System]:
    """Boot a system for the length of the block."""
    with subprocess.Popen([BOOT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as boot:
        assert boot.stdout is not None
        init = boot.stdout.readline().strip()
        assert init, "the system did not come up"
        yield System(int(init))
