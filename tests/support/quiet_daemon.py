"""The daemon on a fast clock, under strace: what its process asks the system for in a stretch of its time.

Started with a configuration and the clock's speed (0: it stands still until it is turned); each line
``["method", {arguments}]`` on its input is answered by one on its output.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.app import App
from daemon.clock import Clock
from daemon.config import load
from daemon.model import TaskState
from daemon.state import tasks
from tests.support.daemon_process import DaemonProcess
from tests.support.process import CHECKOUT
from tests.support.turned import TurnedClock

_CALLS = "%file,getdents,getdents64,fstat,fstatfs,fchdir,read,pread64,lseek,sendfile,copy_file_range,inotify_add_watch"
"""All that opens, stats, lists or reads; with strace's -y also where only a descriptor is named."""
_READ = re.compile(r"(\bp?read(?:64)?(?:\(\d+<[^>]*>, | resumed>)).*")
_TURNS = 20
"""Questions to the database, one after the other, within which whoever was woken has put its own."""
_MARK = "/the-traced-daemon-was-told"


async def _serve(config: str, speed: float) -> None:
    clock = Clock(speed) if speed else TurnedClock(time.time())
    app = App(load(Path(config), {}), {}, clock=clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(app.run())
        await app.ready.wait()
        print(json.dumps({"url": app.url}), flush=True)  # noqa: T201 - the protocol
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            method, arguments = json.loads(line)
            if method == "mark":
                os.access(f"{_MARK}/{arguments['name']}", os.F_OK)
            elif method == "sleep":
                await clock.sleep(arguments["seconds"])
            elif method == "turn" and isinstance(clock, TurnedClock):
                clock.turn(clock.now() + arguments["seconds"])
                await _calm(app)
            print("null", flush=True)  # noqa: T201 - the protocol
        app.stop.set()


async def _calm(app: App) -> None:
    """Return when nothing runs, and nothing waits but what is not urgent."""
    store = app.core.store
    async with app.core.feed.subscribe() as notices:
        for _ in range(_TURNS):
            await store.run(tasks.counts)
        while any(
            task.urgent or task.state is TaskState.RUNNING
            for task in await store.run(
                lambda connection: tasks.in_state(connection, TaskState.QUEUED, TaskState.RUNNING)
            )
        ):
            await anext(notices)


@dataclass
class TracedDaemon(DaemonProcess):
    """A daemon whose system calls are written to `trace`."""

    trace: Path = Path()

    async def tell(self, method: str, **arguments: Any) -> None:
        """Have something done in its process: ``mark`` (name), or ``sleep`` or ``turn`` (seconds of its clock).

        After a turn nothing runs, and nothing waits but what is not urgent.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([method, arguments]).encode() + b"\n")
        assert await self.process.stdout.readline()

    def calls(self, begin: str, end: str) -> list[str]:
        """Return the system calls between two marks, without what was read: the database is full of paths."""
        lines = self.trace.read_text(errors="replace").splitlines()
        first, last = (
            next(number for number, line in enumerate(lines) if f"{_MARK}/{name}" in line) for name in (begin, end)
        )
        return [_READ.sub(r"\1", line) for line in lines[first + 1 : last]]


@asynccontextmanager
async def traced_daemon(config: Path, trace: Path, *, speed: float) -> AsyncIterator[TracedDaemon]:
    """Run the daemon under strace until the end of the block; it is ready when the block begins."""
    process = await asyncio.create_subprocess_exec(
        *(
            "strace",
            "-f",
            "--seccomp-bpf",
            "-y",
            "-qq",
            "-s",
            "400",
            "-e",
            f"trace={_CALLS}",
            "-e",
            "signal=none",
            "-o",
            str(trace),
        ),
        *(sys.executable, "-m", "tests.support.quiet_daemon", str(config), str(speed)),
        cwd=CHECKOUT,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = await process.stdout.readline()
        assert ready, "the daemon ended before it was ready"
        yield TracedDaemon(process, json.loads(ready)["url"], trace=trace)
        process.stdin.close()
        await process.wait()
    finally:
        _end(process)
        await process.wait()


def _end(process: Process) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], float(sys.argv[2])))
