"""What must wake the array, and is not urgent, waits: for company, for its window, or for days."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config import ScheduleSettings
from daemon.planning import windows
from daemon.planning.waiting import LONGEST_WAIT, goes_along, may_run, next_moment
from daemon.units import Window

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Window.parse("02:00-06:00")
PAST_MIDNIGHT = Window.parse("23:30-01:15")
HOUR = 3600.0
DAY = 24 * HOUR
CLOCKS_GO_FORWARD = "2026-03-29"
CLOCKS_GO_BACK = "2026-10-25"


def at(text: str) -> float:
    """Return the instant of a wall clock in Berlin; the first of two."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def next_change(window: Window, now: float) -> float:
    """Return when a window opens or closes next."""
    return min(moment for span in windows._spans(window, now, BERLIN) for moment in span if moment > now)


def schedule(window: Window | None = None, spin_down: float = 1800.0) -> ScheduleSettings:
    return ScheduleSettings().model_copy(update={"array_window": window, "spin_down": spin_down})


@pytest.mark.parametrize("window", [None, NIGHT])
@pytest.mark.parametrize("along", [False, True])
def test_what_is_urgent_never_waits(window: Window | None, along: bool) -> None:
    noon = at("2026-05-01 12:00")

    assert may_run(urgent=True, queued_at=noon, along=along, schedule=schedule(window), now=noon, tz=BERLIN)


@pytest.mark.parametrize("window", [None, NIGHT])
def test_what_is_not_urgent_goes_along_with_an_array_that_is_awake(window: Window | None) -> None:
    noon = at("2026-05-01 12:00")

    assert may_run(urgent=False, queued_at=noon, along=True, schedule=schedule(window), now=noon, tz=BERLIN)
    assert not may_run(urgent=False, queued_at=noon, along=False, schedule=schedule(window), now=noon, tz=BERLIN)


def test_without_a_window_it_waits_for_days() -> None:
    noon = at("2026-05-01 12:00")

    def runs(now: float) -> bool:
        return may_run(urgent=False, queued_at=noon, along=False, schedule=schedule(), now=now)

    assert not runs(noon + LONGEST_WAIT - 1)
    assert runs(noon + LONGEST_WAIT)
    assert next_moment(queued_at=noon, schedule=schedule(), now=noon + HOUR) == noon + LONGEST_WAIT


@pytest.mark.parametrize(
    ("awake", "idle", "spin_down", "along"),
    [
        (True, 0.0, 1800.0, True),
        (True, 599.0, 1800.0, True),
        # It would keep the array from going to sleep.
        (True, 600.0, 1800.0, False),
        (True, 1799.0, 1800.0, False),
        (True, 1799.0, 5400.0, True),
        # Somebody else keeps it awake.
        (True, 1800.0, 1800.0, True),
        (True, float("inf"), 1800.0, True),
        (True, 99.0, 0.0, True),
        (False, 0.0, 1800.0, False),
        (False, float("inf"), 1800.0, False),
    ],
)
def test_work_goes_along_while_the_array_is_used_and_shortly_after(
    awake: bool, idle: float, spin_down: float, along: bool
) -> None:
    assert goes_along(awake=awake, idle=idle, spin_down=spin_down) is along


def test_with_a_window_it_waits_for_its_opening_however_long_it_has_waited() -> None:
    asked = at("2026-04-01 12:00")

    def runs(now: float) -> bool:
        return may_run(urgent=False, queued_at=asked, along=False, schedule=schedule(NIGHT), now=now, tz=BERLIN)

    assert not runs(at("2026-05-02 01:59:59"))
    assert runs(at("2026-05-02 02:00"))
    assert runs(at("2026-05-02 05:59:59"))
    assert not runs(at("2026-05-02 06:00"))
    now = at("2026-05-02 06:00")
    assert next_moment(queued_at=asked, schedule=schedule(NIGHT), now=now, tz=BERLIN) == at("2026-05-03 02:00")


