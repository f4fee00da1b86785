"""Clients' habit of telling every few seconds where they are, also while paused."""

from __future__ import annotations

from daemon.clock import Clock
from daemon.demo.engine import Engine

INTERVAL = 10.0
"""Seconds between two reports of a client."""


async def keep_reporting(engine: Engine, clock: Clock) -> None:
    """Let each session move on and report at its time, and ghosts be forgotten at theirs, without end."""
    while True:
        engine.changed.clear()
        due = next_due(engine)
        if await clock.wait(engine.changed, None if due is None else due - clock.now()):
            continue
        await report_due(engine, clock.now())


def next_due(engine: Engine) -> float | None:
    """Return when something is to be reported or forgotten next."""
    return min(
        (_due(engine, session.vanished, session.reported_at) for session in engine.sessions.values()),
        default=None,
    )


async def report_due(engine: Engine, now: float) -> None:
    """Report for each session whose time has come."""
    for session in list(engine.sessions.values()):
        if now < _due(engine, session.vanished, session.reported_at):
            continue
        if session.vanished:
            engine.forget(session)
        else:
            await engine.advance(session, now - session.reported_at)


def _due(engine: Engine, vanished: bool, reported_at: float) -> float:
    return reported_at + (engine.ghost_after if vanished else INTERVAL)
