"""Who plays what: frames, webhooks and snapshots of the sessions become events. Pure.

The socket is the authority; webhooks fill its gaps, and ``/status/sessions`` says who plays and what is gone. A play
ends by a stop, by another item under its session key, or when a snapshot that could be read shows it gone. Silence
alone never ends a play: without an answer from Plex everything stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from uuid import uuid4

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
from daemon.plex.frames import NO_QUEUE, Edge, PlayingFrame, QueuePlace, WebhookEvent
from daemon.plex.past import EDGE, SAME_WATCHING, Past
from daemon.plex.plays import Look, OpenPlay, OpenPlays, SessionInfo, agree

GHOST = 1800.0
"""Seconds without a sign of life after which a session ends although Plex still lists it."""

_TELLING = 15.0
"""A play reported within so many seconds is told by frames; a snapshot lags behind them."""

_AUDIBLE = frozenset({PlayState.PLAYING, PlayState.PAUSED})


class Tracker:
    """Keeps the open plays. Every method takes the time and returns the events that follow, in order.

    `min_play` and `stale_session` (seconds) may be set at any time. A new play is *pending* until `identify`,
    a snapshot or a webhook says who plays; only then is it announced, and only announced plays make events.
    """

    def __init__(
        self,
        *,
        min_play: float = 30.0,
        stale_session: float = 300.0,
        new_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self.min_play = min_play
        self.stale_session = stale_session
        self._open = OpenPlays(new_id)
        self._past = Past()
        self._listening_since: float | None = None

    def load(self, plays: Iterable[Play]) -> None:
        """Take over the plays that were open when the daemon ended; the first snapshot decides about them."""
        for play in plays:
            paused = play.state is PlayState.PAUSED
            self._open.add(OpenPlay(play, play.last_seen, known=True, suspect=True, paused=paused))

    def plays(self) -> list[Play]:
        """Return the announced open plays."""
        return [one.play for one in self._open if one.known]

    def pending(self) -> list[Play]:
        """Return the plays of which nobody has said yet who plays."""
        return [one.play for one in self._open if not one.known]

    def is_open(self, play_id: str) -> bool:
        """Say whether this play has not ended."""
        return self._open.get(play_id) is not None

    def is_listed(self, play_id: str) -> bool:
        """Say whether the last snapshot showed this play."""
        one = self._open.get(play_id)
        return one is not None and one.listed is not None

    def place_of(self, play_id: str) -> QueuePlace:
        """Return where in its play queue the client of this play is."""
        return one.place if (one := self._open.get(play_id)) else NO_QUEUE

    def connected(self, now: float) -> None:
        """Note that frames arrive from now on."""
        self._listening_since = now

    def disconnected(self) -> None:
        """Note that frames may be missed: nothing ends by that, but the next snapshot decides."""
        self._listening_since = None
        for one in self._open:
            one.suspect = True

    def frame(self, frame: PlayingFrame, now: float) -> list[Event]:
        """Take in one frame of the socket."""
        audible = frame.state in _AUDIBLE
        one = self._open.find(frame.session_key, frame.client, frame.rating_key, rebind=audible)
        same = one is not None and _is(one, frame.client, frame.rating_key)
        if frame.state is PlayState.STOPPED:
            # The end of anything else has been noticed by what came after it.
            return self._stop(one, frame.view_offset, now) if one is not None and same else []
        if self._past.just_ended(frame.session_key, frame.client, frame.rating_key, now):
            return []
        if one is not None and same:
            one.bind(frame.session_key, frame.client)
            told = [*one.report(frame.state, frame.view_offset, now), *one.move(frame.place, now)]
            return [*told, *self._progress(one, now)]
        if not audible:
            return []  # a first buffering is no start: it may never come to one
        events = [] if one is None else self._close(one, now)
        if frame.rating_key and not self._past.is_left_alone(frame.rating_key):
            begun = self._open.begin(frame.session_key, frame.client, frame.rating_key, now)
            begun.report(frame.state, frame.view_offset, now)
            begun.move(frame.place, now)
        return events

    def webhook(self, event: WebhookEvent, now: float) -> list[Event]:
        """Take in a webhook; what the socket has told already, or will tell, counts once."""
        one = self._open.find("", event.client, event.rating_key)
        if event.edge is Edge.SCROBBLE:
            return self._scrobbled(one, event, now)
        listening = self._listening_since is not None
        if (one is None or event.edge is Edge.STOP) and self._past.knows(event, now, listening=listening):
            return []
        events: list[Event] = []
        if one is None:
            if event.edge is Edge.STOP:
                return []
            events = self._end_unbound(event, now)
            one = self._open.begin("", event.client, event.rating_key, now)
        told = bool(one.play.session_key) and listening
        if not told and event.edge is not Edge.STOP:
            state = PlayState.PAUSED if event.edge is Edge.PAUSE else PlayState.PLAYING
            events += one.report(state, event.view_offset, now)
        events += self._introduce_by(event, one, now)
        return [*events, *self._stop(one, event.view_offset, now)] if event.edge is Edge.STOP else events

    def snapshot(self, sessions: Sequence[SessionInfo], now: float, asked_at: float | None = None) -> list[Event]:
        """Reconcile with ``/status/sessions``, asked for at `asked_at`. Never call it for a failed answer."""
        asked_at = now if asked_at is None else asked_at
        events: list[Event] = []
        present: set[str] = set()
        for session in sessions:
            if session.video:
                events += self._listed(session, now, asked_at, present)
            else:
                self._leave_alone(session.rating_key, now)
        for one in list(self._open):
            if one.play.id not in present:
                one.listed = None
                if one.suspect or now - one.play.last_seen >= self.stale_session:
                    events += self._close(one, now)
            elif self._is_ghost(one, now):
                events += self._close(one, now, listed=one.listed)
        self._past.forget(now, {(session.session_key, session.rating_key) for session in sessions})
        return events

    def identify(self, play_id: str, now: float, *, user: User, player: str = "", duration: float = 0.0) -> list[Event]:
        """Say who plays, or that it cannot be found out (`UNKNOWN_USER`); announces a pending play."""
        if (one := self._open.get(play_id)) is None:
            return []
        return self._announce(one, now, named=one.introduce(user, player, "", duration))

    def ignore(self, play_id: str, now: float) -> None:
        """Drop a play of which nobody has acted on anything yet: its item is to be left alone."""
        if (one := self._open.get(play_id)) is not None:
            self._open.remove(one)
            self._leave_alone(one.play.rating_key, now)

    def drop(self, play_id: str) -> None:
        """Forget a play of which nobody has acted on anything yet; the next report of it begins it anew."""
        if (one := self._open.get(play_id)) is not None:
            self._open.remove(one)

    def reconsider(self) -> None:
        """Forget which items were left alone, since the settings have changed."""
        self._past.left_alone.clear()

    def history(self, row: Watched) -> list[Event]:
        """Take in a row of Plex's history; nothing follows where that watching has been counted."""
        for one in self._open:
            play = one.play
            if (play.rating_key, play.user.id) == (row.rating_key, row.user.id) and row.at >= play.started_at:
                one.play = replace(play, watched=True)
        return self._past.count(row, SAME_WATCHING)

    def tick(self, now: float) -> list[Event]:
        """Do what time alone brings: confirm the plays that have lasted `min_play`."""
        self._past.forget_old(now)
        return [event for one in list(self._open) for event in self._progress(one, now)]

    def next_due(self) -> float | None:
        """Return when `tick` has something to do next."""
        dues = (
            one.play.started_at + self.min_play
            for one in self._open
            if one.known and not one.suspect and not one.play.confirmed
        )
        return min(dues, default=None)

    def _listed(self, session: SessionInfo, now: float, asked_at: float, present: set[str]) -> list[Event]:
        key, client, item = session.session_key, session.client, session.rating_key
        audible = session.state in _AUDIBLE
        one = self._open.find(key, client, item, rebind=audible)
        if self._past.just_ended(key, client, item, asked_at):
            return []  # the answer is older than what the socket has told since
        events: list[Event] = []
        if one is not None and not _is(one, client, item):
            if not audible:
                return []
            events = self._close(one, now)
            one = None
        if one is None:
            if not audible or self._past.is_left_alone(item) or self._past.is_ghost(session):
                return events
            one = self._open.begin(key, client, item, now)
            one.report(session.state, session.view_offset, now)
        present.add(one.play.id)
        one.bind(key, client)
        told = self._listening_since is not None and now - one.play.last_seen < _TELLING
        unchanged = self._listening_since is not None and one.listed == session.look
        if not told and not unchanged:
            events += one.report(session.state, session.view_offset, now)
        one.listed = session.look
        one.suspect = False
        named = one.introduce(session.user, session.player, client, session.duration)
        return [*events, *self._announce(one, now, named=named)]

    def _is_ghost(self, one: OpenPlay, now: float) -> bool:
        if self._listening_since is None:
            return False
        silent = now - max(one.play.last_seen, self._listening_since)
        return silent >= max(GHOST, self.stale_session)

    def _introduce_by(self, event: WebhookEvent, one: OpenPlay, now: float) -> list[Event]:
        named = one.introduce(event.user, event.player, event.client, event.duration)
        return self._announce(one, now, named=named)

    def _announce(self, one: OpenPlay, now: float, *, named: bool) -> list[Event]:
        events: list[Event] = []
        if not one.known:
            one.known = True
            events.append(PlaybackStarted(one.play, one.play.started_at))
        elif named:
            events.append(PlaybackChanged(one.play, now, "identified"))
        return [*events, *self._progress(one, now)]

    def _progress(self, one: OpenPlay, now: float) -> list[Event]:
        if not one.known:
            return []
        events: list[Event] = []
        if not one.play.confirmed and not one.suspect and now - one.play.started_at >= self.min_play:
            one.play = replace(one.play, confirmed=True)
            events.append(PlaybackConfirmed(one.play, now))
        if one.finished and not one.play.watched:
            events += self._count(one, now, "playback", EDGE)
        return events

    def _count(self, one: OpenPlay, now: float, source: str, window: float) -> list[Event]:
        one.play = replace(one.play, watched=True)
        return self._past.count(Watched(one.play.rating_key, one.play.user, now, source), window)

    def _scrobbled(self, one: OpenPlay | None, event: WebhookEvent, now: float) -> list[Event]:
        if one is None:
            return self._past.count(Watched(event.rating_key, event.user, now, "webhook"), SAME_WATCHING)
        events = self._introduce_by(event, one, now)
        return events if one.play.watched else [*events, *self._count(one, now, "webhook", EDGE)]

    def _end_unbound(self, event: WebhookEvent, now: float) -> list[Event]:
        """End what this client played before, where only webhooks tell and the stop was lost."""
        return [
            ended
            for one in list(self._open)
            if not one.play.session_key and event.client and one.play.client == event.client
            for ended in self._close(one, now)
        ]

    def _leave_alone(self, rating_key: str, now: float) -> None:
        if rating_key:
            self._past.leave_alone(rating_key, now)
        for one in [one for one in self._open if one.play.rating_key == rating_key and not one.known]:
            self._open.remove(one)

    def _stop(self, one: OpenPlay, offset: float | None, now: float) -> list[Event]:
        return [*one.report(PlayState.STOPPED, offset, now), *self._close(one, now)]

    def _close(self, one: OpenPlay, now: float, listed: Look | None = None) -> list[Event]:
        """End a play; what its last moment brings comes before the end. `listed`: how Plex still shows it."""
        one.play = replace(one.play, state=PlayState.STOPPED)
        one.suspect = False
        events = self._progress(one, one.play.last_seen)
        self._open.remove(one)
        self._past.end(one.play, now, listed)
        return [*events, PlaybackStopped(one.play, now)] if one.known else []


def _is(one: OpenPlay, client: str, rating_key: str) -> bool:
    """Say whether a report under this play's key is about it, and not about what took its place."""
    return agree(one.play.client, client) and rating_key in {"", one.play.rating_key}