@pytest.mark.parametrize("window", [None, NIGHT])
def test_nothing_waits_for_disks_that_never_sleep(window: Window | None) -> None:
    noon = at("2026-05-01 12:00")
    never = schedule(window, spin_down=0.0)

    assert may_run(urgent=False, queued_at=noon, along=False, schedule=never, now=noon, tz=BERLIN)
    assert next_moment(queued_at=noon, schedule=never, now=noon, tz=BERLIN) == noon


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-05-01 23:29:59", False),
        ("2026-05-01 23:30", True),
        ("2026-05-02 00:00", True),
        ("2026-05-02 01:14:59", True),
        ("2026-05-02 01:15", False),
    ],
)
def test_a_window_may_pass_midnight(moment: str, is_open: bool) -> None:
    assert PAST_MIDNIGHT
    assert windows.is_open(PAST_MIDNIGHT, at(moment), BERLIN) is is_open


@pytest.mark.parametrize(
    ("day", "window", "opens", "hours"),
    [
        (CLOCKS_GO_FORWARD, "01:00-06:00", "01:00", 4.0),
        (CLOCKS_GO_BACK, "01:00-06:00", "01:00", 6.0),
        # An hour that the clocks skip is made up for by the next one.
        (CLOCKS_GO_FORWARD, "02:00-03:00", "03:00", 1.0),
        (CLOCKS_GO_FORWARD, "02:15-02:45", "03:15", 0.5),
        (CLOCKS_GO_FORWARD, "02:30-06:00", "03:30", 2.5),
        # One that comes twice counts once.
        (CLOCKS_GO_BACK, "02:15-02:45", "02:15", 0.5),
        (CLOCKS_GO_BACK, "02:00-03:00", "02:00", 2.0),
    ],
)
def test_a_night_on_which_the_clocks_change_has_its_window_once(
    day: str, window: str, opens: str, hours: float
) -> None:
    span = Window.parse(window)
    assert span
    begin = at(f"{day} 00:00")
    changes = [begin]
    while changes[-1] < begin + 18 * HOUR:
        changes.append(next_change(span, changes[-1]))
    opened, closed = changes[1:3]

    assert opened == at(f"{day} {opens}")
    assert (closed - opened) / HOUR == hours
    assert changes[3] > begin + 18 * HOUR


minutes = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
instants = st.floats(at("2026-01-01 00:00"), at("2027-01-01 00:00"))


@given(minutes, minutes, instants)
def test_a_window_changes_just_when_it_says(start: str, end: str, now: float) -> None:
    if start == end:
        return
    window = Window.parse(f"{start}-{end}")
    assert window
    change = next_change(window, now)

    assert now < change <= now + DAY + 2 * HOUR
    states = [windows.is_open(window, moment, BERLIN) for moment in (now, (now + change) / 2, change - 0.001, change)]
    if change - now > 0.01:
        assert states == [states[0], states[0], states[0], not states[0]]


@given(st.none() | st.tuples(minutes, minutes), instants, st.floats(0, 5 * DAY), st.sampled_from([0.0, 1800.0]))
def test_what_waits_may_run_at_its_next_moment_and_not_before(
    span: tuple[str, str] | None, queued_at: float, waited: float, spin_down: float
) -> None:
    if span and span[0] == span[1]:
        return
    settings = schedule(Window.parse("-".join(span)) if span else None, spin_down)
    now = queued_at + waited

    def runs(moment: float) -> bool:
        return may_run(urgent=False, queued_at=queued_at, along=False, schedule=settings, now=moment, tz=BERLIN)

    moment = next_moment(queued_at=queued_at, schedule=settings, now=now, tz=BERLIN)

    assert runs(now) == (moment == now)
    assert runs(moment + 0.001)
    steps = [now + share * (moment - now) for share in (0.0, 0.3, 0.6, 0.999)]
    assert not any(runs(step) for step, after in pairwise([*steps, moment]) if after - step > 1)
