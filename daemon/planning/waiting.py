"""Which work that must wake the array waits, and until when. Pure.

What is urgent never waits. What is not goes along while something else uses the array, and shortly after; later it
would keep the array from going to sleep. By itself it wakes the array only while ``schedule.array_window`` is open or,
where none is set, shortly after the daemon's start and once it has waited for three days. Disks that never sleep
(``schedule.spin_down = "0"``) make nothing wait.
"""

from __future__ import annotations

import math
from datetime import tzinfo

from daemon.config import ScheduleSettings
from daemon.planning import windows

LONGEST_WAIT = 3 * 86_400.0
"""Seconds after which waiting work wakes the array by itself, where no window is set."""

_ALONG = 1 / 3
"""The share of the time to spin down in which waiting work goes along after the last use.

A series of short episodes, each of which asks for one more at its begin, would else keep the array awake all evening.
"""


def may_run(
    *, urgent: bool, queued_at: float, along: bool, schedule: ScheduleSettings, now: float, tz: tzinfo | None = None
) -> bool:
    """Say whether a task may run now.

    `queued_at` is when it was asked for, or until when it was put off after a failure. `along`: it goes along with
    what uses its array. `tz` None: the machine's own local time.
    """
    return urgent or along or queued_at <= ripe_before(schedule, now, tz)


def goes_along(*, awake: bool, idle: float, spin_down: float) -> bool:
    """Say whether waiting work goes along with an array. `idle`: for how long it has not been used, as far as is known.

    One that is awake longer than it should be is used by somebody of whom nothing is known.
    """
    return awake and not spin_down * _ALONG <= idle < spin_down


def has_just_begun(begun_at: float, schedule: ScheduleSettings, now: float) -> bool:
    """Say whether the daemon began so lately that nothing waits: whoever starts it wants to see it at work.

    So does whoever changes the settings or a pin, which counts as a start. A window says more exactly when the
    array may be woken.
    """
    return schedule.array_window is None and now - begun_at < schedule.spin_down * _ALONG


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
