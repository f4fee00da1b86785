"""The daemon as a process of its own: started, asked, frozen, killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import tomlkit

from tests.support.process import CHECKOUT

PATIENCE = 60.0
"""Seconds after which something that was waited for counts as never happening."""
RUN = ("-m", "daemon")


@dataclass
class DaemonProcess:
    """A running daemon; `lines` are its log, one event each, all of it once it is `silent`."""

    process: Process
    url: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)
    silent: asyncio.Event = field(default_factory=asyncio.Event)

    async def get(self, path: str) -> Any:
        """Return the JSON that its HTTP server answers."""
        async with aiohttp.ClientSession() as client, client.get(self.url + path) as answer:
            return await answer.json()

    async def post(self, path: str) -> int:
        """Post to its HTTP server; return the status."""
        async with (
            aiohttp.ClientSession() as client,
            client.post(self.url + path, json={}, headers={"Origin": self.url}) as answer,
        ):
            return answer.status

    async def until(self, path: str, **expected: Any) -> None:
        """Wait until the answer at `path` has these values; it is asked whenever anything happens."""
        async with (
            asyncio.timeout(PATIENCE),
            aiohttp.ClientSession() as client,
            client.get(f"{self.url}/api/v1/events") as events,
        ):
            await anext(events.content.iter_any())
            while expected.items() - (await self._flat(client, path)).items():
                await anext(events.content.iter_any())

    async def _flat(self, client: aiohttp.ClientSession, path: str) -> dict[str, Any]:
        async with client.get(self.url + path) as answer:
            document = await answer.json()
        inner = document.pop("tasks", {})
        for name in ("checks", "failing_sources"):
            document.pop(name, None)
        return {**document, **inner}

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the daemon alone."""
        self.process.send_signal(number)

    def memory(self, name: str = "VmRSS") -> int:
        """Return its resident memory (``VmHWM``: the most it ever was), in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(name)

    def freeze(self) -> None:
        """Stop every thread where it is; returns when that has happened."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self.signal(signal.SIGCONT)

    async def listen(self, until: str = "") -> dict[str, Any] | None:
        """Keep what the daemon logs, up to the first event of this name, which is returned; None at the end."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(json.loads(line) if line.startswith(b"{") else {"event": line.decode()})
            if self.lines[-1]["event"] == until:
                return self.lines[-1]
        self.silent.set()
        return None


def write_config(settings: Mapping[str, Any], folder: Path) -> Path:
    """Write the settings as a configuration file that logs what a test has to read."""
    path = folder / "config.toml"
    path.write_text(tomlkit.dumps({**settings, "log": {"level": "info", "format": "json"}}))
    return path


@asynccontextmanager
async def daemon_process(
    config: Path, *, program: Sequence[str] = RUN, under: Sequence[str] = ()
) -> AsyncIterator[DaemonProcess]:
    """Run the daemon until the end of the block, where it gets SIGKILL. It is ready when the block begins."""
    arguments = [*under, sys.executable, *program, "--config", str(config), "run"]
    process = await asyncio.create_subprocess_exec(*arguments, cwd=CHECKOUT, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
    daemon = DaemonProcess(process)
    try:
        async with asyncio.timeout(PATIENCE):
            ready = await daemon.listen("daemon_ready")
        assert ready, daemon.lines
        daemon.url = ready["url"]
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(daemon.listen())
            try:
                yield daemon
            finally:
                reading.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
