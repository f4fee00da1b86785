"""The command line as its user meets it: a process, its words, its exit code."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from tests.support.process import CHECKOUT

_PATIENCE = 60.0


@dataclass(frozen=True)
class Said:
    """What a command said, and with which code it ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines on standard error."""
        return self.err.splitlines()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def config_file(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Write settings as a configuration file, in one step as an editor would; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.toml"
    part = folder / "config.part"
    part.write_text(tomlkit.dumps(dict(settings)))
    part.replace(path)
    return path


async def ondeckd(config: Path, *words: str) -> Said:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "daemon",
        "--config",
        str(config),
        *words,
        cwd=CHECKOUT,
        env={name: value for name, value in os.environ.items() if not name.startswith("ONDECKD_")},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode is not None
    return Said(process.returncode, out.decode(), err.decode())
