"""Mappings whose copies are held back for a while: disk full, tier not writable, array not mounted."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import structlog

from daemon.bell import Bell
from daemon.errors import OndeckdError
from daemon.feed import Feed

log = structlog.get_logger()

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_SECONDS = 30.0
"""How long a mapping is held before one task tries again."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a mapping is held, since when and until when."""

    kind: type[OndeckdError]
    why: str
    since: float
    until: float


class Holds:
    """One notice when a mapping is held and one when it works again, however many files are concerned."""

    def __init__(self, feed: Feed, bell: Bell) -> None:
        self._feed = feed
        self._bell = bell
        self._holds: dict[str, Hold] = {}

    def hold(self, mapping: str, error: OndeckdError, now: float) -> None:
        """Hold a mapping back because of `error`."""
        before = self._holds.get(mapping)
        self._holds[mapping] = Hold(type(error), str(error), before.since if before else now, now + _SECONDS)
        if before is None:
            log.log(LEVELS[error.level], "mapping_held", mapping=mapping, why=str(error))
            self._feed.publish("notice", {"level": error.level, "text": f"{mapping}: {error}"})

    def release(self, mapping: str) -> None:
        """Note that a task of the mapping has succeeded."""
        if self._holds.pop(mapping, None):
            log.info("mapping_released", mapping=mapping)
            self._feed.publish("notice", {"level": "info", "text": f"{mapping}: works again"})
            self._bell.ring()

    def held(self, now: float) -> list[str]:
        """Return the mappings of which nothing may be claimed now."""
        return [mapping for mapping, hold in self._holds.items() if hold.until > now]

    def problems(self) -> dict[str, Hold]:
        """Return why each mapping is held; one whose time is over counts until a task has succeeded."""
        return dict(self._holds)

    def next_release(self, now: float) -> float | None:
        """Return when the next hold ends."""
        return min((hold.until for hold in self._holds.values() if hold.until > now), default=None)
