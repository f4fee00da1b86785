"""The open plays: what a report changes, which play it is about, and when one counts as watched. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from daemon.model import UNKNOWN_USER, Play, PlaybackChanged, PlayState, User
from daemon.plex.frames import NO_QUEUE, QueuePlace

WATCHED_SHARE = 0.9
"""The share of an item after which it counts as watched, as on Plex itself."""

FINISHED_WITHIN = 10.0
"""A stop within so many seconds of the end counts as watched: clients report every ten seconds."""

_SEEK = 10.0
"""Seconds by which an offset must miss the expected one to be a seek."""

_SETTLING = 15.0
"""Clients may report 0 at first and the real resume point within so many seconds; that is no seek."""


Look = tuple[PlayState, float | None]
"""State and offset: what changes in ``/status/sessions`` while a session lives."""


def agree(one: str, other: str) -> bool:
    """Say whether two ids may be the same: an empty one is unknown, not different."""
    return one == other or not one or not other


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One entry of ``/status/sessions``. `video` is False for live TV, music, photos and clips."""

    session_key: str
    rating_key: str
    user: User
    client: str
    player: str
    state: PlayState
    view_offset: float | None = None
    duration: float = 0.0
    video: bool = True

    @property
    def look(self) -> Look:
        """Return what tells a living session from a listed one."""
        return self.state, self.view_offset


@dataclass(slots=True)
class OpenPlay:
    """A play that has not ended, and what only the tracker needs to know about it.

    `known`: who plays has been settled and the start announced. `suspect`: it may have ended while nobody
    listened. `listed`: how ``/status/sessions`` showed it last, None where it did not. `place`: where in its queue the
    client is.
    """

    play: Play
    offset_at: float
    known: bool = False
    suspect: bool = False
    paused: bool = False
    listed: Look | None = None
    place: QueuePlace = NO_QUEUE

    def report(self, state: PlayState, offset: float | None, now: float) -> list[PlaybackChanged]:
        """Take in a sign of life; return what people would call a change."""
        before = self.play
        self.suspect = False
        self.play = replace(before, state=state, last_seen=now)
        if state not in {PlayState.PLAYING, PlayState.PAUSED, PlayState.STOPPED}:
            return []  # while buffering, some clients push the offset to the end and back
        whats = []
        if state is PlayState.PAUSED and not self.paused:
            whats.append("paused")
        elif state is PlayState.PLAYING and self.paused:
            whats.append("resumed")
        self.paused = state is PlayState.PAUSED
        if offset is not None:
            if state is not PlayState.STOPPED and self._sought(before, state, offset, now):
                whats.append("seeked")
            self.play = replace(self.play, view_offset=offset)
            self.offset_at = now
        return [PlaybackChanged(self.play, now, what) for what in whats] if self.known else []

    def _sought(self, before: Play, state: PlayState, offset: float, now: float) -> bool:
        if before.view_offset == 0.0 and now - before.started_at < _SETTLING:
            return False
        elapsed = max(0.0, now - self.offset_at)
        moved = offset - before.view_offset
        steady = before.state is state is PlayState.PLAYING
        return moved < (elapsed if steady else 0.0) - _SEEK or moved > elapsed + _SEEK

    def move(self, place: QueuePlace, now: float) -> list[PlaybackChanged]:
        """Take over where in its queue the client is; return that what follows may be another than before."""
        if not place.queue or place == self.place or (place.queue == self.place.queue and not place.item):
            return []
        self.place = place
        return [PlaybackChanged(self.play, now, "identified")] if self.known else []

    def bind(self, session_key: str, client: str) -> None:
        """Take over the key under which Plex tells of this play, and the client where it was not known."""
        play = self.play
        if play.session_key != session_key or (client and not play.client):
            self.play = replace(play, session_key=session_key, client=play.client or client)

    def introduce(self, user: User, player: str, client: str, duration: float) -> bool:
        """Fill in what was not known yet. Return whether the user has become known."""
        play = self.play
        named = not play.user.id and bool(user.id)
        self.play = replace(
            play,
            user=user if not play.user.id else play.user,
            player=play.player or player,
            client=play.client or client,
            duration=play.duration or duration,
        )
        return named

    @property
    def finished(self) -> bool:
        """Say whether the offset is far enough for the item to count as watched."""
        offset, duration = self.play.view_offset, self.play.duration
        if duration <= 0.0 or self.play.state in {PlayState.BUFFERING, PlayState.ERROR}:
            return False
        near_end = self.play.state is PlayState.STOPPED and duration - offset <= FINISHED_WITHIN
        return offset >= WATCHED_SHARE * duration or near_end


class OpenPlays:
    """The open plays; no two have the same session key."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._plays: dict[str, OpenPlay] = {}

    def __iter__(self) -> Iterator[OpenPlay]:
        return iter(self._plays.values())

    def get(self, play_id: str) -> OpenPlay | None:
        """Return the play with this id, if it has not ended."""
        return self._plays.get(play_id)

    def add(self, one: OpenPlay) -> None:
        """Put a play in."""
        self._plays[one.play.id] = one

    def remove(self, one: OpenPlay) -> None:
        """Take a play out."""
        del self._plays[one.play.id]

    def begin(self, session_key: str, client: str, rating_key: str, now: float) -> OpenPlay:
        """Put in and return a new play of which nobody has said who plays."""
        play = Play(
            id=self._new_id(),
            session_key=session_key,
            rating_key=rating_key,
            user=User(UNKNOWN_USER, ""),
            client=client,
            player="",
            state=PlayState.PLAYING,
            started_at=now,
            last_seen=now,
        )
        one = OpenPlay(play, now)
        self.add(one)
        return one

    def find(self, session_key: str, client: str, rating_key: str, *, rebind: bool = False) -> OpenPlay | None:
        """Return the play that a report is about: by its key, else by client and item.

        A play that only a webhook knows has no key yet. With `rebind` the same client's play of the same item
        under another key counts too: the server has restarted and counts anew, or the stop between was lost.
        """
        if session_key:
            keyed = next((one for one in self if one.play.session_key == session_key), None)
            if keyed is not None:
                return keyed
        for one in self:
            play = one.play
            if play.rating_key == rating_key and agree(play.client, client):
                unbound = not session_key or not play.session_key
                if unbound or (rebind and client and play.client == client):
                    return one
        return None
