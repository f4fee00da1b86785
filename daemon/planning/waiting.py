"""Which work that must wake the array waits, and until when. Pure.

What is urgent never waits. What is not goes along while the array is awake anyway; it wakes the array only while
``schedule.array_window`` is open or, where none is set, once it has waited for three days. Disks that never sleep
(``schedule.spin_down = "0"``) make nothing wait.
"""

from __future__ import annotations

import math
from datetime import tzinfo

from daemon.config import ScheduleSettings
from daemon.planning import windows

LONGEST_WAIT = 3 * 86_400.0
"""Seconds after which waiting work wakes the array by itself, where no window is set."""


def may_run(
    *, urgent: bool, queued_at: float, awake: bool, schedule: ScheduleSettings, now: float, tz: tzinfo | None = None
) -> bool:
    """Say whether a task may run now.

    `queued_at` is when it was asked for, or until when it was put off after a failure. `awake`: its array is awake
    anyway. `tz` None: the machine's own local time.
    """
    return urgent or awake or queued_at <= ripe_before(schedule, now, tz)


def ripe_before(schedule: ScheduleSettings, now: float, tz: tzinfo | None = None) -> float:
    """Return until when a task that is not urgent must have been queued to be worth waking the array for now."""
    if not schedule.spin_down:
        return math.inf
    if schedule.array_window is None:
        return now - LONGEST_WAIT
    return math.inf if windows.is_open(schedule.array_window, now, tz) else -math.inf


def next_moment(*, queued_at: float, schedule: ScheduleSettings, now: float, tz: tzinfo | None = None) -> float:
    """Return when a task that is not urgent may run though nothing else wakes the array; `now` if it may already."""
    if queued_at <= ripe_before(schedule, now, tz):
        return now
    if schedule.array_window is None:
        return queued_at + LONGEST_WAIT
    return windows.next_opening(schedule.array_window, now, tz)
