"""What has happened lately, so that what arrives late, twice, or on two ways counts once. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from daemon.model import Event, Play, Watched
from daemon.plex.frames import Edge, WebhookEvent
from daemon.plex.plays import Look, SessionInfo, agree

LATE = 5.0
"""Seconds after a play's end in which reports of it are leftovers, not a new start."""

EDGE = 15.0
"""Seconds within which a frame and a webhook about the same thing are one."""

SAME_WATCHING = 600.0
"""Seconds within which a scrobble or a history row belongs to a watching that has been counted."""

_MEMORY = 3600.0


@dataclass(slots=True)
class _Ended:
    play: Play
    at: float
    listed: Look | None = None


class Past:
    """Ended plays, items that are left alone, and what has been counted as watched."""

    def __init__(self) -> None:
        self._ended: list[_Ended] = []
        self.left_alone: dict[str, float] = {}
        self._watched: dict[tuple[str, str], float] = {}

    def end(self, play: Play, at: float, listed: Look | None) -> None:
        """Remember the end of a play, and how ``/status/sessions`` shows it all the same."""
        self._ended.append(_Ended(play, at, listed))

    def just_ended(self, session_key: str, client: str, rating_key: str, now: float) -> bool:
        """Say whether a report of this session can only be a leftover of a play that has just ended."""
        return any(
            abs(now - ended.at) < LATE
            and agree(ended.play.session_key, session_key)
            and ended.play.rating_key == rating_key
            and agree(ended.play.client, client)
            for ended in self._ended
        )

    def is_ghost(self, session: SessionInfo) -> bool:
        """Say whether a listed session is an ended play that Plex still shows, unchanged since."""
        for ended in self._ended:
            play = ended.play
            if (play.session_key, play.rating_key) == (session.session_key, session.rating_key) and agree(
                play.client, session.client
            ):
                if ended.listed is None:
                    ended.listed = session.look
                return ended.listed == session.look
        return False

    def knows(self, event: WebhookEvent, now: float, *, listening: bool) -> bool:
        """Say whether a webhook about no open play, or about a stop, repeats what has been told already."""
        for ended in self._ended:
            play = ended.play
            if play.rating_key != event.rating_key or not agree(play.client, event.client):
                continue
            just = abs(now - ended.at) < EDGE
            if event.edge is Edge.PLAY:
                # While frames arrive, a real new start will come by one.
                just = abs(now - play.started_at) < EDGE or (just and listening)
            if just:
                return True
        return False

    def leave_alone(self, rating_key: str, now: float) -> None:
        """Remember that this item is none of ours."""
        self.left_alone[rating_key] = now

    def is_left_alone(self, rating_key: str) -> bool:
        """Say whether this item is known to be none of ours."""
        return rating_key in self.left_alone

    def count(self, watched: Watched, window: float) -> list[Event]:
        """Return the event, unless the same user and item were counted within `window` seconds."""
        key = (watched.rating_key, watched.user.id)
        before = self._watched.get(key)
        if before is not None and abs(watched.at - before) < window:
            return []
        self._watched[key] = watched.at if before is None else max(before, watched.at)
        return [watched]

    def forget(self, now: float, listed: Collection[tuple[str, str]]) -> None:
        """Drop what can no longer matter; `listed` are the session and rating keys that Plex still shows."""
        self._ended = [
            ended
            for ended in self._ended
            if abs(now - ended.at) < EDGE or (ended.play.session_key, ended.play.rating_key) in listed
        ]
        self.forget_old(now)

    def forget_old(self, now: float) -> None:
        """Drop what is old, also where no snapshot can be had."""
        self._ended = [ended for ended in self._ended if ended.listed or abs(now - ended.at) < _MEMORY]
        self.left_alone = {key: at for key, at in self.left_alone.items() if abs(now - at) < _MEMORY}
        self._watched = {key: at for key, at in self._watched.items() if abs(now - at) < _MEMORY}
