"""ondeckd and its friends as processes of their own."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def python(arguments: Sequence[str], env: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    """Run this very Python with `arguments` in the checkout, its output in pipes; killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=CHECKOUT,
        env={**os.environ, **(env or {})},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
