"""The simulated Plex server as a process of its own, told what to do line by line.

Started with a JSON description of the library's shape; answers each line of JSON on its input,
``["method", {arguments}]``, with one line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from daemon.clock import Clock
from daemon.demo.generate import Shape, generate
from daemon.demo.library import Library
from daemon.demo.server import USERS, DemoServer
from daemon.demo.trakt import DemoTrakt
from tests.support import crowd
from tests.support.busy import Busy

ROOT = Path(__file__).parents[2]


class Puppet:
    """What the other process may ask of the server."""

    def __init__(self, plex: DemoServer, group: asyncio.TaskGroup, stack: AsyncExitStack) -> None:
        self._plex = plex
        self._group = group
        self._stack = stack
        self._busy: Busy
        self._living: list[asyncio.Task[None]] = []

    async def play(self, user: str, key: str, client: str = "tv") -> str:
        return (await self._plex.engine.play(user, key, client=client)).session_key

    async def stop(self, session: str) -> None:
        await self._plex.engine.stop(self._plex.engine.sessions[session])

    async def advance(self, session: str, seconds: float) -> None:
        if found := self._plex.engine.sessions.get(session):
            await self._plex.engine.advance(found, seconds)

    async def sessions(self) -> list[str]:
        return list(self._plex.engine.sessions)

    async def playing(self) -> list[dict[str, str]]:
        """Return what the server's list of sessions shows."""
        return [{"session": one.session_key, "key": one.rating_key} for one in self._plex.engine.listed()]

    async def busy(self, seed: int) -> None:
        """Let a household that never rests move in; it waits for `go`."""
        self._busy = Busy(self._plex, seed)
        self._living.append(self._group.create_task(self._busy.run(), name="busy"))

    async def crowd(self, array: str, deck: int, listed: Sequence[int], fresh: int) -> dict[str, Any]:
        """Let a crowd move in, and write the files that it may want. Return the address of a Trakt as well."""
        least, most = listed
        made = crowd.settle(self._plex, deck=deck, listed=(least, most), fresh=fresh)
        trakt = await self._stack.enter_async_context(DemoTrakt(crowd.trends(self._plex, made)))
        files = await asyncio.to_thread(crowd.write_wanted, self._plex, made, Path(array))
        begins = [self._plex.library.episodes(show)[0] for show in made.fresh]
        return {"trakt": trakt.url, "files": files, "pins": made.pins, "begins": begins}

    async def requests(self) -> dict[str, int]:
        """Return how many requests of each kind have come since this was asked last."""
        found = crowd.kinds(self._plex.requests)
        self._plex.requests.clear()
        return found

    def leave(self) -> None:
        """End what goes on by itself."""
        for task in self._living:
            task.cancel()

    async def go(self) -> None:
        self._busy.go()

    async def hold(self) -> None:
        self._busy.hold()

    async def calm(self) -> None:
        await self._busy.calm()

    async def listeners(self) -> None:
        await self._plex.frames.wait_for_listeners()

    async def burst(self, frames: int, garbage: int, starts: list[str], seed: int = 1) -> list[str]:
        """Send frames as fast as they go: known sessions' reports, garbage, and the start of each of `starts`."""
        random = Random(seed)
        engine = self._plex.engine
        (known, *_) = engine.sessions.values()
        kinds = ["garbage"] * garbage + ["start"] * len(starts)
        kinds += ["report"] * (frames - len(kinds))
        random.shuffle(kinds)
        begun = []
        waiting = list(starts)
        for number, kind in enumerate(kinds):
            if kind == "garbage":
                self._plex.frames.send_raw(random.choice(_GARBAGE))
            elif kind == "start":
                begun.append(
                    (await engine.play(self._plex.people.owner, waiting.pop(), client=f"c{number}")).session_key
                )
            else:
                await engine.report(known)
            if number % 50 == 0:
                await asyncio.sleep(0)
        return begun


_GARBAGE = [
    "",
    "{",
    "null",
    "[]",
    '{"NotificationContainer":3}',
    "\u0000",
    '{"NotificationContainer":{"type":"playing"}}',
    "x" * 5000,
]


async def _serve(shape: dict[str, Any], speed: float, users: Sequence[str]) -> None:
    library = generate(Shape(**shape))
    # Measured beside the daemon, it should not stand still to collect what stays anyway.
    gc.collect()
    gc.freeze()
    async with (
        AsyncExitStack() as stack,
        DemoServer(library, clock=Clock(speed), users=users) as plex,
        asyncio.TaskGroup() as group,
    ):
        puppet = Puppet(plex, group, stack)
        print(json.dumps({"url": plex.url, "token": plex.token}), flush=True)  # noqa: T201 - the protocol
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            method, arguments = json.loads(line)
            answer = await getattr(puppet, method)(**arguments)
            print(json.dumps(answer), flush=True)  # noqa: T201 - the protocol
        puppet.leave()


@dataclass
class RemotePlex:
    """The other end: a server in another process."""

    shape: Mapping[str, Any]
    url: str
    token: str
    process: asyncio.subprocess.Process

    @cached_property
    def library(self) -> Library:
        """What it serves. Made when it is asked for: a large one would weigh on this process."""
        return generate(Shape(**self.shape))

    async def ask(self, method: str, **arguments: Any) -> Any:
        """Have a method of `Puppet` called and return what it answers."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([method, arguments]).encode() + b"\n")
        return json.loads(await self.process.stdout.readline())


@asynccontextmanager
async def plex_process(
    shape: Mapping[str, Any], *, speed: float = 1.0, users: Sequence[str] = USERS
) -> AsyncIterator[RemotePlex]:
    """Run the simulated server in a process of its own for the length of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.plex_process",
        json.dumps(dict(shape)),
        str(speed),
        json.dumps(list(users)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        said = json.loads(await process.stdout.readline())
        yield RemotePlex(shape, said["url"], said["token"], process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1]), float(sys.argv[2]), json.loads(sys.argv[3])))
