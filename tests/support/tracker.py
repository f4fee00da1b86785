"""Short words for the tracker's tests: frames, listed sessions, and a tracker with its own time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

from daemon.model import (
    Event,
    Play,
    PlaybackChanged,
    PlaybackConfirmed,
    PlaybackStarted,
    PlaybackStopped,
    PlayState,
    User,
    Watched,
)
from daemon.plex.frames import Edge, PlayingFrame, WebhookEvent
from daemon.plex.plays import SessionInfo
from daemon.plex.sessions import Tracker

ALICE = User("1", "alice")
BOB = User("71234", "bob")
HOUR = 3600.0


def frame(
    state: str = "playing",
    offset: float | None = 0.0,
    *,
    key: str = "1",
    item: str = "100",
    client: str = "tv",
) -> PlayingFrame:
    return PlayingFrame(key, item, PlayState(state), offset, client)


def listed(
    offset: float | None = 0.0,
    state: str = "playing",
    *,
    key: str = "1",
    item: str = "100",
    client: str = "tv",
    user: User = ALICE,
    duration: float = 1000.0,
    video: bool = True,
) -> SessionInfo:
    return SessionInfo(key, item, user, client, f"{client} player", PlayState(state), offset, duration, video=video)


def hook(
    edge: Edge,
    offset: float | None = None,
    *,
    item: str = "100",
    client: str = "tv",
    user: User = ALICE,
    duration: float = 1000.0,
) -> WebhookEvent:
    return WebhookEvent(edge, "server", user, client, f"{client} player", item, offset, duration)


class Watch:
    """A tracker, the time, and everything it has said so far."""

    def __init__(self, *, connected: bool = True, start: float = 1_000_000.0) -> None:
        ids = count(1)
        self.tracker = Tracker(min_play=30.0, stale_session=300.0, new_id=lambda: f"play-{next(ids)}")
        self.now = start
        self.events: list[Event] = []
        if connected:
            self.tracker.connected(self.now)

    def after(self, seconds: float) -> Watch:
        self.now += seconds
        return self

    def frame(self, state: str = "playing", offset: float | None = 0.0, **fields: str) -> list[str]:
        return self._note(self.tracker.frame(frame(state, offset, **fields), self.now))

    def hook(self, event: WebhookEvent) -> list[str]:
        return self._note(self.tracker.webhook(event, self.now))

    def snapshot(self, *sessions: SessionInfo, asked_at: float | None = None) -> list[str]:
        return self._note(self.tracker.snapshot(sessions, self.now, asked_at))

    def identify(self, user: User = ALICE, duration: float = 1000.0) -> list[str]:
        said: list[str] = []
        for play in self.tracker.pending():
            said += self._note(self.tracker.identify(play.id, self.now, user=user, player="TV", duration=duration))
        return said

    def history(self, row: Watched) -> list[str]:
        return self._note(self.tracker.history(row))

    def tick(self) -> list[str]:
        return self._note(self.tracker.tick(self.now))

    def play(self, offset: float = 0.0, **fields: str) -> Play:
        """Begin and identify a play; return it."""
        self.frame("playing", offset, **fields)
        self.identify()
        return self.tracker.plays()[-1]

    def _note(self, events: Sequence[Event]) -> list[str]:
        self.events += events
        return [said(event) for event in events]


def said(event: Event) -> str:
    """Return an event as a short line: what happened to which item, for whom."""
    if isinstance(event, Watched):
        return f"watched {event.rating_key} by {event.user.title or '?'} ({event.source})"
    play = event.play
    words = {PlaybackStarted: "started", PlaybackConfirmed: "confirmed", PlaybackStopped: "stopped"}
    word = event.what if isinstance(event, PlaybackChanged) else words[type(event)]
    return f"{word} {play.rating_key} by {play.user.title or '?'}"


def broken_rules(events: Iterable[Event]) -> list[str]:
    """Return what is wrong with all that a tracker has said: a play starts once, then ends at most once."""
    faults: list[str] = []
    life: dict[str, str] = {}
    counted: set[str] = set()
    for event in events:
        if isinstance(event, Watched):
            continue
        play, state = event.play.id, life.get(event.play.id, "")
        if isinstance(event, PlaybackStarted):
            if state:
                faults.append(f"{play} started twice")
            life[play] = "open"
        elif state != "open":
            faults.append(f"{said(event)}: {play} is not open")
        if isinstance(event, PlaybackStopped):
            life[play] = "ended"
        if isinstance(event, PlaybackConfirmed):
            if play in counted:
                faults.append(f"{play} confirmed twice")
            counted.add(play)
    return faults
