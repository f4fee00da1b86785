"""When the sources are read again: by an interval or by cron's fields, in the machine's own local time."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta, tzinfo

from cronsim import CronSim

from daemon.config import ScheduleSettings

_JITTER = 0.05
_LONGEST_JITTER = 60.0
"""So much of the interval, and so many seconds at most: households with the same hour do not all ask at once."""


class LocalTime(tzinfo):
    """The machine's local time with its changes of the clocks, which the standard library has for naive times only."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """Return the offset of a wall clock."""
        return moment.replace(tzinfo=None).astimezone().utcoffset() if moment else None

    def dst(self, _moment: datetime | None) -> timedelta | None:
        """Return None: nobody can tell."""
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        """Return the zone's name at a wall clock."""
        return moment.replace(tzinfo=None).astimezone().tzname() if moment else None

    def fromutc(self, moment: datetime) -> datetime:
        """Return the wall clock, of two equal ones the right one."""
        return datetime.fromtimestamp(moment.replace(tzinfo=UTC).timestamp(), tz=None).replace(tzinfo=self)  # noqa: DTZ006 - local time is what is asked for


def next_refresh(
    schedule: ScheduleSettings, last_done: float | None, now: float, seed: str, tz: tzinfo | None = None
) -> float | None:
    """Return when to read the sources next: `now` if that was missed, None if never by time alone.

    `last_done` is when they were read last, None for never: that is due at once. `seed`, such as the server's
    identifier, spreads installations by up to a minute. `tz` None: the machine's own local time.
    """
    if last_done is None:
        return now
    # A clock that was set back must not put it off for as long.
    done = min(last_done, now)
    if schedule.cron:
        due = _next_of_cron(schedule.cron, done, tz or LocalTime())
        return now if due <= now else due + _jitter(due - done, seed)
    if not schedule.refresh:
        return None
    return max(now, done + schedule.refresh + _jitter(schedule.refresh, seed))


def _next_of_cron(cron: str, after: float, tz: tzinfo) -> float:
    moments = (moment.timestamp() for moment in CronSim(cron, datetime.fromtimestamp(after, tz)))
    # In the second of two equal hours the parser names the first one's moments again.
    return next(moment for moment in moments if moment > after)


def _jitter(interval: float, seed: str) -> float:
    return min(_JITTER * interval, _LONGEST_JITTER) * (zlib.crc32(seed.encode()) / 2**32)
